import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";

const SAID_AGAIN_MS = 60_000;

/** Logs why nobody is served. Every request meets the same, so it is said once a minute at the most. */
export class TroubleLog {
  #said = "";
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly log: Logger) {}

  note(error: unknown): void {
    const isForAdministrator = error instanceof ConfigurationError;
    if (!isForAdministrator && !(error instanceof DatabaseUnavailableError)) return;
    const { message } = error;
    const now = performance.now();
    if (message === this.#said && now - this.#saidAt < SAID_AGAIN_MS) return;
    this.#said = message;
    this.#saidAt = now;
    if (isForAdministrator) {
      this.log.error("{message}; requests are refused until then", { message });
    } else this.log.warn("{message}; requests are refused until it is back", { message });
  }
}
