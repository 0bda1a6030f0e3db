import { ConfigurationError } from "../errors.ts";
import { SCHEMA_VERSION } from "./schema_version.ts";

/** @param inbox as a sentence calls it @throws {ConfigurationError} its schema is not this program's */
export function requireVersion(version: number, inbox = "The inbox"): void {
  if (version === SCHEMA_VERSION) return;
  throw new ConfigurationError(
    `${inbox} has schema version ${version}, this program ${SCHEMA_VERSION}; ` +
      (version < SCHEMA_VERSION ? "run `inbox init`" : "use the newer program"),
  );
}
