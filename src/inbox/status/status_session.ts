import { DatabaseUnavailableError } from "../../errors.ts";
import { type Connection, type Credentials, streamOf } from "../connect.ts";
import type { DatabaseAddress } from "../database_url.ts";
import { connectToPrimary } from "../follow_primary.ts";
import { requireVersion } from "../require_version.ts";
import { ask } from "./ask.ts";
import { askCounts, askStatus } from "./ask_status.ts";
import { ASK_PARKED, DETAILS, type Details, type ParkedMedia } from "./details.ts";
import { openFindings } from "./open_findings.ts";
import { ASK_RECENT, ASK_YEAR, type History, type HistoryPoint } from "./history.ts";
import type { CheapStatus, Counts } from "./status.ts";

/** A connection that only looks, as the monitor's role. One question at a time. */
export class StatusSession implements Disposable {
  #isLate = false;

  private constructor(private readonly connection: Connection) {}

  /**
   * @throws {DatabaseUnavailableError} trying again may help
   * @throws {ConfigurationError} it cannot: role, password, an inbox of another version
   */
  static async open(address: DatabaseAddress, credentials: Credentials): Promise<StatusSession> {
    const session = new StatusSession(await connectToPrimary(address, credentials, "monitor"));
    try {
      await session.#refuseOtherVersion();
      return session;
    } catch (error) {
      session[Symbol.dispose]();
      throw error;
    }
  }

  status(): Promise<CheapStatus> {
    return askStatus(this.connection);
  }

  counts(): Promise<Counts> {
    return askCounts(this.connection);
  }

  async details(): Promise<Details> {
    const findings = await openFindings(this.connection, DETAILS);
    return { findings, parked: await ask<ParkedMedia>(this.connection, ASK_PARKED) };
  }

  async history(): Promise<History> {
    const recent = await ask<HistoryPoint>(this.connection, ASK_RECENT);
    return { recent, year: await ask<HistoryPoint>(this.connection, ASK_YEAR) };
  }

  /**
   * Bounds what a question takes: a dead machine answers nothing, not even that it is dead.
   *
   * @throws {DatabaseUnavailableError} it took longer, and the session is over
   */
  async within<T>(ms: number, question: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.#isLate = true;
      this[Symbol.dispose]();
    }, ms);
    try {
      return await question();
    } catch (error) {
      if (!this.#isLate) throw error;
      throw new DatabaseUnavailableError(`The database has not answered for ${ms / 1000} s`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** At once: on a half-open connection a polite goodbye waits for ever. */
  [Symbol.dispose](): void {
    streamOf(this.connection).destroy();
  }

  async #refuseOtherVersion(): Promise<void> {
    const [row] = await this.within(5000, () =>
      ask<{ version: number }>(
        this.connection,
        "SELECT schema_version AS version FROM omoide.settings",
      ));
    requireVersion(row?.version ?? 0);
  }
}
