import { StoragePausedError } from "../errors.ts";
import { fsyncFailure } from "./failures.ts";
import type { Store } from "./store.ts";

/** An object that this process has created and holds open: the only kind of file that it ever writes. */
export class NewObject {
  readonly #store: Store;
  readonly #file: Deno.FsFile;
  readonly #mediaId: bigint;
  /** Relative to the root. */
  readonly path: string;

  constructor(store: Store, file: Deno.FsFile, path: string, mediaId: bigint) {
    this.#store = store;
    this.#file = file;
    this.#mediaId = mediaId;
    this.path = path;
  }

  /**
   * Appends all the bytes. A write that failed is never retried on its file, which is closed here, or
   * kept open by the pause if the disk is full.
   */
  async write(bytes: Uint8Array): Promise<void> {
    const { calls, pause } = this.#store;
    try {
      for (let written = 0; written < bytes.length;) {
        const count = await calls.write(
          this.#file,
          written === 0 ? bytes : bytes.subarray(written),
        );
        if (count <= 0) throw new Error(`a write to ${this.path} took nothing and gave no reason`);
        written += count;
      }
    } catch (error) {
      const failure = this.#store.noteChange(error, `write ${this.path}`, this.#mediaId);
      if (failure instanceof StoragePausedError) pause.keepOrphan(this.#file);
      else this.close();
      throw failure;
    }
  }

  /** Never rejects: a failed fdatasync is the end of the whole storage, which is what notes it. */
  async syncData(): Promise<void> {
    try {
      await this.#store.calls.syncData(this.#file);
    } catch (error) {
      this.#store.note(fsyncFailure(error, this.path));
    }
  }

  close(): void {
    this.#store.calls.close(this.#file);
  }
}
