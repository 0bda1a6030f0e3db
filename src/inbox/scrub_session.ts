import { DatabaseUnavailableError } from "../errors.ts";
import type { Depth, Finding } from "../finding.ts";
import { type Connection, type Credentials, streamOf } from "./connect.ts";
import type { DatabaseAddress } from "./database_url.ts";
import { connectToPrimary } from "./follow_primary.ts";
import { findingColumns } from "./finding_columns.ts";
import { inboxError } from "./inbox_error.ts";
import { SCHEMA_VERSION } from "./schema_version.ts";

/** Nothing that a scrub asks takes longer than a second, unless the database is in trouble. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What a scrub is told when it takes its storage. */
export interface TakenScrub {
  readonly prefixSize: number;
  /** UUID of the inbox. */
  readonly inbox: string;
  /** Seconds within which all should be read once; null if nobody asks for it. */
  readonly cycle: number | null;
}

/** How far a look has come. */
export interface Reached {
  /** What it goes on after; null at its beginning. */
  readonly position: string | null;
  readonly files: number;
  readonly bytes: number;
}

/** How far a look is, and when it and the last one began. Times in milliseconds since the epoch, sizes in bytes. */
export interface LookState extends Reached {
  /** Null between two looks. */
  readonly startedAt: number | null;
  readonly lastStartedAt: number | null;
  readonly finishedAt: number | null;
}

/** A receipt of the storage, as its tree must have it. */
export interface ScrubReceipt {
  readonly mediaId: bigint;
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/**
 * A scrub's one connection to the inbox, as the scrub's role: a role that can read the storage's
 * receipts and report, and nothing else.
 */
export class ScrubSession {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Opens the connection. Errors as `connect`. */
  static async open(address: DatabaseAddress, credentials: Credentials): Promise<ScrubSession> {
    return new ScrubSession(await connectToPrimary(address, credentials, "scrub"));
  }

  /**
   * Takes the scrubbing of a storage for as long as the session lives.
   *
   * @throws {ConfigurationError} wrong role, identity or schema version, or a retired storage
   * @throws {StorageHeldError} another scrub has it
   */
  async take(storage: string, identity: string): Promise<TakenScrub> {
    const [row] = await this.#ask<
      { prefix_size: number; inbox: string; cycle_seconds: number | null }
    >("SELECT prefix_size, inbox, cycle_seconds FROM omoide.take_scrub($1, $2, $3)", [
      SCHEMA_VERSION,
      storage,
      identity,
    ]);
    if (row === undefined) throw new TypeError("the inbox said nothing about this storage");
    return { prefixSize: row.prefix_size, inbox: row.inbox, cycle: row.cycle_seconds };
  }

  /** How far both looks are, and whether the storage's worker is storing at this moment. */
  async state(): Promise<Readonly<Record<Depth, LookState>> & { readonly workerStores: boolean }> {
    const ms = (time: string) => `(extract(epoch FROM ${time}) * 1000)::float8`;
    const rows = await this.#ask<LookState & { depth: Depth; workerStores: boolean }>(
      `SELECT depth, ${ms("started_at")} AS "startedAt", position, files::float8, bytes::float8,
        ${ms("last_started_at")} AS "lastStartedAt", ${ms("finished_at")} AS "finishedAt",
        worker_stores AS "workerStores"
      FROM omoide.scrub_state()`,
    );
    const [shallow, deep] = (["shallow", "deep"] as const).map((depth) =>
      rows.find((row) => row.depth === depth)
    );
    if (shallow === undefined || deep === undefined) {
      throw new TypeError("the inbox has no looks of this storage");
    }
    return { shallow, deep, workerStores: shallow.workerStores };
  }

  /** The storage's receipts with an id above `after`, by id. */
  async receipts(after: bigint, limit: number): Promise<ScrubReceipt[]> {
    const rows = await this.#ask<{ media_id: string; path: string; size: string; sha256: string }>(
      "SELECT media_id, path, size, encode(sha256, 'hex') AS sha256 " +
        "FROM omoide.scrub_receipts($1, $2)",
      [after, limit],
    );
    return rows.map(({ media_id, path, size, sha256 }) => ({
      ...{ mediaId: BigInt(media_id), path, size: Number(size), sha256 },
    }));
  }

  /** Which of these public paths the inbox knows in this storage. */
  async known(
    files: readonly {
      readonly path: string;
      readonly ownerUuid: string;
      readonly itemUuid: string;
    }[],
  ): Promise<ReadonlySet<string>> {
    const rows = await this.#ask<{ path: string }>(
      "SELECT path FROM omoide.scrub_known($1, $2, $3) AS path",
      [
        files.map(({ path }) => path),
        files.map(({ ownerUuid }) => ownerUuid),
        files.map(({ itemUuid }) => itemUuid),
      ],
    );
    return new Set(rows.map(({ path }) => path));
  }

  async begin(depth: Depth): Promise<void> {
    await this.#ask("SELECT omoide.begin_look($1)", [depth]);
  }

  async advance(depth: Depth, reached: Reached): Promise<void> {
    const { position, files, bytes } = reached;
    await this.#ask("SELECT omoide.advance_look($1, $2, $3, $4)", [depth, position, files, bytes]);
  }

  /** @returns how many findings the look had; null if `storage verify --database` has ended it meanwhile */
  async finish(depth: Depth, files: number, bytes: number): Promise<number | null> {
    const [row] = await this.#ask<{ n: string | null }>(
      "SELECT omoide.finish_look($1, $2, $3) AS n",
      [depth, files, bytes],
    );
    return row === undefined || row.n === null ? null : Number(row.n);
  }

  /**
   * Keeps findings and how far the look has come with them, both or neither: whoever dies in between would
   * find, and count, them again.
   */
  async report(depth: Depth, findings: readonly Finding[], reached: Reached): Promise<void> {
    const { position, files, bytes } = reached;
    await this.#ask(
      "SELECT omoide.report_findings($1, $2, $3, $4, $5), omoide.advance_look($1, $6, $7, $8)",
      [depth, ...findingColumns(findings), position, files, bytes],
    );
  }

  /** Open findings of a depth with an id above `after`, by id. */
  async openFindings(
    depth: Depth,
    after: bigint,
    limit: number,
  ): Promise<{ readonly id: bigint; readonly path: string }[]> {
    const rows = await this.#ask<{ id: string; path: string }>(
      "SELECT id, path FROM omoide.open_findings($1, $2, $3)",
      [depth, after, limit],
    );
    return rows.map(({ id, path }) => ({ id: BigInt(id), path }));
  }

  async close(ids: readonly bigint[]): Promise<void> {
    if (ids.length > 0) await this.#ask("SELECT omoide.close_findings($1)", [ids]);
  }

  /** Ends the connection at once: on a half-open one a polite goodbye waits for ever. */
  [Symbol.dispose](): void {
    streamOf(this.#connection).destroy();
  }

  async #ask<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this[Symbol.dispose]();
    }, ANSWER_TIMEOUT_MS);
    try {
      return (await this.#connection.query<Row>(text, [...values])).rows;
    } catch (error) {
      if (!isLate) throw inboxError(error);
      throw new DatabaseUnavailableError(
        `The database has not answered for ${ANSWER_TIMEOUT_MS / 1000} s`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
    }
  }
}
