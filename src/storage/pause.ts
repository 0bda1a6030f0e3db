import { StoragePausedError } from "../errors.ts";
import { changeFailure, pausedError } from "./failures.ts";
import { type AwaitableCalls, osCode } from "./file_calls.ts";
import { PRIVATE_DIRECTORY, PROBE_DIRECTORY } from "./layout.ts";
import type { Space } from "./space.ts";

/**
 * How much is appended to the file that a pause left, to see whether the disk takes a media again: as
 * much as the media has, up to this. A block would not do: on a full ext4 one comes free now and then,
 * and each time the next media left another file.
 */
const MOST_APPENDED = 1024 * 1024;

/**
 * What stands between a full disk and a litter of half-written files: while a pause stands nothing is
 * tried, and whether it has passed is found out without making another file.
 */
export class StandingPause {
  #pause: StoragePausedError | null = null;
  /** The file whose writing met the end of the disk. It will never be published. */
  #orphan: Deno.FsFile | null = null;

  constructor(
    private readonly root: string,
    private readonly space: Space,
    private readonly calls: AwaitableCalls,
  ) {}

  /** @throws {StoragePausedError} the pause that stands */
  requireNone(): void {
    if (this.#pause !== null) throw this.#pause;
  }

  /** Begins a pause, or goes on with the one that stands; returns it. */
  begin(error: StoragePausedError): StoragePausedError {
    return this.#pause ??= this.#withInodes(error);
  }

  /** Takes over a file that could not be written to its end, still open. */
  keepOrphan(file: Deno.FsFile): void {
    if (this.#orphan === null) this.#orphan = file;
    else this.calls.close(file);
  }

  /**
   * Finds out whether a media of that many bytes would be taken again, and if so ends the pause.
   *
   * @throws what `changeFailure` makes of an append that failed for another reason than before
   */
  async hasPassed(size: number): Promise<boolean> {
    if (!this.space.fits(size) || await this.#isReadOnly()) return false;
    if (!await this.#orphanGrows(size)) return false;
    this.end();
    return true;
  }

  end(): void {
    if (this.#orphan !== null) this.calls.close(this.#orphan);
    this.#orphan = null;
    this.#pause = null;
  }

  /**
   * Asks the kernel without changing anything: a hard link to a directory is never allowed, and a
   * read-only file system is complained about before that.
   */
  async #isReadOnly(): Promise<boolean> {
    const [from, to] = [PRIVATE_DIRECTORY, `${PROBE_DIRECTORY}-never`];
    try {
      await this.calls.link(`${this.root}/${from}`, `${this.root}/${to}`);
    } catch (error) {
      return osCode(error) === "EROFS";
    }
    return false;
  }

  /** Whether the orphan, if there is one, can be appended to by that many bytes. */
  async #orphanGrows(size: number): Promise<boolean> {
    if (this.#orphan === null) return true;
    const zeros = new Uint8Array(Math.min(Math.max(size, 1), MOST_APPENDED));
    try {
      for (let at = 0; at < zeros.length;) {
        const count = await this.calls.write(this.#orphan, zeros.subarray(at));
        if (count <= 0) return false;
        at += count;
      }
      return true;
    } catch (error) {
      const failure = changeFailure(error, "append to the orphan of a pause", 0n);
      if (failure instanceof StoragePausedError) return false;
      throw failure;
    }
  }

  /**
   * ENOSPC says both: that there are no bytes and that there are no inodes. Over a network it is left at
   * that: an answer would come later than the pause, and distributed file systems have no such table.
   */
  #withInodes(error: StoragePausedError): StoragePausedError {
    if (error.reason !== "no space") return error;
    try {
      const measured = this.space.measure();
      if (measured instanceof Promise) {
        measured.catch(() => {});
        return error;
      }
      const { inodes, totalInodes } = measured;
      if (totalInodes === 0 || inodes > 0) return error;
    } catch {
      return error;
    }
    return pausedError("no inodes", error.message.replace(/;[^;]*$/, ""), error.cause);
  }
}
