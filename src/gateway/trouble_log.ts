import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";

const SAID_AGAIN_MS = 60_000;

/** Logs why nobody is served. Every request meets the same, so each reason is said once a minute at the most. */
export class TroubleLog {
  /** When each reason was said, of the last minute: a database that is away is met in several ways, by turns. */
  readonly #saidAt = new Map<string, number>();

  constructor(private readonly log: Logger) {}

  note(error: unknown): void {
    const isForAdministrator = error instanceof ConfigurationError;
    if (!isForAdministrator && !(error instanceof DatabaseUnavailableError)) return;
    const { message } = error;
    const now = performance.now();
    for (const [reason, saidAt] of this.#saidAt) {
      if (now - saidAt >= SAID_AGAIN_MS) this.#saidAt.delete(reason);
    }
    if (this.#saidAt.has(message)) return;
    this.#saidAt.set(message, now);
    if (isForAdministrator) {
      this.log.error("{message}; requests are refused until then", { message });
    } else this.log.warn("{message}; requests are refused until it is back", { message });
  }
}
