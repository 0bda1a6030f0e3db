/** A real Patroni cluster fails over while uploads and two workers run. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { options, times } from "../lab/options.ts";
import { debianBinaries } from "../support/postgres.ts";
import { requireTools } from "../support/require_tool.ts";

const SCENARIOS = new URL("../lab/patroni/scenarios.ts", import.meta.url).pathname;
const POSTGRES = debianBinaries() ?? "Debian's PostgreSQL";
const TOOLS = ["patroni", "etcd", "ip", "unshare", "nsenter", "setpriv", "pkill", POSTGRES];

/** Runs the scenarios in a network namespace of their own, which ends with them. */
async function inCluster(...args: string[]): Promise<void> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-cluster-" }));
  await Deno.chmod(directory, 0o755);
  try {
    const child = new Deno.Command("setpriv", {
      args: [
        ...["--pdeathsig", "KILL", "unshare", "--net", Deno.execPath(), "run", "-A", "--no-check"],
        ...[SCENARIOS, directory, dirname(POSTGRES), ...args],
      ],
      stdin: "null",
    }).spawn();
    const { code } = await child.status;
    assert.equal(code, 0, "what went wrong is above");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  ...requireTools(TOOLS, { root: true }),
  name: "a cluster with synchronous replication: nothing acknowledged is lost, and receipts go on",
  fn: async () => {
    await inCluster(
      ...["switchover", "node killed", "network cut"],
      ...times<string[]>([], [
        "postmaster killed",
        "standbys behind, node killed",
        "switchover",
        "network cut",
      ]),
    );
  },
});

Deno.test({
  name:
    "asynchronous replication loses what the standbys did not have, and rebuilding brings it back",
  // A minute and a half more, for what is a warning.
  ignore: requireTools(TOOLS, { root: true }).ignore || !options.long,
  fn: () => inCluster("--asynchronous", "standbys behind, node killed"),
});

Deno.test({
  name: "several workers that share a storage's lanes follow the cluster, and share them again",
  // Two minutes and a half more; that workers share lanes again after a cut, lanes_test.ts says in seconds.
  ignore: requireTools(TOOLS, { root: true }).ignore || !options.long,
  fn: () => inCluster("--lanes", "switchover", "node killed", "network cut", "postmaster killed"),
});
