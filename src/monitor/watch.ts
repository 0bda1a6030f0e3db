import type { Credentials } from "../inbox/connect.ts";
import type { DatabaseAddress } from "../inbox/database_url.ts";
import type { Details } from "../inbox/status/details.ts";
import type { History } from "../inbox/status/history.ts";
import {
  aged,
  type CheapStatus,
  type Counts,
  type InboxStatus,
  withCounts,
} from "../inbox/status/status.ts";
import { StatusSession } from "../inbox/status/status_session.ts";
import type { Logger } from "../log.ts";
import { judge, type Verdict } from "../verdict/verdict.ts";
import { within } from "../within.ts";
import { type Bounds, Question } from "./question.ts";

/** What a status, and a count of everything that was ever stored, may take. */
const STATUS_MS = 5_000;
const COUNTS_MS = 15 * 60_000;
/** What a request waits for the counts at the most: it is answered without them. */
const COUNTS_WAIT_MS = 1_000;

/** What is known of the inbox, and since when. */
export interface Latest {
  /** Null until the database has answered once. Its ages are as of now. */
  readonly status: InboxStatus | null;
  readonly verdict: Verdict | null;
  /** Whether the copies of everything that was ever stored have been counted. */
  readonly counted: boolean;
  /** Seconds since the database answered; 0 if it never has. */
  readonly age: number;
  /** Why there is no newer answer; null if this is one. */
  readonly error: Error | null;
}

/**
 * Asks the inbox for whoever asks the monitor: however many they are, the database hears one question at a
 * time, and spends at most a twentieth of a processor's time on the status and a hundredth on the counts.
 */
export class Watch implements Disposable {
  readonly #status: Question<CheapStatus>;
  readonly #counts: Question<Counts>;
  readonly #details: Question<Details>;
  readonly #history: Question<History>;

  constructor(address: DatabaseAddress, credentials: Credentials, log: Logger) {
    const open = () => StatusSession.open(address, credentials);
    const question = <T>(
      ask: (session: StatusSession) => Promise<T>,
      bounds: Bounds,
    ) => new Question(open, ask, bounds, log);
    const often = { ms: STATUS_MS, freshMs: 1000, share: 20, staleMs: 10_000 };
    this.#status = question((session) => session.status(), often);
    this.#details = question((session) => session.details(), often);
    this.#history = question((session) => session.history(), {
      ...{ ms: STATUS_MS, freshMs: 30_000, share: 100, staleMs: 300_000 },
    });
    this.#counts = question((session) => session.counts(), {
      ...{ ms: COUNTS_MS, freshMs: 1000, share: 100, staleMs: 3_600_000 },
    });
  }

  /** The newest answer that can be had now. Never fails, and takes 20 s at the most. */
  async latest(): Promise<Latest> {
    const counting = this.#counts.ask();
    const { value, error, age } = await this.#status.ask();
    if (value === null) return { status: null, verdict: null, counted: false, age, error };
    // Asking in vain would only make the page late.
    const counted = error === null ? await within(COUNTS_WAIT_MS, counting) : this.#counts.last();
    const counts = counted?.value ?? this.#counts.last().value;
    const status = aged(withCounts(value, counts), age);
    return { status, verdict: judge(status), counted: counts !== null, age, error };
  }

  /** @returns null where the database does not say */
  async details(): Promise<Details | null> {
    return (await this.#details.ask()).value;
  }

  /** @returns null where the database does not say */
  async history(): Promise<History | null> {
    return (await this.#history.ask()).value;
  }

  [Symbol.dispose](): void {
    for (const each of [this.#status, this.#counts, this.#details, this.#history]) {
      each[Symbol.dispose]();
    }
  }
}
