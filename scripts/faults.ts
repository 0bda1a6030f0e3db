/**
 * `deno task faults [--long] [--seed N] [--minutes N] [WORD …]`: the fault tests of tests/faults, all or
 * those whose file's name holds one of the words given. As root, with the tools named in tests/faults/README.md; what
 * cannot be tried here is left out and said so.
 */
import { parseArgs } from "node:util";

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
  --seed N     the seed of every chance; the one of a failure makes it fail again
  --minutes N  how long the soak of --long goes on (60)
  WORD         only the files whose names hold it: killed, power_cut, system_calls, storage, database,
               content, company, generated, soak, lab`);
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
const directory = new URL("../tests/faults/", import.meta.url).pathname;
const files = [...Deno.readDirSync(directory)]
  .map(({ name }) => name)
  .filter((name) => name.endsWith("_test.ts"))
  .filter((name) => positionals.length === 0 || positionals.some((word) => name.includes(word)))
  .sort();
if (files.length === 0) {
  console.error(
    `No file of ${directory} has ${positionals.join(" or ")} in its name; --help lists the words`,
  );
  Deno.exit(2);
}

console.log(`${values.long ? "long" : "short"} version, --seed ${seed}`);
const { code } = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["test", "-A", ...files.map((name) => directory + name)],
    ...["--", "--seed", seed, "--minutes", values.minutes, ...(values.long ? ["--long"] : [])],
  ],
}).spawn().status;
if (code !== 0) {
  console.log(`Try it again with: deno task faults${values.long ? " --long" : ""} --seed ${seed}`);
}
Deno.exit(code);
