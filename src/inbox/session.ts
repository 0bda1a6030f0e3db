import { asError, ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import { showTimeline, type Timeline } from "../timeline.ts";
import {
  type Connection,
  connectTo,
  type Credentials,
  processIdOf,
  serverStateOf,
  streamOf,
} from "./connect.ts";
import { ChunkPlaces } from "./copy/chunk_places.ts";
import { connectForCopy, type CopyConnection } from "./copy/copy_connection.ts";
import { type DatabaseAddress, type DatabaseServer, showAddress } from "./database_url.ts";
import { inboxError } from "./inbox_error.ts";
import type { Lanes } from "./lanes.ts";
import { watchForNewerPrimary } from "./newer_primary.ts";
import { onFirstServer, preferServer } from "./servers.ts";

/** How long one statement may take before its connection counts as dead, in milliseconds. */
const ANSWER_TIMEOUT_MS = 60_000;

/**
 * The four connections of one worker. They live and die together: after any of them ended, it is
 * unknown which of the others' statements took effect under which lock, so the worker drops what it has in
 * flight and starts again.
 *
 * - `control` holds the storage's and the lanes' locks, listens, beats
 * - `reading` streams chunks
 * - `acknowledging` commits receipts while the next batch is read
 * - `releasing` lets blobs leave, and sweeps, while receipts are committed
 */
export class InboxSession {
  /** Where the chunks of what is pending are. */
  readonly places: ChunkPlaces = new ChunkPlaces();
  /** Before this (performance.now()), blobs leave without a look at their generations. */
  recycleDueAt = 0;
  readonly #ended = new AbortController();

  /** UUID of the root for which `takeStorage` has taken the storage; null before. */
  identity: string | null = null;
  /** Number of this session among all that took a storage; null before. */
  life: string | null = null;
  /** UUID of this process, the same for all of its sessions: coming back is not dying. */
  process: string | null = null;
  /** What this session carries. */
  lanes: Lanes = { count: 1, mine: [] };

  private constructor(
    /** The server that has the inbox now. */
    readonly server: DatabaseServer,
    /** Where it stands. */
    readonly timeline: Timeline,
    readonly control: Connection,
    readonly reading: CopyConnection,
    readonly acknowledging: Connection,
    readonly releasing: Connection,
  ) {
    for (const connection of this.#connections) {
      connection.on("error", (error) => this.end(error));
      connection.on("end", () => this.end(new Error("the server closed the connection")));
    }
  }

  /**
   * Opens the four connections, all to one server: the first of the address that takes writes. The session
   * ends by itself when another one was promoted after it.
   *
   * @throws {DatabaseUnavailableError} when trying again may help
   * @throws {ConfigurationError} when it cannot
   */
  static async open(address: DatabaseAddress, credentials: Credentials): Promise<InboxSession> {
    const session = await onFirstServer(
      address,
      (server) => InboxSession.#openAt(server, credentials),
    );
    void session.#watch(address, credentials);
    return session;
  }

  static async #openAt(server: DatabaseServer, credentials: Credentials): Promise<InboxSession> {
    const opened: Connection[] = [];
    const kept = (connection: Connection) => {
      opened.push(connection);
      return connection;
    };
    try {
      const control = kept(await connectTo(server, credentials, "control"));
      const reading = await connectForCopy(server, credentials, "reading");
      kept(reading.connection);
      const acknowledging = kept(await connectTo(server, credentials, "acknowledging"));
      const releasing = kept(await connectTo(server, credentials, "releasing"));
      const timeline = requireOneServer(opened, server);
      const session = new InboxSession(
        server,
        timeline,
        control,
        reading,
        acknowledging,
        releasing,
      );
      for (const connection of opened) await session.#refusePooler(connection, server);
      return session;
    } catch (error) {
      for (const connection of opened) destroy(connection);
      throw error;
    }
  }

  /** Aborted, with a DatabaseUnavailableError as its reason, once any connection has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /**
   * Calls `onSealed` whenever a media is sealed, `onLanes` when a storage's number of lanes has changed. Hints:
   * they can be lost, so the worker polls too.
   */
  async listen(onSealed: () => void, onLanes: () => void = () => {}): Promise<void> {
    this.control.on(
      "notification",
      ({ channel }) => channel === "omoide_lanes" ? onLanes() : onSealed(),
    );
    await this.query(this.control, "LISTEN omoide_sealed; LISTEN omoide_lanes");
  }

  /**
   * Runs one statement and returns its rows.
   *
   * @param timeoutMs without an answer for this long, the session ends; a minute by default
   * @throws the errors of `inboxError`
   */
  async query<Row extends Record<string, unknown>>(
    connection: Connection,
    text: string,
    values: readonly unknown[] = [],
    timeoutMs = ANSWER_TIMEOUT_MS,
  ): Promise<Row[]> {
    const stopTimer = startTimer(
      timeoutMs,
      () => this.end(new Error(`no answer for ${timeoutMs / 1000} s`)),
    );
    try {
      const result = await connection.query<Row>(text, [...values]);
      return result.rows;
    } catch (error) {
      throw inboxError(error);
    } finally {
      stopTimer();
    }
  }

  /**
   * Ends the session because of a failure. Sockets are destroyed, not closed: on a half-open connection
   * a polite goodbye waits for ever.
   */
  end(cause: Error): void {
    if (this.ended.aborted) return;
    const reason = cause instanceof DatabaseUnavailableError
      ? cause
      : new DatabaseUnavailableError(`The connection to the database ended: ${cause.message}`, {
        cause,
      });
    this.#ended.abort(reason);
    for (const connection of this.#connections) destroy(connection);
  }

  get #connections(): readonly Connection[] {
    return [this.control, this.reading.connection, this.acknowledging, this.releasing];
  }

  /** Never rejects: whatever it meets ends the session. */
  async #watch(address: DatabaseAddress, credentials: Credentials): Promise<void> {
    try {
      await watchForNewerPrimary(address, credentials, {
        used: () => this,
        onNewer: ({ server, timeline }) => {
          preferServer(address, server);
          this.end(
            new DatabaseUnavailableError(
              `The database has moved to ${showAddress(server)}, ${showTimeline(timeline)}`,
            ),
          );
        },
        stop: this.ended,
      });
    } catch (error) {
      this.end(asError(error));
    }
  }

  /**
   * A pooler answers the handshake itself and makes up the process id. In transaction mode the lock and
   * LISTEN would land in sessions that belong to another client a moment later.
   */
  async #refusePooler(connection: Connection, server: DatabaseServer): Promise<void> {
    const [backend] = await this.query<{ pid: number }>(
      connection,
      "SELECT pg_backend_pid() AS pid",
    );
    if (backend?.pid === processIdOf(connection)) return;
    throw new ConfigurationError(
      `Between this worker and the database at ${showAddress(server)} stands a connection pooler ` +
        "(such as PgBouncer), which breaks session locks and LISTEN; give the server's own address",
    );
  }
}

