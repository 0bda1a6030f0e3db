import { EXIT, type ExitCode, exitCodeOf } from "../exit_codes.ts";
import { showAddress } from "../inbox/database_url.ts";
import { InboxSession } from "../inbox/session.ts";
import { checkStorage } from "../inbox/worker_calls.ts";
import { checkRoot, type Finding } from "../storage/check_root.ts";
import { readIdentity } from "../storage/identity.ts";
import { readCredentials } from "./credentials.ts";
import type { WorkerOptions } from "./options.ts";

/**
 * `--check`: proves everything that a worker needs and stores nothing. Prints a line for each thing, and
 * for what is wrong how to mend it. That the sandbox is right has been proven by getting here.
 */
export async function runCheck(options: WorkerOptions): Promise<ExitCode> {
  console.log("ok    sandbox: the permissions are exactly those that a worker needs");
  const findings = await checkRoot(options.root, { storage: options.storage }, options);
  for (const finding of findings) tell(finding);
  const database = await checkDatabase(options);
  const code = findings.every(({ ok }) => ok) ? database : EXIT.CONFIGURATION;
  console.log(
    code === EXIT.OK
      ? `The worker of ${options.storage} will run.`
      : `The worker of ${options.storage} will not run: mend what is marked FAIL, then check again.`,
  );
  return code;
}

function tell({ name, ok, detail, mend }: Finding): void {
  console.log(
    `${ok ? "ok   " : "FAIL "} ${name}: ${detail}${ok || mend === null ? "" : `; ${mend}`}`,
  );
}

async function checkDatabase(options: WorkerOptions): Promise<ExitCode> {
  const where = showAddress(options.database);
  try {
    const session = await InboxSession.open(options.database, readCredentials(options));
    try {
      const identity = readIdentity(options.root);
      const { inbox, held } = await checkStorage(session, options.storage, identity.uuid);
      if (inbox !== identity.inbox) {
        tell({
          name: "inbox",
          ok: false,
          detail: `${where} is the inbox ${inbox}, the root belongs to ${identity.inbox}`,
          mend: "see --database and --root",
        });
        return EXIT.CONFIGURATION;
      }
      const company = held ? "; a worker holds it now, another would stand by" : "";
      tell({
        name: "inbox",
        ok: true,
        detail: `${where} knows this storage${company}`,
        mend: null,
      });
      return EXIT.OK;
    } finally {
      session.end(new Error("the check is done with it"));
    }
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === EXIT.UNEXPECTED || !(error instanceof Error)) throw error;
    tell({ name: "inbox", ok: false, detail: error.message, mend: null });
    return code;
  }
}
