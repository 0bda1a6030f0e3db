import {
  DatabaseUnavailableError,
  StorageDistrustedError,
  StorageHeldError,
  StorageLostError,
} from "../errors.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import type { Credentials } from "../inbox/connect.ts";
import { showAddress } from "../inbox/database_url.ts";
import { InboxSession } from "../inbox/session.ts";
import { distrust } from "../inbox/worker_calls.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { WriteOnceStorage } from "../storage/storage.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Logger } from "../log.ts";
import type { WorkerOptions } from "./options.ts";
import { RetryPolicy } from "./retry_policy.ts";
import { type Attempt, retrying } from "./retry.ts";
import { Service, type ServiceContext } from "./service.ts";
import { listenForSignals } from "./signals.ts";
import { Wake } from "./wake.ts";

/**
 * Runs a worker until it is stopped, or in drain mode until nothing is left.
 *
 * A database that is out of reach and a storage that another worker holds are waited for, for ever,
 * except in drain mode, which says so and ends.
 *
 * @throws the errors of `exitCodeOf`
 */
export async function runWorker(
  options: WorkerOptions,
  credentials: Credentials,
  log: Logger,
): Promise<ExitCode> {
  const wake = new Wake();
  const stop = listenForSignals(wake);
  const retryPolicy = new RetryPolicy(log, options.mode === "serve");
  if (Deno.uid() === 0) {
    log.warn("running as root, who can change what is stored; run it as a user of its own");
  }
  try {
    const storage = await retrying(
      () => openStorage(options.root, { storage: options.storage }, options),
      { ...retryPolicy, stop },
    );
    try {
      const sessions = new Sessions(storage, credentials, {
        ...{ options, log, wake, stop },
        begun: new Set(),
        suspects: { left: 0 },
      });
      return await retrying((attempt) => sessions.serveOne(attempt), {
        ...retryPolicy,
        isTransient: (error) => retryPolicy.isTransient(error) || sessions.owesVerdict(error),
        stop,
      }).catch((error) => {
        // Stopped before the inbox could be told of a failed disk: the exit code still tells it.
        throw sessions.owesVerdict(error) ? sessions.verdict : error;
      });
    } finally {
      storage.close();
    }
  } catch (error) {
    // Asked to stop while it waited: that is no failure.
    if (stop.aborted && retryPolicy.isTransient(error)) return EXIT.OK;
    throw error;
  }
}

type SessionContext = Omit<ServiceContext, "storage" | "heartbeat" | "onStored">;

/** One storage's sessions with the inbox, one after the other. */
class Sessions {
  readonly #storage: WriteOnceStorage;
  readonly #credentials: Credentials;
  readonly #context: SessionContext;
  readonly #heartbeat: Heartbeat;
  #first = true;
  /** The disk failed: until the inbox knows, a restart would take it at its word again. */
  #verdict: StorageDistrustedError | null = null;

  constructor(
    storage: WriteOnceStorage,
    credentials: Credentials,
    context: SessionContext,
  ) {
    this.#storage = storage;
    this.#credentials = credentials;
    this.#context = context;
    this.#heartbeat = new Heartbeat(storage, context.log);
  }

  /** What this process knows of its disk; null while the disk is sound. */
  get verdict(): StorageDistrustedError | null {
    return this.#verdict;
  }

  /** Whether it was the database that kept the inbox from being told of a failed disk. */
  owesVerdict(error: unknown): boolean {
    return this.#verdict !== null && error instanceof DatabaseUnavailableError;
  }

  async serveOne(attempt: Attempt): Promise<ExitCode> {
    const { options, log } = this.#context;
    const session = await InboxSession.open(options.database, this.#credentials);
    let isTaken = false;
    try {
      if (this.#verdict !== null) await this.#markDistrusted(session, this.#verdict);
      const service = new Service(session, {
        ...this.#context,
        onStored: attempt.succeeded,
        storage: this.#storage,
        heartbeat: this.#heartbeat,
      });
      await service.take(this.#first);
      isTaken = true;
      this.#first = false;
      log.info("serving {root} from {database}", {
        root: options.root,
        database: showAddress(options.database),
      });
      const failed = await service.run();
      await this.#heartbeat.become(session, "stopped");
      return failed === 0 ? EXIT.OK : EXIT.INCOMPLETE;
    } catch (error) {
      const cause = causeOf(error, session);
      if (cause instanceof StorageDistrustedError && cause !== this.#verdict) {
        await this.#markDistrusted(session, cause);
      }
      await this.#tellEnd(session, cause, isTaken);
      throw cause;
    } finally {
      session.end(new Error("the worker is done with it"));
    }
  }

  /**
   * Where the inbox can be told why the worker ends, or waits, it should be. But the state is that of the
   * worker that has the storage: another's would hide it, and that it had died while it was storing.
   */
  async #tellEnd(session: InboxSession, cause: unknown, isTaken: boolean): Promise<void> {
    if (cause instanceof StorageHeldError) {
      await this.#heartbeat.standBy(session).catch(() => {});
    } else if (isTaken && cause instanceof Error && !(cause instanceof DatabaseUnavailableError)) {
      await this.#heartbeat.become(session, "stopped", cause.message).catch(() => {});
    }
  }

  /** Marks the storage in the inbox, then ends as distrusted. */
  async #markDistrusted(session: InboxSession, verdict: StorageDistrustedError): Promise<never> {
    this.#verdict = verdict;
    await distrust(session, verdict.message);
    throw verdict;
  }
}

/** What ended the session, where that is known; a statement under way only sees its connection go. */
function causeOf(error: unknown, session: InboxSession): unknown {
  const ownWord = error instanceof StorageDistrustedError || error instanceof StorageLostError;
  return session.ended.aborted && !ownWord ? session.ended.reason : error;
}
