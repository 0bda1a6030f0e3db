/**
 * The schema's numbered steps: tables, indexes, data, and what has to be dropped. Functions and views are
 * not among them: `functions.ts` and `views.ts` have them as they are now. All are imported as text and not
 * read from the disk, so that a compiled program carries them and needs no permission to read. (Deno 2.7
 * wants --unstable-raw-imports for it; the worker imports none of this.)
 */
import tables from "./0008_tables.sql" with { type: "text" };
import words from "./0009_words.sql" with { type: "text" };
import uploads from "./0010_uploads.sql" with { type: "text" };
import receipts from "./0011_receipts.sql" with { type: "text" };
import generations from "./0012_generations.sql" with { type: "text" };
import scrub from "./0013_scrub.sql" with { type: "text" };
import history from "./0014_history.sql" with { type: "text" };
import inboxName from "./0015_inbox_name.sql" with { type: "text" };
import counters from "./0016_counters.sql" with { type: "text" };
import ledger from "./0017_ledger.sql" with { type: "text" };
import verifyFindings from "./0018_verify_findings.sql" with { type: "text" };
import lanes from "./0019_lanes.sql" with { type: "text" };
import miscount from "./0020_miscount.sql" with { type: "text" };
import frozen from "./0021_frozen.sql" with { type: "text" };
import narrowRows from "./0022_narrow_rows.sql" with { type: "text" };
import rights from "./rights.sql" with { type: "text" };

/** One step of the schema. Immutable once released: a change is a new file with the next number. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** In order. The first is not 1: no version before 8 was released, nor can be brought up to date. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 8, name: "tables", sql: tables },
  { version: 9, name: "words", sql: words },
  { version: 10, name: "uploads", sql: uploads },
  { version: 11, name: "receipts", sql: receipts },
  { version: 12, name: "generations", sql: generations },
  { version: 13, name: "scrub", sql: scrub },
  { version: 14, name: "history", sql: history },
  { version: 15, name: "inbox_name", sql: inboxName },
  { version: 16, name: "counters", sql: counters },
  { version: 17, name: "ledger", sql: ledger },
  { version: 18, name: "verify_findings", sql: verifyFindings },
  { version: 19, name: "lanes", sql: lanes },
  { version: 20, name: "miscount", sql: miscount },
  { version: 21, name: "frozen", sql: frozen },
  { version: 22, name: "narrow_rows", sql: narrowRows },
];

/** Who may do what; run after every migration and every registration of a storage. */
export const RIGHTS = rights;
