import { run, until } from "./command.ts";
import { unmountAtLast } from "./mount.ts";
import { Tool } from "./tool.ts";

/** What a file system does not show as others do; see foreign_mount.py. */
export type Manner = "large-inodes" | "no-links";

const MOUNT = new URL("./foreign_mount.py", import.meta.url).pathname;

/** A directory as a file system shows it that hides which names are one file. */
export class ForeignMount implements AsyncDisposable {
  private constructor(readonly path: string, private readonly tool: Tool) {}

  /** @param path an empty directory, to be mounted on */
  static async over(directory: string, path: string, manner: Manner): Promise<ForeignMount> {
    const tool = new Tool("The foreign file system", "/usr/bin/python3", {
      args: [MOUNT, path, directory, manner],
      stdout: "inherit",
    });
    await until(
      "it is mounted",
      () => run("mountpoint", "-q", path).then(() => true, () => false),
    );
    return new ForeignMount(path, tool);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.tool.end();
    await unmountAtLast(this.path);
    await ended;
  }
}
