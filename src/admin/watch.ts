import { DatabaseUnavailableError } from "../errors.ts";
import { openInbox } from "../inbox/admin/inbox.ts";
import { askCounts, askStatus } from "../inbox/status/ask_status.ts";
import { type Counts, withCounts } from "../inbox/status/status.ts";
import { judge, sentence } from "../verdict/verdict.ts";

/** Counting everything that was ever stored takes at most this share of the time. */
const COUNTS_SHARE = 100;

/** What a look at the inbox gave. */
export interface Seen {
  readonly word: "safe" | "behind" | "attention" | "unknown";
  /** The verdict's sentence, then each thing to look at. */
  readonly lines: readonly string[];
}

/** Asks again and again, and remembers what takes long to count. */
export class InboxWatch {
  #counts: Counts | null = null;
  #countDueAt = -Infinity;
  #awaySince: number | null = null;

  /** @param awayAfterMs for how long a database may be away, as for a restart, before that is news */
  constructor(private readonly database: string, private readonly awayAfterMs: number) {}

  /** @returns null while the database is away, but not for long yet */
  async look(): Promise<Seen | null> {
    try {
      const seen = await this.#ask();
      this.#awaySince = null;
      return seen;
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      this.#awaySince ??= performance.now();
      if (performance.now() - this.#awaySince < this.awayAfterMs) return null;
      return { word: "unknown", lines: ["UNKNOWN: the inbox does not answer.", error.message] };
    }
  }

  async #ask(): Promise<Seen> {
    await using inbox = await openInbox(this.database);
    const status = await askStatus(inbox.connection);
    if (performance.now() >= this.#countDueAt) {
      const began = performance.now();
      this.#counts = await askCounts(inbox.connection);
      const now = performance.now();
      this.#countDueAt = now + (now - began) * COUNTS_SHARE;
    }
    const whole = withCounts(status, this.#counts);
    const verdict = judge(whole);
    const lines = [
      sentence(whole, verdict, true),
      ...verdict.attention.map((each) => `! ${each}`),
      ...verdict.behind.map((each) => `- ${each}`),
    ];
    return { word: verdict.word, lines };
  }
}

/**
 * What must differ for a change to be reported. Numbers and ages go on all the time. That uploads come
 * and go, BEHIND and SAFE, is how it should be, and no news.
 */
export function newsOf({ word, lines }: Seen): string {
  if (word === "safe" || word === "behind") return "well";
  // Refused, then timed out: it is away all the same.
  if (word === "unknown") return word;
  const matters = lines.slice(1).filter((line) => !line.startsWith("- "));
  return [word, ...matters.map(withoutNumbers)].join("\n");
}

/** Not those in a name: `hot2` stays. */
function withoutNumbers(line: string): string {
  const numbers = line.replace(/\b\d[\d.,]*( (s|min|h|d|%|[KMGTP]?i?B))?(?=\W|$)/g, "N");
  // `3 d 4 h` as `8 s`.
  return numbers.replace(/N( N)+/g, "N");
}
