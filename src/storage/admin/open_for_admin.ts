import { type FileCalls, fileCalls } from "../file_calls.ts";
import { readIdentity } from "../identity.ts";
import { IDENTITY_PATH } from "../layout.ts";
import { openStorage } from "../open_storage.ts";
import type { WriteOnceStorage } from "../storage.ts";
import { StorageHeldError } from "../../errors.ts";
import { callsAs, requireWriter } from "./ownership.ts";

/**
 * Opens a storage to add to it by the worker's own write-once code, also beside its worker: nothing in it
 * relies on being alone (names are created exclusively, and an existing one is examined), so a sync that
 * takes a day does not stop a storage from taking uploads. Hence no lock. No reserve either: what the
 * worker leaves free is also for this.
 */
export async function openForAdmin(root: string): Promise<WriteOnceStorage> {
  const { storage } = readIdentity(root);
  const calls: FileCalls = {
    ...callsAs(requireWriter(root)),
    tryLock: () => Promise.resolve(true),
  };
  return await openStorage(root, { storage }, { calls, reserve: { bytes: 0 } });
}

/** Whether a worker, or another tool that changes it, holds a storage at this moment. */
export async function isHeld(root: string): Promise<boolean> {
  const file = fileCalls.openRead(`${root}/${IDENTITY_PATH}`);
  try {
    return !(await fileCalls.tryLock(file));
  } finally {
    file.close();
  }
}

/**
 * Takes a storage's lock, so that no worker can begin meanwhile.
 *
 * @throws {StorageHeldError} a worker, or another administrator's tool, holds it
 */
export async function holdStorage(root: string): Promise<Disposable> {
  const file = fileCalls.openRead(`${root}/${IDENTITY_PATH}`);
  if (await fileCalls.tryLock(file)) return { [Symbol.dispose]: () => file.close() };
  file.close();
  throw new StorageHeldError(
    `Another process holds the storage at ${root}: stop its worker, and run this again`,
  );
}
