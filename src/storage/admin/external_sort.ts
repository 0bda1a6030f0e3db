import { DatabaseSync, type StatementSync } from "node:sqlite";
import { cannot, ConfigurationError, messageOf } from "../../errors.ts";

/**
 * Lines that SQLite is given at once. With one it took a fifth more of the processor, with 2,000 it
 * peaked 60 MiB higher.
 */
const AT_ONCE = 100;

/** What SQLite holds of the lines, and what it sorts at once, in KiB each. */
const CACHE_KIB = 8 * 1024;

/**
 * Sorts any number of lines in constant memory. Lines are compared by their bytes in UTF-8, hold no NUL,
 * and equal ones are all kept. What does not fit in memory is in temporary files that have no name from
 * the moment they are open, in TMPDIR or, if it cannot be written, in /var/tmp or /tmp; a small tree makes
 * none. SQLite itself makes them, so a command needs no permission for it, and may have given up every
 * right to write; they take twice the lines' bytes.
 *
 * Sorted runs in a file of our own, merged by a heap, were tried against it (a million lines of 130
 * characters, then four million): 9.4 and 41.6 s of processor with 152 and 281 MiB at the peak, against
 * 11.1 and 41.6 s with 109 and 156 MiB. SQLite merges in as many rounds as it takes, where all runs were
 * open at once: 430,000 of them for 3×10⁹ names.
 */
export class ExternalSort {
  readonly #database = new DatabaseSync(":memory:");
  readonly #insert: StatementSync;
  #held: string[] = [];

  constructor() {
    this.#database.exec(`
      PRAGMA temp_store = FILE;
      PRAGMA cache_size = -${CACHE_KIB};
      CREATE TEMP TABLE line (text TEXT NOT NULL);
      PRAGMA temp.cache_size = -${CACHE_KIB};
      PRAGMA temp.journal_mode = OFF;
      BEGIN`);
    this.#insert = this.#database.prepare("INSERT INTO line SELECT value FROM json_each(?)");
  }

  add(line: string): void {
    this.#held.push(line);
    if (this.#held.length >= AT_ONCE) this.#hand();
  }

  /** All lines in order. Once only; nothing may be added afterwards. */
  *sorted(): Generator<string> {
    this.#hand();
    const all = this.#database.prepare("SELECT text FROM line ORDER BY text");
    try {
      for (const row of all.iterate()) yield (row as { text: string }).text;
    } catch (error) {
      throw roomless(error);
    } finally {
      this.#database.close();
    }
  }

  #hand(): void {
    const lines = this.#held;
    this.#held = [];
    try {
      if (lines.length > 0) this.#insert.run(JSON.stringify(lines));
    } catch (error) {
      throw roomless(error);
    }
  }
}

/** SQLite's words for temporary files that cannot be made, or grow no more. */
function roomless(error: unknown): unknown {
  if (!/disk is full|disk I\/O error|unable to open/.test(messageOf(error))) return error;
  return new ConfigurationError(
    cannot(
      "sort more names than fit in memory",
      error,
      "set TMPDIR to a directory with room for about 300 bytes a name",
    ),
    { cause: error },
  );
}
