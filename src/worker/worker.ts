import { DatabaseUnavailableError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import { readCredentials } from "../storage/credential_file.ts";
import type { Logger } from "../log.ts";
import { openStorage } from "../storage/open_storage.ts";
import { GroupSize } from "./group_size.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { WorkerOptions } from "./options.ts";
import { Probation } from "./probation.ts";
import { Progress } from "./progress.ts";
import { retrying } from "../retry.ts";
import { RetryPolicy } from "../retry_policy.ts";
import { Sessions } from "./sessions.ts";
import { listenForSignals } from "../signals.ts";
import { Wake } from "../wake.ts";

/**
 * Runs a worker until it is stopped, or in drain mode until nothing is left.
 *
 * The way down: a process has one storage and one *session* after the other with the inbox; in a session
 * the *service* makes a *pass* over what is owed whenever something may be, and waits in between
 * (`schedule.ts`); a pass hands groups of media to the *courier*. The way back is one: handing over a group
 * gives a promise of its *fates* (acknowledged, refused, not stored, paused), which is all that a pass
 * reads. What concerns more than one group (the connection, the disk) is thrown, up to here or to the exit
 * code. What outlives a session has one owner each: `Progress` what was done, `Probation` what may be
 * dangerous, `Heartbeat` what the inbox knows of this worker.
 *
 * A database that is out of reach and a storage whose lanes other workers hold are waited for, for ever,
 * except in drain mode, which says so and ends.
 *
 * @throws the errors of `exitCodeOf`
 */
export async function runWorker(
  options: WorkerOptions,
  log: Logger,
): Promise<ExitCode> {
  const credentials = readCredentials(options);
  const wake = new Wake();
  const stop = listenForSignals(wake);
  const policy = new RetryPolicy(log, options.mode === "serve", options.database.hosts.length);
  if (Deno.uid() === 0) {
    log.warn("running as root, who can change what is stored; run it as a user of its own");
  }
  try {
    const storage = await retrying(
      () => openStorage(options.root, { storage: options.storage }, { ...options, lock: false }),
      { ...policy, stop },
    );
    try {
      const progress = new Progress(log);
      const heartbeat = new Heartbeat(storage, progress, log);
      const probation = new Probation();
      const { batchFiles: files, batchBytes: bytes } = options;
      const group = new GroupSize({ files, bytes }, storage.isRemote);
      const sessions = new Sessions(
        { options, storage, heartbeat, group, probation, progress, log, wake, stop },
        credentials,
      );
      return await serve(sessions, policy, stop);
    } finally {
      storage.close();
    }
  } catch (error) {
    // Asked to stop while it waited: that is no failure.
    if (stop.aborted && policy.isTransient(error)) return EXIT.OK;
    throw error;
  }
}

/** One session after the other; even in drain mode until the inbox knows of a disk that failed. */
async function serve(
  sessions: Sessions,
  policy: RetryPolicy,
  stop: AbortSignal,
): Promise<ExitCode> {
  const owesReport = (error: unknown) =>
    sessions.diskFailure !== null && error instanceof DatabaseUnavailableError;
  try {
    return await retrying((attempt) => sessions.serve(attempt), {
      ...policy,
      isTransient: (error) => policy.isTransient(error) || owesReport(error),
      stop,
    });
  } catch (error) {
    // Stopped before a failed disk could be reported to the inbox: the exit code still says it.
    throw owesReport(error) ? sessions.diskFailure : error;
  }
}
