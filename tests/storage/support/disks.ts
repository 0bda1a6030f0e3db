import { run } from "../../lab/command.ts";
import { Mount } from "../../lab/mount.ts";
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { openStorage, type OpenStorageOptions } from "../../../src/storage/open_storage.ts";
import type { StorageIdentity, WriteOnceStorage } from "../../../src/storage/storage.ts";
import { newIdentity, Scratch } from "./roots.ts";

export type FileSystem = "ext4" | "xfs" | "vfat";

/** Programs that a test with such a disk needs. */
export const DISK_TOOLS = ["losetup", "mount", "mkfs.ext4", "mkfs.xfs"];

/** A small disk of its own with a storage on it. */
export class TestDisk implements AsyncDisposable {
  readonly #scratch: Scratch;
  readonly #opened: WriteOnceStorage[] = [];
  identity: StorageIdentity = newIdentity();

  private constructor(scratch: Scratch, readonly mount: Mount) {
    this.#scratch = scratch;
  }

  /**
   * @param size bytes; 300 MiB is the least that XFS takes
   * @param format options of mkfs
   */
  static async make(system: FileSystem, size: number, ...format: string[]): Promise<TestDisk> {
    const scratch = new Scratch();
    try {
      const image = `${scratch.path}/image`;
      Deno.writeFileSync(image, new Uint8Array(0));
      Deno.truncateSync(image, size);
      const quiet = { ext4: ["-q", "-F", "-m", "0"], xfs: ["-q"], vfat: [] }[system];
      await run(`mkfs.${system}`, ...quiet, ...format, image);
      return new TestDisk(scratch, await Mount.at(image, `${scratch.path}/disk`));
    } catch (error) {
      scratch[Symbol.dispose]();
      throw error;
    }
  }

  get root(): string {
    return this.mount.path;
  }

  at(path: string): string {
    return `${this.root}/${path}`;
  }

  init(): void {
    initRoot(this.root, this.identity);
  }

  async open(options: OpenStorageOptions = {}): Promise<WriteOnceStorage> {
    const storage = await openStorage(this.root, { storage: "hot" }, {
      reserve: { bytes: 0 },
      ...options,
    });
    this.#opened.push(storage);
    return storage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const storage of this.#opened) storage.close();
    // A test that failed may have left files open.
    await this.mount.unmount().catch(() => run("umount", "--lazy", this.mount.path));
    this.#scratch[Symbol.dispose]();
  }
}

/** Mounts another directory over a path, as long as it is not disposed of. */
export async function cover(path: string, by: string): Promise<AsyncDisposable> {
  await run("mount", "--bind", by, path);
  return { [Symbol.asyncDispose]: () => run("umount", path).then(() => {}) };
}
