/** A real scrub of one of a world's storages, in its sandbox, as its own role. */
import { denoArguments } from "../../../scripts/lib/program_command.ts";
import { scrubProgram } from "../../../scripts/lib/programs.ts";
import { ProgramProcess, type RunOptions } from "../../lab/program_process.ts";
import type { World } from "../../lab/world.ts";

export interface ScrubPlan extends RunOptions {
  /** `hot` unless given. */
  readonly storage?: string;
  /** Further options, such as `--once`. */
  readonly args?: readonly string[];
  /** Of a proxy before the database. */
  readonly port?: number;
}

export async function startScrub(world: World, plan: ScrubPlan = {}): Promise<ProgramProcess> {
  const { storage = "hot", args = [], port = world.server.port } = plan;
  await world.query(`ALTER ROLE omoide_${storage}_scrub PASSWORD 'secret'`);
  const program = scrubProgram([
    ...["--storage", storage, "--root", world.root(storage)],
    ...["--database", `postgres://127.0.0.1:${port}/${world.database}`],
    ...["--password-file", world.plan(storage).passwordFile],
    ...args,
  ]);
  return new ProgramProcess(denoArguments(program), plan);
}

/** One look at every name and every byte, at full speed. */
export async function scrubOnce(world: World, plan: ScrubPlan = {}) {
  await using scrub = await startScrub(world, { ...plan, args: ["--once", ...plan.args ?? []] });
  const { code } = await scrub.ended;
  return { code, output: scrub.output };
}

/** The open findings of a storage, as `kind: path`, sorted. */
export async function openFindings(world: World, storage = "hot"): Promise<string[]> {
  const rows = await world.query<{ kind: string; path: string }>(
    "SELECT kind, path FROM omoide.finding WHERE storage = $1 AND closed_at IS NULL",
    [storage],
  );
  return rows.map(({ kind, path }) => `${kind}: ${path}`).sort();
}
