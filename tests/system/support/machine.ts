import { basename, join } from "node:path";
import { machinePrefix, removeCgroup } from "../../../scripts/lib/test_run/cgroups.ts";
import { until } from "../../lab/command.ts";
import { requireTools } from "../../support/require_tool.ts";

const BOOT_SCRIPT = new URL("boot.sh", import.meta.url).pathname;

/** For `Deno.test({ ...NEEDS_MACHINE, name, fn })`. */
export const NEEDS_MACHINE = needsMachine();

function needsMachine(): { ignore: boolean } {
  const tools = ["systemctl", "unshare", "nsenter", "setpriv", "mount", "pivot_root"];
  const { ignore } = requireTools(tools, { root: true });
  // Root in a container may lack the right to.
  if (ignore || new Deno.Command("unshare", { args: ["--mount", "true"] }).outputSync().success) {
    return { ignore };
  }
  if (Deno.env.get("CI") === "true") throw new Error("CI may not make namespaces");
  console.error("left out: not allowed to make namespaces");
  return { ignore: true };
}

/** What a program in the machine said, and how it ended. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of the journal, with the fields that tests look at. */
export interface JournalEntry {
  readonly MESSAGE: string;
  readonly _PID?: string;
  readonly _SYSTEMD_UNIT?: string;
  readonly SYSLOG_IDENTIFIER?: string;
}

/**
 * A systemd of the test's own, booted in about 0.7 s over a copy-on-write view of this machine's root.
 * Units and packages of the machine are there, its running services are not. Disposing ends everything
 * that runs in it.
 */
export class Machine implements AsyncDisposable {
  private constructor(
    /** A directory that is the same inside and outside; world-readable, removed at the end. */
    readonly shared: string,
    private readonly process: Deno.ChildProcess,
    private readonly log: string,
  ) {}

  static async boot(): Promise<Machine> {
    const directory = Deno.env.get("TMPDIR") ?? "/tmp";
    const shared = await Deno.makeTempDir({ dir: directory, prefix: machinePrefix(directory) });
    await Deno.chmod(shared, 0o755);
    const log = join(shared, "boot.log");
    using booted = Deno.watchFs(shared);
    // The kernel ends the machine with this process, however it ends.
    const process = new Deno.Command("setpriv", {
      args: [
        "--pdeathsig=KILL",
        "sh",
        "-c",
        'exec unshare --mount --propagation=slave sh "$0" "$1" >"$1/boot.log" 2>&1',
        BOOT_SCRIPT,
        shared,
      ],
      stdin: "null",
    }).spawn();
    const machine = new Machine(shared, process, log);
    let watching = true;
    const ended = process.status.then(() => watching && booted.close());
    try {
      for await (const event of booted) {
        if (!event.paths.includes(join(shared, "booted"))) continue;
        watching = false;
        return machine;
      }
      await ended;
      throw new Error(`The machine does not boot: ${await Deno.readTextFile(log)}`);
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a program inside, as root. Its end is the caller's to judge. */
  async try(program: string, ...args: string[]): Promise<Answer> {
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: [`--target=${await this.init()}`, "--all", "--wd", program, ...args],
      stdin: "null",
      clearEnv: true,
      env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NO_COLOR: "1" },
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Runs a program inside, as root. @returns what it printed @throws unless it exits 0 */
  async run(program: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(program, ...args);
    if (code === 0) return stdout;
    throw new Error(`${program} ${args.join(" ")} exits ${code}: ${stdout}${stderr}`);
  }

  /** Has systemd do something to a unit, and waits for it. @throws with the unit's journal */
  async unit(verb: "start" | "stop", unit: string): Promise<void> {
    const { code } = await this.try("systemctl", verb, unit);
    if (code === 0) return;
    const lines = (await this.journal(unit)).map(({ MESSAGE }) => MESSAGE);
    throw new Error([`Cannot ${verb} ${unit}:`, ...lines].join("\n"));
  }

  /** Writes a file inside, and the directories above it. */
  async write(path: string, text: string, mode = 0o644): Promise<void> {
    const staged = await Deno.makeTempFile({ dir: this.shared });
    await Deno.writeTextFile(staged, text);
    await this.install(staged, path, mode);
    await Deno.remove(staged);
  }

  /** Copies a file of the test's into the machine. */
  async install(from: string, path: string, mode = 0o755): Promise<void> {
    const staged = from.startsWith(this.shared) ? from : join(this.shared, basename(from));
    if (staged !== from) await Deno.copyFile(from, staged);
    await this.run("install", "-D", "-m", mode.toString(8), staged, path);
    if (staged !== from) await Deno.remove(staged);
  }

  /** One property of a unit, as `systemctl show` tells it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.run("systemctl", "show", "--value", `--property=${name}`, unit)).trim();
  }

  /** What a unit has logged up to now, oldest first. */
  async journal(unit: string): Promise<JournalEntry[]> {
    await this.run("journalctl", "--sync");
    const lines = await this.run("journalctl", "--unit", unit, "--output=json", "--quiet");
    return lines.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  }

  /** The first line of a unit's journal that fits; waits for it. */
  logged(unit: string, fits: (entry: JournalEntry) => boolean): Promise<JournalEntry> {
    return until(`${unit} logs it`, async () => (await this.journal(unit)).find(fits));
  }

  /** The process id, outside, of the machine's first process. */
  async init(): Promise<number> {
    const { pid } = this.process;
    const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
    const [child] = children.split(" ");
    if (!child) throw new Error(`The machine has ended: ${await Deno.readTextFile(this.log)}`);
    return Number(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      Deno.kill(await this.init(), "SIGKILL");
    } catch {
      this.#kill();
    }
    await this.process.status;
    const name = basename(this.shared);
    await until("the machine's cgroups are empty", () => removeCgroup(name), 10_000);
    await Deno.remove(this.shared, { recursive: true });
  }

  #kill(): void {
    try {
      this.process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}