/**
 * A proxy that fails over between two connections would have the storage's lock on one server and its
 * receipts on another, where a second worker has that lock.
 *
 * @returns where that server stands
 * @throws {DatabaseUnavailableError} they are connected to several
 */
function requireOneServer(connections: readonly Connection[], server: DatabaseServer): Timeline {
  const states = connections.map(serverStateOf);
  const timeline = states[0]?.timeline ?? null;
  if (timeline === null || states.some(({ run }) => run !== states[0]?.run)) {
    throw new DatabaseUnavailableError(
      `Behind ${showAddress(server)} are several servers, and one session's connections came to ` +
        "different ones; it begins again",
    );
  }
  return timeline;
}

/** Ends a connection at once, without a word to the server. */
function destroy(connection: Connection): void {
  streamOf(connection).destroy();
}

/** A timer that is late by so much was held up with its whole process. */
const HELD_UP_MS = 1_000;

/**
 * Calls `onTimeout` after so many milliseconds. If this process was stopped meanwhile (a suspended machine, a
 * call that hung), the answer may be here, unread: then it gets a moment more.
 *
 * @returns what stops it
 */
function startTimer(timeoutMs: number, onTimeout: () => void): () => void {
  const due = performance.now() + timeoutMs;
  let timer = setTimeout(() => {
    if (performance.now() - due < HELD_UP_MS) onTimeout();
    else timer = setTimeout(onTimeout, HELD_UP_MS);
  }, timeoutMs);
  return () => clearTimeout(timer);
}
