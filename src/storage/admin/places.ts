/** Places in a root that only the administrator's tools make. Relative to the root, mode 0700 and 0440. */

/** What was set aside: rotten objects, under their names and when that was. */
export const ASIDE_DIRECTORY = ".omoide/aside";
/** What administrators did to this storage: one JSON object a line, only ever appended to. */
export const RECORD_PATH = ".omoide/record.jsonl";
