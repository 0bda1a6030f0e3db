import { sleep } from "../../sleep.ts";
import { type Connection, processIdOf } from "../connect.ts";

/** How long an administrator's statement waits before whoever it waits for is ended, in milliseconds. */
const GRACE_MS = 2_000;
const LOOK_EVERY_MS = 500;

/**
 * Ends the sessions of the inbox's roles that make `connection` wait for a lock, until it is disposed of.
 * A worker's role can change its storage's rows and never commit, and the administrator who retires or
 * replaces that storage would wait for it. What healthy sessions lock they lock for milliseconds; one that
 * is ended tries again. Others' sessions (a superuser's) are left alone.
 *
 * @param connectAgain opens the connection that looks; not called if nothing takes long
 */
export function endBlockers(
  connection: Connection,
  connectAgain: () => Promise<Connection>,
): AsyncDisposable {
  const over = new AbortController();
  const watch = async () => {
    await sleep(GRACE_MS, over.signal);
    if (over.signal.aborted) return;
    const watching = await connectAgain();
    try {
      while (!over.signal.aborted) {
        await watching.query(END, [processIdOf(connection)]);
        await sleep(LOOK_EVERY_MS, over.signal);
      }
    } finally {
      await watching.end();
    }
  };
  // Without its second connection the statement waits, as it would have; its own errors are thrown there.
  const watched = watch().catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      over.abort();
      await watched;
    },
  };
}

const END = `
  SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
  WHERE a.pid = ANY (pg_blocking_pids($1)) AND a.usename IN (SELECT omoide.login_roles())`;
