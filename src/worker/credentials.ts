import type { Credentials } from "../inbox/connect.ts";
import { readCredentialFile, readPasswordFile } from "../storage/credential_file.ts";
import type { WorkerOptions } from "./options.ts";

/**
 * Reads the files that prove who this worker and its server are.
 *
 * @throws {ConfigurationError} a file that was named cannot be read
 */
export function readCredentials(options: WorkerOptions): Credentials {
  const { passwordFile, caFile } = options;
  return {
    ...(passwordFile === undefined ? {} : { password: readPasswordFile(passwordFile) }),
    ...(caFile === undefined ? {} : { ca: readCredentialFile(caFile, "--ca-file") }),
  };
}
