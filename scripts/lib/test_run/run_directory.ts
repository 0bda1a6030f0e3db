import { join } from "node:path";
import { sleep } from "../../../src/sleep.ts";
import { answer } from "./answer.ts";
import { machineCgroups, removeCgroup } from "./cgroups.ts";

const PREFIX = "omoide-tests-";
const LOCK = "lock";
const IMAGE = "image";
/** How long the kernel may take to let go of what an ended run has used. */
const RELEASE_MS = 20_000;

/**
 * The temporary directory of one test run: everything that its tests write is below it. Held by a lock
 * that the kernel drops with this process, so the next run removes what a killed one has left.
 */
export class RunDirectory implements AsyncDisposable {
  private constructor(readonly path: string, private readonly lock: Deno.FsFile) {}

  /** @param parent where temporary directories go */
  static async make(parent: string): Promise<RunDirectory> {
    const path = await Deno.realPath(await Deno.makeTempDir({ dir: parent, prefix: PREFIX }));
    const lock = await Deno.open(join(path, LOCK), { write: true, createNew: true });
    await lock.lock(true);
    // PostgreSQL and NGINX run as users of their own.
    await Deno.chmod(path, 0o755);
    return new RunDirectory(path, lock);
  }

  /** Removes the directories of runs that were ended by force. */
  static async clearAbandoned(parent: string): Promise<void> {
    for (const { name, isDirectory } of await Array.fromAsync(Deno.readDir(parent))) {
      if (!isDirectory || !name.startsWith(PREFIX)) continue;
      const path = join(parent, name);
      const lock = await lockIfFree(join(path, LOCK));
      if (lock !== undefined) await new RunDirectory(path, lock)[Symbol.asyncDispose]();
    }
  }

  /** Where an image for a disk of the run's own may be made. */
  get image(): string {
    return join(this.path, IMAGE);
  }

  /** What the tests have left in it, by name. */
  async left(): Promise<string[]> {
    const entries = await Array.fromAsync(Deno.readDir(this.path));
    return entries.map(({ name }) => name).filter((name) => ![LOCK, IMAGE].includes(name)).sort();
  }

  /** Call it when the run's processes have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (Deno.build.os === "linux") await this.#release();
    await Deno.remove(this.path, { recursive: true });
    this.lock.close();
  }

  /** Whatever keeps the kernel from removing it. */
  async #release(): Promise<void> {
    // Only where mounts could not have a namespace of their own.
    for (const path of (await mountsBelow(this.path)).reverse()) {
      await answer("umount", "-l", path);
    }
    await within(RELEASE_MS, `a loop device uses a file in ${this.path}`, async () => {
      return (await loopDevicesBelow(this.path)).length === 0;
    });
    for (const machine of await machineCgroups(this.path)) {
      await within(RELEASE_MS, `processes are left in ${machine}`, () => removeCgroup(machine));
    }
    // Append-only directories keep their entries from root too.
    if (Deno.uid() === 0) await answer("chattr", "-R", "-f", "-a", "-i", this.path);
  }
}

/** @returns undefined where another process holds it, or has removed it meanwhile */
async function lockIfFree(path: string): Promise<Deno.FsFile | undefined> {
  try {
    const file = await Deno.open(path, { write: true });
    if (await file.tryLock(true)) return file;
    file.close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await Deno.readTextFile("/proc/self/mounts")).split("\n");
  return lines.map((line) => line.split(" ")[1] ?? "").filter((path) =>
    path.startsWith(`${directory}/`)
  );
}

/** The loop devices whose file is below a directory, deleted or not. */
export async function loopDevicesBelow(directory: string): Promise<string[]> {
  const found = [];
  for (const { name } of await Array.fromAsync(Deno.readDir("/sys/block")).catch(() => [])) {
    const file = await Deno.readTextFile(`/sys/block/${name}/loop/backing_file`).catch(() => "");
    if (file.startsWith(`${directory}/`)) found.push(name);
  }
  return found;
}

/** Asks again until it is so. The kernel gives no event of either. @throws what is, if it stays so */
async function within(ms: number, otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`After ${ms / 1000} s ${otherwise}`);
    await sleep(20);
  }
}
