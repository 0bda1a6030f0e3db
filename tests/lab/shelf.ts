import { join } from "node:path";
import { run } from "./command.ts";
import { unmountAtLast } from "./mount.ts";

export type FileSystem = "ext4" | "xfs";

/**
 * A place for disk images on a file system that can clone: a sparse XFS image of its own, mounted in a
 * temporary directory. A clone of an image (`cp --reflink=always`, 3 ms) is of one moment, which a copy
 * by reading is not: that mixes blocks of different moments and fails fsck.
 */
export class Shelf implements AsyncDisposable {
  private constructor(readonly directory: string, readonly path: string) {}

  static async open(): Promise<Shelf> {
    const directory = await Deno.makeTempDir({ prefix: "omoide-faults-shelf-" });
    const image = join(directory, "shelf.img");
    const path = join(directory, "shelf");
    await Deno.mkdir(path);
    await run("truncate", "--size=8G", image);
    await run("mkfs.xfs", "-q", "-m", "reflink=1", image);
    await run("mount", "-o", "loop", image, path);
    return new Shelf(directory, path);
  }

  /** Makes an image of an empty file system. @param options for mkfs, such as how many inodes */
  async format(
    name: string,
    system: FileSystem,
    size: string,
    options: readonly string[] = [],
  ): Promise<string> {
    const image = join(this.path, name);
    await run("truncate", `--size=${size}`, image);
    // No lazy writing of tables behind the test's back, and nothing kept for root alone.
    const usual = system === "ext4"
      ? ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
      : ["-q", "-f"];
    await run(`mkfs.${system}`, ...usual, ...options, image);
    return image;
  }

  /** An image as it is at this moment, under another name. */
  async clone(image: string, name: string): Promise<string> {
    const copy = join(this.path, name);
    await run("cp", "--reflink=always", image, copy);
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unmountAtLast(this.path);
    await Deno.remove(this.directory, { recursive: true }).catch((error) => console.error(error));
  }
}
