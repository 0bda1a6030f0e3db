import { DatabaseUnavailableError, MediaFailureError, StorageLostError } from "../errors.ts";
import { showTimeline, type Timeline } from "../timeline.ts";
import { changeFailureIn, fsyncFailure, isOfFile } from "./failures.ts";
import { type AwaitableCalls, fileCalls, osCode } from "./file_calls.ts";
import { OBJECT_MODE, parseTimelineName, PRIVATE_DIRECTORY, timelinePath } from "./layout.ts";
import type { Store } from "./store.ts";

/** What `Timelines` has noted in the storage at `root`. @throws what the operating system says */
export async function notedTimelines(
  root: string,
  calls: AwaitableCalls = fileCalls,
): Promise<Timeline[]> {
  const names = await calls.names(`${root}/${PRIVATE_DIRECTORY}`);
  return names.map(parseTimelineName).filter((timeline) => timeline !== null);
}

/**
 * The timelines that this storage has acknowledged on, as names of empty files: a worker can add one, and
 * take none away. (`storage.json` no worker may write.)
 *
 * They are what a lock service calls a fencing token. Two workers that are cut off from each other, one at
 * an old primary and one at the new, still share the storage: as soon as the new side's has acknowledged
 * anything, the old side's cannot any more.
 */
export class Timelines {
  readonly #store: Store;
  /** Noted, and on the disk. */
  #entered: Timeline | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  async noted(): Promise<Timeline[]> {
    try {
      return await notedTimelines(this.#store.root, this.#store.calls);
    } catch (error) {
      throw this.#failure(error, `read ${PRIVATE_DIRECTORY}`);
    }
  }

  /** See `WriteOnceStorage.enterTimeline`. */
  async enter(timeline: Timeline): Promise<void> {
    this.#store.requireSound();
    const { cluster, number } = timeline;
    const noted = await this.noted();
    const known = noted.filter((each) => each.cluster === cluster).map((each) => each.number);
    const newest = Math.max(1, ...known);
    if (newest > number) {
      throw new DatabaseUnavailableError(
        `The database is an old primary, of ${
          showTimeline(timeline)
        }: this storage has acknowledged ` +
          `on timeline ${newest}`,
      );
    }
    if (number === 1 || this.#entered?.cluster === cluster && this.#entered.number === number) {
      return;
    }
    if (!known.includes(number)) await this.#make(timelinePath(timeline));
    await this.#sync();
    this.#entered = timeline;
  }

  async #make(path: string): Promise<void> {
    const { calls, root } = this.#store;
    try {
      calls.close(await calls.openNew(`${root}/${path}`, OBJECT_MODE));
    } catch (error) {
      // Another worker of this storage was faster.
      if (osCode(error) !== "EEXIST") throw this.#failure(error, `make ${path}`);
    }
  }

  async #sync(): Promise<void> {
    const { calls, root } = this.#store;
    const path = `${root}/${PRIVATE_DIRECTORY}`;
    const directory = await calls.openRead(path);
    try {
      await calls.sync(directory);
    } catch (error) {
      throw this.#store.note(fsyncFailure(error, path));
    } finally {
      calls.close(directory);
    }
  }

  /** What concerns this directory concerns the whole storage. */
  #failure(error: unknown, action: string): unknown {
    if (!isOfFile(error)) return error;
    const failure = changeFailureIn(PRIVATE_DIRECTORY, error, action, 0n);
    return this.#store.note(
      failure instanceof MediaFailureError
        ? new StorageLostError(failure.message, { cause: error })
        : failure,
    );
  }
}
