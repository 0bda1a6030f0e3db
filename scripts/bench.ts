/**
 * `deno task bench`: what the workers do in a second, and what all of it costs, beside floors and peers that
 * do the same in the same rounds. Prints tables, or JSON; asserts nothing, since machines differ.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { Ground } from "./bench/ground.ts";
import { describeMachine, load } from "./bench/machine.ts";
import { reportOf, type ScenarioReport, tableOf } from "./bench/report.ts";
import { runRounds } from "./bench/rounds.ts";
import type { Scenario } from "./bench/scenario.ts";
import { SCENARIOS } from "./bench/scenarios.ts";
import { SERVER_KINDS, type ServerKind } from "./bench/server.ts";
import { Stage } from "./bench/stage.ts";

interface Options {
  readonly rounds: number;
  readonly only?: readonly Scenario[];
  readonly beside?: readonly string[];
  readonly server: ServerKind;
  readonly dir?: string;
  readonly quick: boolean;
  readonly json: boolean;
}

const program = new Command("bench")
  .description("What the workers do in a second, and what all of it costs.")
  .option("--only <names>", "these scenarios, with commas between them", scenarios)
  .option(
    "--beside <names...>",
    "the first of each scenario, and these of the others",
  )
  .option("--rounds <n>", "how often each is measured", count, 3)
  .addOption(
    new Option("--server <kind>", "which PostgreSQL, as it is installed")
      .choices(SERVER_KINDS).default("embedded"),
  )
  .option("--dir <dir>", "where to write: the disk that is measured")
  .option("--quick", "tiny loads, to see that it works; the figures mean nothing", false)
  .option("--json", "every figure of every round, instead of tables", false)
  .addHelpText(
    "after",
    `\nScenarios (* only if named):\n${
      SCENARIOS.map(({ name, title, long }) => `  ${long ? "*" : " "} ${name.padEnd(16)} ${title}`)
        .join("\n")
    }`,
  );

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError("It takes a whole number from 1.");
}

function scenarios(text: string): Scenario[] {
  return text.split(",").map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`There is no scenario ${JSON.stringify(name)}; see --help.`);
  });
}

/** A scenario with fewer contenders, and the targets that can still be judged. */
function narrowed(scenario: Scenario, beside: readonly string[] | undefined): Scenario {
  if (beside === undefined) return scenario;
  const contenders = Object.fromEntries(
    Object.entries(scenario.contenders).filter(([name], at) => at === 0 || beside.includes(name)),
  );
  const targets = (scenario.targets ?? []).filter(({ of, to }) =>
    [of, to].every((name) => name === undefined || name in contenders)
  );
  return { ...scenario, contenders, targets };
}

async function measure(options: Options): Promise<void> {
  const say = options.json ? console.error : console.log;
  await using ground = await Ground.make(options.dir);
  const stage = new Stage(ground, options.server, options.quick);
  const [began, loadBefore] = [new Date().toISOString(), load()];
  const machine = await describeMachine(stage);
  const reports: ScenarioReport[] = [];
  const wanted = options.only ?? SCENARIOS.filter(({ long }) => !long);
  for (const scenario of wanted.map((each) => narrowed(each, options.beside))) {
    const report = reportOf(await runRounds(scenario, stage, options.rounds, say));
    reports.push(report);
    if (!options.json) console.log(`\n${tableOf(report).join("\n")}\n`);
  }
  const run = {
    began,
    ended: new Date().toISOString(),
    arguments: Deno.args,
    quick: options.quick,
    server: options.server,
    machine,
    load_before: loadBefore,
    load_after: load(),
  };
  console.log(JSON.stringify(options.json ? { ...run, scenarios: reports } : run, null, 2));
}

await measure(program.parse(Deno.args, { from: "user" }).opts<Options>());
