import { DemoSystem } from "../demo/system.ts";

/**
 * Where a whole benchmark writes. Nothing is removed before its end: for a minute after a file was
 * deleted, ext4 passes over its inode in search of one that was not (`recently_deleted`), which took a
 * quarter of all processor time in the round after 10,000 files had been removed.
 */
export class Ground implements AsyncDisposable {
  #runs = 0;

  private constructor(readonly directory: string) {}

  /** @param parent the disk to be measured; the system's place for temporary files where none is named */
  static async make(parent?: string): Promise<Ground> {
    const where = parent === undefined ? {} : { dir: parent };
    const directory = await Deno.makeTempDir({ ...where, prefix: "omoide-bench-" });
    await Deno.chmod(directory, 0o755);
    return new Ground(await Deno.realPath(directory));
  }

  async freshDirectory(): Promise<string> {
    const directory = `${this.directory}/${++this.#runs}`;
    await Deno.mkdir(directory);
    return directory;
  }

  /** A database as it is installed, and two storages, in service: what is carried has just come in. */
  async withSystem<T>(work: (system: DemoSystem) => Promise<T>): Promise<T> {
    const system = await DemoSystem.start(await this.freshDirectory(), true);
    try {
      return await work(system);
    } finally {
      await system.stop();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}
