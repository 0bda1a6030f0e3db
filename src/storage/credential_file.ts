import { defined } from "../defined.ts";
import { cannot, ConfigurationError } from "../errors.ts";

/** No password and no bundle of certificates is larger. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a file that holds a secret or certificates, such as systemd's `LoadCredential=` makes.
 *
 * @param option the option that named it, for the error
 * @throws {ConfigurationError} the file is missing, unreadable, empty, far too large, or begins with a BOM
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
      cannot(
        `read ${option} ${path}`,
        error,
        "it must exist and be readable by the worker's user",
      ),
      { cause: error },
    );
  }
  if (text.startsWith("\ufeff")) {
    throw new ConfigurationError(
      `${option} ${path} begins with a byte order mark, as some editors write; save it without one`,
    );
  }
  if (text.trim() === "") throw new ConfigurationError(`${option} ${path} is empty`);
  return text;
}

/**
 * Reads a file that holds one password and nothing else, if one is named. Errors as `readCredentialFile`, and
 *
 * @throws {ConfigurationError} it has more than one line: which of them is meant?
 */
export function readPasswordFile(path: string): string;
export function readPasswordFile(path: string | undefined): string | undefined;
export function readPasswordFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  // An editor ends a file with a newline, which is nobody's password.
  const password = readCredentialFile(path, "--password-file").replace(/\r?\n$/, "");
  if (!/[\r\n]/.test(password)) return password;
  throw new ConfigurationError(
    `--password-file ${path} has more than one line; a password is one line, and one newline may follow it`,
  );
}

/** The files that prove who a program and its server are, as text. Errors as the two above. */
export function readCredentials(
  { passwordFile, caFile }: { readonly passwordFile?: string; readonly caFile?: string },
): { readonly password?: string; readonly ca?: string } {
  const ca = caFile === undefined ? undefined : readCredentialFile(caFile, "--ca-file");
  return defined({ password: readPasswordFile(passwordFile), ca });
}
