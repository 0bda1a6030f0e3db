import { ConfigurationError, UsageError } from "./errors.ts";

const MAX_BYTES = 1024 * 1024;

/** What proves who a program and its database are; see `connect`. */
interface GivenCredentials {
  readonly password?: string;
  readonly ca?: string;
}

/**
 * Reads the credentials of a program that may read no file. They come by standard input, which needs no
 * permission: systemd's `StandardInput=file:` and the launcher open the file instead. The password is on the
 * first line; PEM certificates that the database's must be signed by may follow.
 *
 * @param program the word after `omoide-`
 * @throws {UsageError} a file was named that the program has no right to read
 * @throws {ConfigurationError} standard input has no password
 */
export function readGivenCredentials(
  program: string,
  passwordFile: string | undefined,
): GivenCredentials {
  if (passwordFile === undefined) return {};
  if (passwordFile !== "-") {
    throw new UsageError(
      `The ${program} may read no file, so not ${passwordFile} either: start it by ` +
        `\`deno task ${program}\`, or give --password-file - and the file as standard input`,
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
