import { ConfigurationError, messageOf } from "../errors.ts";

/** No password and no bundle of certificates is larger. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a file that holds one secret or certificate, such as systemd's `LoadCredential=` makes.
 *
 * @param option the option that named it, for the error
 * @throws {ConfigurationError} the file is missing, unreadable, empty or far too large
 */
export function readCredentialFile(path: string, option: string): string {
  let text: string;
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile || size > MAX_BYTES) {
      throw new ConfigurationError(
        `${option} ${path} is no regular file of up to ${MAX_BYTES} bytes`,
      );
    }
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(
      `Cannot read ${option} ${path}: ${
        messageOf(error)
      }; it must exist and be readable by the worker's user`,
      { cause: error },
    );
  }
  // An editor ends a file with a newline, which is nobody's password.
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") throw new ConfigurationError(`${option} ${path} is empty`);
  return secret;
}
