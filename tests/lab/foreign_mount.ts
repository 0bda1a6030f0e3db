import { run, until } from "./command.ts";
import { unmountAtLast } from "./mount.ts";
import { Tool } from "./tool.ts";

/** What a file system does not show as others do; see foreign_mount.py. */
export type Manner = "large-inodes" | "no-links" | "remote" | "late" | "slow";

const MOUNT = new URL("./foreign_mount.py", import.meta.url).pathname;

/** A directory as a file system shows it that hides which names are one file. */
export class ForeignMount implements AsyncDisposable {
  private constructor(
    readonly path: string,
    private readonly tool: Tool,
    private readonly control: string | null,
    private readonly manner: Manner,
  ) {}

  /**
   * @param path an empty directory, to be mounted on
   * @param control a file that does not exist, for a remote one
   */
  static async over(
    directory: string,
    path: string,
    manner: Manner,
    control: string | null = null,
  ): Promise<ForeignMount> {
    if (control !== null) await Deno.writeTextFile(control, manner === "slow" ? "0" : "ok");
    const tool = new Tool("The foreign file system", "/usr/bin/python3", {
      args: [MOUNT, path, directory, manner, ...(control === null ? [] : [control])],
      stdout: "inherit",
    });
    await until(
      "it is mounted",
      () => run("mountpoint", "-q", path).then(() => true, () => false),
    );
    return new ForeignMount(path, tool, control, manner);
  }

  /** How a remote one's server answers from now on; a slow one's by how many milliseconds later. */
  behave(behaviour: "ok" | "hang" | number): void {
    if (this.control === null) throw new Error("this mount has no server");
    Deno.writeTextFileSync(this.control, String(behaviour));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.control !== null) this.behave(this.manner === "slow" ? 0 : "ok");
    const ended = this.tool.end();
    await unmountAtLast(this.path);
    await ended;
  }
}
