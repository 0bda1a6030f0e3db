/** A run of tests that is interrupted leaves no process, mount, loop device, cgroup or directory. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { cgroup2Root, machineCgroups } from "../../scripts/lib/test_run/cgroups.ts";
import { loopDevicesBelow } from "../../scripts/lib/test_run/run_directory.ts";
import { pause, until } from "../lab/command.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY } from "../lab/recorded_disk.ts";
import { requireTools } from "../support/require_tool.ts";
import { NEEDS_MACHINE } from "../system/support/machine.ts";

const SCRIPT = new URL("../../scripts/test.ts", import.meta.url).pathname;
const EVERYTHING = new URL("support/everything.ts", import.meta.url).pathname;
const NEEDS = requireTools(["mkfs.xfs", "mkfs.ext4", FUSEPY, "strace", "setsid"], { root: true });
const needs = { ignore: NEEDS.ignore || NEEDS_MACHINE.ignore };
/** About what everything takes to start on an idle machine. */
const STARTING_MS = 6_000;

const EXPECTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGKILL: 137 } as const;
type Interruption = keyof typeof EXPECTED;

for (const [signal, disk] of [["SIGINT", "where needed"], ["SIGKILL", "always"]] as const) {
  Deno.test({
    ...needs,
    name: `${signal} while everything runs leaves nothing (a disk of its own: ${disk})`,
  }, async () => {
    await using run = await Run.start({ OMOIDE_TESTS_DISK: disk });
    await run.runsEverything();
    assert.ok(run.processes().length > 20, `${run.processes()}`);
    // Images on a disk of the run's own have paths that nobody outside knows.
    assert.ok((await run.loopDevices()).length >= (disk === "always" ? 1 : 2));
    const cgroups = await run.cgroups();
    assert.ok(cgroups.length === 1 && cgroups.every(exists), `${cgroups}`);
    await run.interrupt(signal);
    await run.requireNothingLeft();
    assert.deepEqual(cgroups.filter(exists), []);
  });
}

Deno.test(
  { ...needs, name: "an interruption at any moment of the start leaves nothing" },
  async () => {
    const random = new Random(options.seed);
    for (let round = 0; round < times(2, 60); round++) {
      await using run = await Run.start();
      // The moment is the fault.
      await pause(random.between(0, STARTING_MS));
      await run.interrupt(random.pick(["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"]));
      await run.requireNothingLeft();
    }
  },
);

/** A run of `everything.ts` as `deno task test` makes it. */
class Run implements AsyncDisposable {
  private constructor(
    /** Where the run makes its directory, and nothing else does. */
    private readonly parent: string,
    private readonly runs: string,
    private readonly process: Deno.ChildProcess,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<Run> {
    const parent = await Deno.makeTempDir({ prefix: "omoide-interrupted-" });
    await Deno.chmod(parent, 0o755);
    const runs = `${parent}.runs`;
    return new Run(parent, runs, startTests(parent, { ...env, EVERYTHING_RUNS: runs }, EVERYTHING));
  }

  async runsEverything(): Promise<void> {
    const isThere = () => Deno.stat(this.runs).then(() => true, () => false);
    const ended = this.process.status.then(({ code }) => {
      throw new Error(`The run ended with ${code} before everything ran`);
    });
    await Promise.race([ended, until("everything runs", isThere, 120_000)]);
  }

  /** SIGINT as Ctrl-C sends it: to the whole process group. The others to the run's process alone. */
  async interrupt(signal: Interruption): Promise<void> {
    const { pid } = this.process;
    Deno.kill(signal === "SIGINT" ? -pid : pid, signal);
    const { code } = await this.process.status;
    assert.equal(code, EXPECTED[signal]);
  }

  /** What belongs to the run: its temporary directory is in their environment, arguments or mounts. */
  processes(): string[] {
    return [...Deno.readDirSync("/proc")].map(({ name }) => name).filter((name) =>
      /^\d+$/.test(name) &&
      ["environ", "cmdline", "mountinfo"].some((file) =>
        read(`/proc/${name}/${file}`).includes(`${this.parent}/`)
      )
    ).map((name) => `${name} ${read(`/proc/${name}/cmdline`).replaceAll("\0", " ")}`);
  }

  async loopDevices(): Promise<string[]> {
    return await loopDevicesBelow(this.parent);
  }

  /** Those of the machines that its tests have booted. */
  async cgroups(): Promise<string[]> {
    const [directory = ""] = await this.#entries();
    const root = await cgroup2Root();
    if (root === undefined) return [];
    return (await machineCgroups(directory)).map((name) => join(root, name));
  }

  async requireNothingLeft(): Promise<void> {
    // After SIGKILL nobody waits for the kernel, and only the next run can remove the directory.
    await until("its processes have ended", () => this.processes().length === 0, 20_000);
    await until(
      "its loop devices are free",
      async () => (await this.loopDevices()).length === 0,
      20_000,
    );
    if ((await this.#entries()).length > 0) {
      const { code } = await startTests(this.parent, {}, EVERYTHING, "--filter=none at all").status;
      assert.equal(code, 0);
    }
    assert.deepEqual(await this.#entries(), []);
  }

  async #entries(directory = this.parent): Promise<string[]> {
    return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(this.process.pid, "SIGTERM");
    } catch {
      // It has ended, as it should.
    }
    await this.process.status;
    await Deno.remove(this.parent, { recursive: true });
    await Deno.remove(this.runs).catch(() => {});
  }
}

/** `deno task test` in a process group of its own, with this directory for temporary files. */
function startTests(
  parent: string,
  env: Record<string, string>,
  ...args: string[]
): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SCRIPT, ...args],
    env: { TMPDIR: parent, OMOIDE_KEPT: Deno.env.get("OMOIDE_KEPT") ?? "/tmp", ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
}

/** @returns nothing where the process has ended meanwhile */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
