/**
 * Runs tests so that nothing outlives them, however the run ends: no process, mount, loop device or
 * directory.
 */
import { INTERRUPTIONS } from "../interruptions.ts";
import { chooseContainer, type Container } from "./container.ts";
import { makeJournaledDisk } from "./journaled_disk.ts";
import { memoryForDatabases } from "./memory_for_databases.ts";
import { RunDirectory } from "./run_directory.ts";

const TIMED_OUT = 124;

export interface TestRun {
  /** The arguments of `deno test`. */
  readonly args: readonly string[];
  /** A run that takes longer hangs, and is ended. Without it there is no bound. */
  readonly minutes?: number;
}

/** @returns the exit code: that of `deno test`, or 124 after the bound, or 128 and a signal's number */
export async function runTests({ args, minutes }: TestRun): Promise<number> {
  using ending = new Ending(minutes);
  const parent = Deno.env.get("TMPDIR") ?? "/tmp";
  await RunDirectory.clearAbandoned(parent);
  await using directory = await RunDirectory.make(parent);
  const container = await chooseContainer();
  const hasDisk = container.hasMounts &&
    await makeJournaledDisk(directory.image, directory.path);
  const command = [...container.prefix, Deno.execPath(), "test", ...args];
  if (ending.code !== undefined) return ending.code;
  const env = {
    TMPDIR: directory.path,
    OMOIDE_KEPT: Deno.env.get("OMOIDE_KEPT") ?? parent,
    OMOIDE_TESTS_IMAGE: hasDisk ? directory.image : "",
    OMOIDE_TESTS_MEMORY: container.hasMounts ? memoryForDatabases(directory.path) : "",
  };
  return await run(command, container, directory, env, ending);
}

async function run(
  [program = "", ...args]: readonly string[],
  container: Container,
  directory: RunDirectory,
  env: Record<string, string>,
  ending: Ending,
): Promise<number> {
  const process = new Deno.Command(program, {
    args,
    stdin: "null",
    // Ctrl-C comes to this process alone, instead of to each test's servers in some order.
    detached: true,
    env,
  }).spawn();
  const ended = process.status.then(() => undefined);
  const code = await Promise.race([ended, ending.asked]);
  if (code !== undefined) {
    if (code === TIMED_OUT) console.error(`Running still: ${commandsIn(directory.path)}`);
    container.end(process.pid);
    await ended;
    return code;
  }
  const left = await directory.left();
  if (left.length > 0) console.error(`The tests left behind: ${left.join(", ")}`);
  return (await process.status).code;
}

/** Resolves with the exit code when the run shall end before the tests do. */
class Ending implements Disposable {
  code: number | undefined;
  readonly #asked = Promise.withResolvers<number>();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Map<Deno.Signal, () => void>();

  constructor(minutes: number | undefined) {
    for (const [signal, code] of Object.entries(INTERRUPTIONS)) {
      this.#listen(signal as Deno.Signal, () => this.#ask(code, `${signal}: cleaning up`));
    }
    if (minutes === undefined) return;
    const late = `The tests did not end within ${minutes} minutes: one of them hangs`;
    this.#timer = setTimeout(() => this.#ask(TIMED_OUT, late), minutes * 60_000);
  }

  get asked(): Promise<number> {
    return this.#asked.promise;
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#listeners.set(signal, listener);
  }

  #ask(code: number, why: string): void {
    if (this.code !== undefined) return;
    this.code = code;
    console.error(why);
    this.#asked.resolve(code);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }
}

/** The commands of the processes whose temporary directory this is. Linux only; elsewhere none. */
export function commandsIn(directory: string): string[] {
  const read = (path: string) => {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      return "";
    }
  };
  if (Deno.build.os !== "linux") return [];
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    const { environ, cmdline } = {
      environ: read(`/proc/${name}/environ`),
      cmdline: read(`/proc/${name}/cmdline`),
    };
    const isIn = `\0${environ}`.includes(`\0TMPDIR=${directory}\0`) ||
      cmdline.includes(`${directory}/`);
    return isIn ? [cmdline.replaceAll("\0", " ").trim()] : [];
  });
}
