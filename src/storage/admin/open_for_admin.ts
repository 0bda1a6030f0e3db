import { closeSync } from "node:fs";
import { ConfigurationError, StorageHeldError } from "../../errors.ts";
import { within } from "../../within.ts";
import { fileCalls } from "../file_calls.ts";
import { MAX_IDENTITY_BYTES, parseIdentity, readIdentity } from "../identity.ts";
import { IDENTITY_PATH } from "../layout.ts";
import { openStorage } from "../open_storage.ts";
import type { StorageIdentity, WriteOnceStorage } from "../storage.ts";
import { GuardedTree, sameFile } from "./guarded_tree.ts";
import { callsAs, requireWriter } from "./ownership.ts";
import { readStart } from "./read_object.ts";

/** Opening a file of a disk that works takes no time; a FIFO has been put in its place, or the disk hangs. */
const OPEN_WITHIN_MS = 10_000;

/**
 * Opens a storage to add to it by the worker's own write-once code, also beside its worker: nothing in it
 * relies on being alone (names are created exclusively, and an existing one is examined), so a sync that
 * takes a day does not stop a storage from taking uploads. Hence no lock. No reserve either: what the
 * worker leaves free is also for this.
 */
export async function openForAdmin(root: string): Promise<WriteOnceStorage> {
  const { storage } = readIdentityOf(root);
  const calls = callsAs(requireWriter(root));
  return await openStorage(root, { storage }, { calls, lock: false, reserve: { bytes: 0 } });
}

/** As `readIdentity`, of a tree that is not trusted: a FIFO does not hang it. Errors as there. */
export function readIdentityOf(root: string): StorageIdentity {
  let fd: number;
  try {
    fd = new GuardedTree(root, null).openRead(IDENTITY_PATH);
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    // Missing, unreadable: it says what exactly, and what to do.
    return readIdentity(root);
  }
  try {
    return parseIdentity(readStart(fd, MAX_IDENTITY_BYTES), `${root}/${IDENTITY_PATH}`);
  } finally {
    closeSync(fd);
  }
}

/** Whether a worker, or another tool that changes it, holds a storage at this moment. */
export async function isHeld(root: string): Promise<boolean> {
  const file = await openIdentity(root);
  try {
    return !(await fileCalls.tryLock(file, true));
  } finally {
    file.close();
  }
}

/**
 * Takes a storage's lock alone, so that no worker can begin meanwhile.
 *
 * @throws {StorageHeldError} a worker, or another administrator's tool, holds it
 */
export async function holdStorage(root: string): Promise<Disposable> {
  const file = await openIdentity(root);
  if (await fileCalls.tryLock(file, true)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new StorageHeldError(
    `Another process holds the storage at ${root}: stop its worker, and run this again`,
  );
}

/**
 * Opens storage.json for its lock. Only Deno's own files can be locked, and those cannot be opened without
 * waiting for a FIFO's other end; so it waits elsewhere, and not for ever.
 */
async function openIdentity(root: string): Promise<Deno.FsFile> {
  const path = `${root}/${IDENTITY_PATH}`;
  const expected = new GuardedTree(root, null).requireFile(IDENTITY_PATH);
  const file = await within(OPEN_WITHIN_MS, Deno.open(path));
  if (file === null) {
    throw new ConfigurationError(`${path} did not open within ${OPEN_WITHIN_MS / 1000} s`);
  }
  if (sameFile(file.statSync(), expected)) return file;
  file.close();
  throw new ConfigurationError(`${path} changed underneath; see who did that`);
}
