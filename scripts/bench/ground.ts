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

  /**
   * A database and two storages, in service as they are at home: what is carried has just come in. After
   * a checkpoint, which the default max_wal_size (1 GB) brings in the middle of a run, deleting a blob
   * writes each of its pages to the WAL once more: 796 MB for 786 MB of blobs, against 21 MB.
   */
  async withSystem<T>(work: (system: DemoSystem) => Promise<T>): Promise<T> {
    const settings = { max_wal_size: "16GB", checkpoint_timeout: "1h" };
    const system = await DemoSystem.start(await this.freshDirectory(), true, settings);
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
