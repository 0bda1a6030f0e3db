/**
 * `deno task test [--fast] [deno test's options and paths …]`: all tests, or those named. Whatever they
 * start is gone afterwards, also after Ctrl-C.
 */
import { runTests } from "./lib/test_run/run_tests.ts";

const TESTS = new URL("../tests/", import.meta.url).pathname;
/** What `--fast` leaves out: whatever boots, mounts, kills or compiles, and the administrator's recipes. */
const SLOW = ["faults", "system", "deploy", "lab", "admin/recovery_test.ts"];
/** The whole takes under ten; CI gives up at 25. */
const MINUTES = 20;

const args = Deno.args.filter((arg) => arg !== "--fast");
const fast = args.length < Deno.args.length;
const paths = args.some((arg) => arg.startsWith("tests") || arg.startsWith(TESTS)) ? [] : [TESTS];
const ignored = fast ? [`--ignore=${SLOW.map((name) => TESTS + name)}`] : [];
Deno.exit(
  await runTests({
    args: ["-A", "--no-check", "--parallel", ...ignored, ...paths, ...args],
    minutes: MINUTES,
  }),
);
