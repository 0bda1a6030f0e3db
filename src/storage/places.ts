/** Places in a root that only the administrator's tools make. Relative to the root, mode 0700 and 0440. */

/** What was quarantined: corrupt objects, under their names and when that was. */
export const QUARANTINE_DIRECTORY = ".omoide/quarantine";
/** Its name before the first release: still looked into, never written to. */
export const LEGACY_QUARANTINE_DIRECTORY = ".omoide/aside";
/** What administrators did to this storage: one JSON object a line, only ever appended to. */
export const AUDIT_LOG_PATH = ".omoide/record.jsonl";
