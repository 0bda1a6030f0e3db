import { ConfigurationError, UsageError } from "../errors.ts";
import type { Credentials } from "../inbox/connect.ts";
import type { GatewayOptions } from "./options.ts";

const MAX_BYTES = 1024 * 1024;

/**
 * Reads what proves who this gateway and its database are. It comes by standard input, which needs no
 * permission: systemd's `StandardInput=file:` and the launcher open the file instead.
 *
 * @throws {UsageError} a file was named that the gateway has no right to read
 * @throws {ConfigurationError} standard input has no password
 */
export function readCredentials({ passwordFile }: GatewayOptions): Credentials {
  if (passwordFile === undefined) return {};
  if (passwordFile !== "-") {
    throw new UsageError(
      `The gateway may read no file, so not ${passwordFile} either: start it by ` +
        "`deno task gateway`, or give --password-file - and the file as standard input",
    );
  }
  const text = readStandardInput();
  const end = text.indexOf("\n");
  const password = (end < 0 ? text : text.slice(0, end)).replace(/\r$/, "");
  const rest = end < 0 ? "" : text.slice(end + 1).trim();
  if (password === "") {
    throw new ConfigurationError("standard input has no password on its first line");
  }
  return { password, ...(rest === "" ? {} : { ca: rest }) };
}

function readStandardInput(): string {
  const bytes = new Uint8Array(MAX_BYTES);
  let length = 0;
  for (;;) {
    const read = Deno.stdin.readSync(bytes.subarray(length));
    if (read === null || read === 0) break;
    length += read;
    if (length === MAX_BYTES) {
      throw new ConfigurationError(
        `standard input has ${MAX_BYTES} bytes or more; is it a password?`,
      );
    }
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}
