import { run, until } from "./command.ts";

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

  /**
   * Waits while the mount is busy: a file that JavaScript has closed is released by the kernel once
   * the thread that synced it has let go of it too, and until then `ro` is refused with EBUSY.
   */
  async remount(...options: string[]): Promise<void> {
    await until(
      `${this.path} is remounted ${options.join(",")}`,
      () =>
        run("mount", "-o", ["remount", ...options].join(","), this.path).then(
          () => true,
          (error) => {
            if (!String(error).includes("mount point is busy")) throw error;
            return false;
          },
        ),
      10_000,
    );
  }

  /** @param lazy takes it out of the tree at once though files are open, as a vanished disk would */
  async unmount({ lazy = false } = {}): Promise<void> {
    if (!this.#mounted) return;
    this.#mounted = false;
    await run("umount", ...(lazy ? ["--lazy"] : []), this.path);
  }

  /** Whatever still has a file open here (a worker that is ending) gets some time. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#mounted) return;
    this.#mounted = false;
    await unmountAtLast(this.path);
  }
}

/** Unmounts, where need be by force. Never throws: an error here would hide the one that led to it. */
export async function unmountAtLast(path: string): Promise<void> {
  try {
    await until(
      `${path} is unmounted`,
      () => run("umount", path).then(() => true, () => false),
      10_000,
    );
  } catch (error) {
    console.error(`${error}; it is unmounted by force`);
    await run("umount", "--lazy", path).catch((error) => console.error(error));
  }
}
