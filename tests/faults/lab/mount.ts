import { run } from "./command.ts";

/** A mounted image. Disposing unmounts it, and removes the mount point. */
export class Mount implements AsyncDisposable {
  #mounted = true;

  private constructor(readonly path: string) {}

  /**
   * @param path made where it does not exist
   * @param options of mount, beside `loop`
   */
  static async at(image: string, path: string, options: readonly string[] = []): Promise<Mount> {
    await Deno.mkdir(path, { recursive: true });
    // Clones of one XFS image all bear its UUID.
    const isXfs = (await run("blkid", "-o", "value", "-s", "TYPE", image)).trim() === "xfs";
    const all = ["loop", ...(isXfs ? ["nouuid"] : []), ...options];
    await run("mount", "-o", all.join(","), image, path);
    return new Mount(path);
  }

  async remount(...options: string[]): Promise<void> {
    await run("mount", "-o", ["remount", ...options].join(","), this.path);
  }

  /** @param lazy takes it out of the tree at once though files are open, as a vanished disk would */
  async unmount({ lazy = false } = {}): Promise<void> {
    if (!this.#mounted) return;
    this.#mounted = false;
    await run("umount", ...(lazy ? ["--lazy"] : []), this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
  }
}
