import { createHash } from "node:crypto";
import type { Media } from "../media.ts";
import { fsyncFailure, isOfFile } from "./failures.ts";
import type { AwaitableCalls } from "./file_calls.ts";

/** What has the name that a media should get. */
export type Existing = "nothing" | "same bytes" | "something else";

const PIECE = 1024 * 1024;

/** After this many pieces the event loop gets its turn: a heartbeat must not wait for gigabytes. */
const PIECES_IN_A_ROW = 8;

/**
 * Compares what exists at `path` with a media. A regular file of the same bytes is fdatasynced before the
 * answer: it may be the unsynced work of a process that died. Whatever can't be read is something else,
 * never a reason to stop.
 *
 * @throws {StorageDistrustedError} that fdatasync failed
 */
export async function examine(
  path: string,
  media: Media,
  calls: AwaitableCalls,
): Promise<Existing> {
  let file: Deno.FsFile | null = null;
  try {
    // lstat first: opening a FIFO hangs, and a link would be followed.
    const found = await calls.lstat(path);
    if (found === null) return "nothing";
    if (!found.isFile || found.size !== media.size) return "something else";
    file = await calls.openRead(path);
    const opened = await calls.fstat(file);
    if (opened.dev !== found.dev || opened.ino !== found.ino) return "something else";
    if (await hashOf(file, media.size, calls) !== media.sha256) return "something else";
    await calls.syncData(file).catch((error) => {
      throw fsyncFailure(error, path);
    });
    return "same bytes";
  } catch (error) {
    if (isOfFile(error)) return "something else";
    throw error;
  } finally {
    if (file !== null) calls.close(file);
  }
}

/** Null where the file has not exactly `size` bytes. */
async function hashOf(
  file: Deno.FsFile,
  size: number,
  calls: AwaitableCalls,
): Promise<string | null> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(Math.min(PIECE, size + 1));
  let length = 0;
  for (let pieces = 1;; pieces++) {
    const read = await calls.read(file, buffer);
    if (read === null) break;
    hash.update(buffer.subarray(0, read));
    length += read;
    if (length > size) return null;
    if (pieces % PIECES_IN_A_ROW === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return length === size ? hash.digest("hex") : null;
}
