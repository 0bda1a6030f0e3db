import { ConfigurationError, StorageLostError } from "../errors.ts";
import { EXIT, type ExitCode, exitCodeOf } from "../exit_codes.ts";
import { showAddress } from "../inbox/database_url.ts";
import { judgeDurability } from "../inbox/durability.ts";
import { noteTimeline } from "../inbox/newest_timelines.ts";
import { InboxSession } from "../inbox/session.ts";
import { checkStorage, readDurability } from "../inbox/storage_calls.ts";
import { type CheckResult, checkRoot } from "../storage/check_root.ts";
import { readIdentity, requireInbox } from "../storage/identity.ts";
import type { StorageIdentity } from "../storage/storage.ts";
import { notedTimelines } from "../storage/timelines.ts";
import { printLine } from "../terminal.ts";
import { readCredentials } from "../storage/credential_file.ts";
import type { WorkerOptions } from "./options.ts";

/**
 * `--check`: proves everything that a worker needs and stores nothing. Prints a line for each thing, and
 * for what is wrong how to fix it. That the sandbox is right has been proven by getting here.
 */
export async function runCheck(options: WorkerOptions): Promise<ExitCode> {
  printLine("ok    sandbox: the permissions are exactly those that a worker needs");
  const results = await checkRoot(options.root, { storage: options.storage }, options);
  for (const result of results) print(result);
  const database = await checkDatabase(options, identityOrNull(options.root));
  const code = results.every(({ ok }) => ok) ? database : EXIT.CONFIGURATION;
  printLine(
    code === EXIT.OK
      ? `The worker of ${options.storage} will run.`
      : `The worker of ${options.storage} will not run: fix what is marked FAIL, then check again.`,
  );
  return code;
}

/** Null where there is none: why, is among the root's results. */
function identityOrNull(root: string): StorageIdentity | null {
  try {
    return readIdentity(root);
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof StorageLostError) return null;
    throw error;
  }
}

function print({ name, ok, detail, fix }: CheckResult): void {
  printLine(
    `${ok ? "ok   " : "FAIL "} ${name}: ${detail}${ok || fix === null ? "" : `; ${fix}`}`,
  );
}

async function checkDatabase(
  options: WorkerOptions,
  identity: StorageIdentity | null,
): Promise<ExitCode> {
  try {
    if (identity !== null) (await notedTimelines(options.root)).forEach(noteTimeline);
    const session = await InboxSession.open(options.database, readCredentials(options));
    const where = showAddress(session.server);
    try {
      if (identity === null) {
        const detail = `${where} answers; whether it knows this storage, only the root can say`;
        print({ name: "inbox", ok: false, detail, fix: null });
        return EXIT.CONFIGURATION;
      }
      const known = await checkStorage(session, options.storage, identity.uuid);
      requireInbox(identity, known);
      const company = !known.held
        ? ""
        : known.lanes === 1
        ? "; a worker holds it now, another would stand by"
        : `; workers hold it now, another would share its ${known.lanes} lanes`;
      print({
        name: "inbox",
        ok: true,
        detail: `${where} knows this storage${company}`,
        fix: null,
      });
      const { broken, notes } = judgeDurability(
        await readDurability(session),
        options.database.hosts.length,
      );
      // No hindrance for a worker: the sooner it has everything, the better.
      for (const sentence of broken) printLine(`WARN  database: ${sentence}`);
      for (const sentence of notes) printLine(`note  database: ${sentence}`);
      return EXIT.OK;
    } finally {
      session.end(new Error("the check is done with it"));
    }
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === EXIT.UNEXPECTED || !(error instanceof Error)) throw error;
    print({ name: "inbox", ok: false, detail: error.message, fix: null });
    return code;
  }
}
