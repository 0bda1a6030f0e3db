import { join } from "node:path";
import { run, until } from "./command.ts";
import { unmountAtLast } from "./mount.ts";
import type { Shelf } from "./shelf.ts";
import { Tool } from "./tool.ts";
import { exists } from "./tree.ts";

/** How the disk behaves from now on; see block_recorder.py. */
export type Behaviour = "ok" | "eio-write" | "eio-flush" | "eio-read" | "hang";

/** What the recorder needs beside Debian's own Python: the package python3-fusepy. */
export const FUSEPY = "/usr/lib/python3/dist-packages/fusepy.py";

const RECORDER = new URL("./block_recorder.py", import.meta.url).pathname;

/**
 * A disk that records each block write and flush, made of an image and a FUSE file above it. Mount
 * `device` through a loop device (`Mount.at`), use it, and ask `PowerCuts` what would have been left.
 */
export class RecordedDisk implements AsyncDisposable {
  private constructor(
    readonly device: string,
    /** The image before the first write. */
    readonly before: string,
    readonly log: string,
    readonly control: string,
    private readonly mountpoint: string,
    private readonly recorder: Tool,
  ) {}

  static async over(shelf: Shelf, image: string): Promise<RecordedDisk> {
    const before = `${image}.before`;
    await run("cp", "--reflink=always", image, before);
    const mountpoint = await Deno.makeTempDir({ dir: shelf.directory });
    const log = `${image}.log`;
    const control = `${image}.control`;
    await Deno.writeTextFile(log, "");
    await Deno.writeTextFile(control, "ok");
    const recorder = new Tool("The recorded disk", "/usr/bin/python3", {
      args: [RECORDER, mountpoint, image, log, control],
      stdout: "inherit",
    });
    const device = join(mountpoint, "disk");
    await until("the recorder serves its disk", () => exists(device));
    return new RecordedDisk(device, before, log, control, mountpoint, recorder);
  }

  get recorderPid(): number {
    return this.recorder.pid;
  }

  behave(behaviour: Behaviour): void {
    Deno.writeTextFileSync(this.control, behaviour);
  }

  /** This moment in the disk's life: the length of its log. */
  now(): number {
    return Deno.statSync(this.log).size;
  }

  /** Only after everything mounted from it is unmounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.behave("ok");
    const ended = this.recorder.end();
    await unmountAtLast(this.mountpoint);
    await ended;
    await Deno.remove(this.mountpoint).catch((error) => console.error(error));
  }
}
