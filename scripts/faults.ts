/**
 * `deno task faults [--long] [--seed N] [--minutes N] [WORD …]`: the fault tests and those of their tools,
 * all or those whose file's name contains one of the words given. As root, with the packages that .ci/run
 * installs; what cannot be tried here is skipped and said so.
 */
import { parseArgs } from "node:util";
import { runTests } from "./lib/test_run/run_tests.ts";

const OPTIONS = {
  long: { type: "boolean", default: false },
  seed: { type: "string" },
  minutes: { type: "string", default: "60" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const { values, positionals } = parse();

if (values.help) {
  console.log(`deno task faults [--long] [--seed N] [--minutes N] [WORD …]
  --long       hours instead of minutes: hundreds of kills and power cuts, an hour's soak
  --seed N     the seed of all random choices; that of a failure repeats it
  --minutes N  how long the soak of --long goes on (60)
  WORD         only the files whose names contain it: killed, power_cut, system_calls, storage, remote,
               distributed, database, content, company, failover, generated, soak, lab`);
  Deno.exit(0);
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    console.error(`faults: ${(error as Error).message}; --help lists the options`);
    Deno.exit(2);
  }
}

const seed = values.seed ?? (values.long ? String(Date.now() % 1_000_000) : "1");
const tests = new URL("../tests/", import.meta.url).pathname;
const files = ["faults", "lab"]
  .flatMap((room) => [...Deno.readDirSync(tests + room)].map(({ name }) => `${room}/${name}`))
  .filter((file) => file.endsWith("_test.ts"))
  .filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(
    `No fault test has ${positionals.join(" or ")} in its name; --help lists the words`,
  );
  Deno.exit(2);
}

console.log(`${values.long ? "long" : "short"} version, --seed ${seed}`);
const code = await runTests({
  args: [
    ...["-A", "--no-check", ...files.map((file) => tests + file)],
    ...["--", "--seed", seed, "--minutes", values.minutes, ...(values.long ? ["--long"] : [])],
  ],
});
if (code !== 0) {
  console.log(`Try it again with: deno task faults${values.long ? " --long" : ""} --seed ${seed}`);
}
Deno.exit(code);
