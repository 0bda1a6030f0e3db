/**
 * `deno task test [--fast] [deno test's options and paths …]`: all tests, or those named. Whatever they
 * start is gone afterwards, also after Ctrl-C.
 */
import { runTests } from "./lib/test_run/run_tests.ts";

const TESTS = new URL("../tests/", import.meta.url).pathname;
/**
 * What `--fast` leaves out: whatever boots, mounts, kills or compiles, changes users, follows recipes, starts
 * browsers, several servers or many workers.
 * With the newest PostgreSQL left out too (the oldest is the stricter one: before 18 deferred triggers run
 * as the role that commits), it takes about two minutes on two cores.
 */
const SLOW: readonly string[] = Object.entries({
  "": ["faults", "lab", "system", "deploy", "run", "bench", "gateway", "monitor", "scrub"],
  "admin/": [
    ...["recovery", "root_rights", "guarded_tree", "hidden_links", "hostile_text", "live_storages"],
    ...["cells", "fleet", "watch", "formats", "rebuild", "inbox", "verify", "compare"],
  ],
  "inbox/": ["copies", "generations_killed", "sessions", "admin/init", "admin/two_inboxes"],
  "storage/": ["disks"],
  "worker/": [
    ...["carry", "lanes", "refusals", "tls", "unannounced", "service", "signals", "failover"],
  ],
}).flatMap(([room, names]) => names.map((name) => room === "" ? name : `${room}${name}_test.ts`));
/**
 * Test files at a time. Tests often wait: for a disk, a process, a time limit of PostgreSQL's. With one a core,
 * as Deno has it, two cores stood idle for a third of the time; with three on two cores the whole took 11 min
 * 0 s, with four 10 min 14 s, in which they were idle for 3 %; six were no faster.
 */
const JOBS = Deno.env.get("DENO_JOBS") ?? `${navigator.hardwareConcurrency * 2}`;
/** The whole takes just under ten where nothing else runs, and several times as long on a busy machine. */
const MINUTES = Deno.env.get("CI") === "true" ? 60 : 90;

const args = Deno.args.filter((arg) => arg !== "--fast");
const fast = args.length < Deno.args.length;
const paths = args.some((arg) => arg.startsWith("tests") || arg.startsWith(TESTS)) ? [] : [TESTS];
if (fast) Deno.env.set("OMOIDE_FAST", "true");
Deno.env.set("DENO_JOBS", JOBS);
const ignored = fast ? [`--ignore=${SLOW.map((name) => TESTS + name)}`] : [];
Deno.exit(
  await runTests({
    args: ["-A", "--no-check", "--parallel", ...ignored, ...paths, ...args],
    minutes: MINUTES,
  }),
);
