import {
  DatabaseUnavailableError,
  endsStorage,
  StorageDistrustedError,
  StorageHeldError,
} from "../errors.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import type { Credentials } from "../inbox/connect.ts";
import { showAddress } from "../inbox/database_url.ts";
import { judgeDurability } from "../inbox/durability.ts";
import { noteTimeline } from "../inbox/newest_timelines.ts";
import { InboxSession } from "../inbox/session.ts";
import { distrust, readDurability } from "../inbox/storage_calls.ts";
import type { Attempt } from "../retry.ts";
import { LANES_CHANGED, Service } from "./service.ts";
import type { WorkerContext } from "./worker_context.ts";

/** One process's sessions with the inbox, one after the other. */
export class Sessions {
  readonly #context: WorkerContext;
  readonly #credentials: Credentials;
  /** UUID: by it the inbox sees that a session is the same worker's as one before. */
  readonly #process = crypto.randomUUID();
  #diskFailure: StorageDistrustedError | null = null;
  /** What was said of the database's durability; not again with each session. */
  readonly #warned = new Set<string>();

  constructor(context: WorkerContext, credentials: Credentials) {
    this.#context = context;
    this.#credentials = credentials;
  }

  /** The failure of the disk; until the inbox knows of it, a restart would trust that disk again. */
  get diskFailure(): StorageDistrustedError | null {
    return this.#diskFailure;
  }

  /** Serves one session after the other, for as long as nothing goes wrong. Errors as `serveOne`. */
  async serve(attempt: Attempt): Promise<ExitCode> {
    for (;;) {
      const code = await this.#serveOne(attempt);
      if (code !== null) return code;
    }
  }

  /**
   * Serves one session until its end.
   *
   * @returns null where another is to begin, the storage's number of lanes having changed
   * @throws the errors of `exitCodeOf`
   */
  async #serveOne(attempt: Attempt): Promise<ExitCode | null> {
    const { options, storage, log, heartbeat } = this.#context;
    (await storage.timelines()).forEach(noteTimeline);
    const session = await InboxSession.open(options.database, this.#credentials);
    let service: Service | null = null;
    try {
      if (this.#diskFailure !== null) await this.#markDistrusted(session, this.#diskFailure);
      service = await Service.open(session, this.#context, this.#process);
      const database = showAddress(session.server);
      log.info("serving {root} from {database}", { root: options.root, database });
      await this.#warnOfDatabase(session);
      const failed = await service.run(attempt);
      if (failed === LANES_CHANGED) {
        log.info(LANES_CHANGED);
        return null;
      }
      await heartbeat.become(session, "stopped");
      return failed === 0 ? EXIT.OK : EXIT.INCOMPLETE;
    } catch (error) {
      const cause = causeOf(error, session);
      if (cause instanceof StorageDistrustedError && cause !== this.#diskFailure) {
        await this.#markDistrusted(session, cause);
      }
      await this.#reportEnd(session, cause, service !== null);
      throw cause;
    } finally {
      session.end(new Error("the worker is done with it"));
      await storage.letGo();
    }
  }

  /**
   * A database that loses what it commits is no hindrance: the sooner a worker has everything, the better.
   * But whoever reads only this log must know that the inbox, until then the only copy, is none.
   */
  async #warnOfDatabase(session: InboxSession): Promise<void> {
    for (const sentence of judgeDurability(await readDurability(session)).broken) {
      if (!this.#warned.has(sentence)) this.#context.log.warn("{sentence}", { sentence });
      this.#warned.add(sentence);
    }
  }

  /**
   * Reports why the worker ends, or waits, where the inbox can still be reached. But the state is that of
   * the worker that has the storage: another's would hide it, and that it had died while it was storing.
   */
  async #reportEnd(session: InboxSession, cause: unknown, hasStorage: boolean): Promise<void> {
    const { heartbeat } = this.#context;
    if (cause instanceof StorageHeldError) {
      await heartbeat.standBy(session).catch(() => {});
    } else if (
      hasStorage && cause instanceof Error && !(cause instanceof DatabaseUnavailableError)
    ) {
      await heartbeat.become(session, "stopped", cause.message).catch(() => {});
    }
  }

  /** Marks the storage in the inbox, then ends as distrusted. */
  async #markDistrusted(session: InboxSession, failure: StorageDistrustedError): Promise<never> {
    this.#diskFailure = failure;
    await distrust(session, failure.message);
    throw failure;
  }
}

/** What ended the session, where that is known; a statement under way only sees its connection go. */
function causeOf(error: unknown, session: InboxSession): unknown {
  return session.ended.aborted && !endsStorage(error) ? session.ended.reason : error;
}
