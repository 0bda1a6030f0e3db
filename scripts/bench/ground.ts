import { run } from "./command.ts";
import { Interruption } from "./interruption.ts";

/**
 * Where a whole benchmark writes. Nothing is removed before its end: for a minute after a file was
 * deleted, ext4 passes over its inode in search of one that was not (`recently_deleted`), which took a
 * quarter of all processor time in the round after 10,000 files had been removed.
 */
export class Ground implements AsyncDisposable {
  #runs = 0;

  private constructor(readonly directory: string, private readonly interruption: Interruption) {}

  /** @param parent the disk to be measured; the system's place for temporary files where none is named */
  static async make(parent?: string): Promise<Ground> {
    const where = parent === undefined ? {} : { dir: parent };
    const directory = Deno.realPathSync(
      Deno.makeTempDirSync({ ...where, prefix: "omoide-bench-" }),
    );
    const interruption = new Interruption(directory);
    await Deno.chmod(directory, 0o755);
    return new Ground(directory, interruption);
  }

  /** Gives `work` a new directory. Afterwards its large files are emptied, which frees no inode. */
  async inFreshDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
    const directory = `${this.directory}/${++this.#runs}`;
    await Deno.mkdir(directory);
    try {
      return await work(directory);
    } finally {
      await run("find", directory, ..."-type f -size +1M -exec truncate -s 0 {} +".split(" "));
      await run("sync");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
    this.interruption[Symbol.dispose]();
  }
}
