import { ConfigurationError, StorageLostError } from "../errors.ts";
import { Directories } from "./directories.ts";
import { type FileCalls, fileCalls, remoteCalls } from "./file_calls.ts";
import { readIdentity } from "./identity.ts";
import { IDENTITY_PATH, PRIVATE_DIRECTORY, unfitRoot } from "./layout.ts";
import { requireMount } from "./mounted.ts";
import { Slots } from "./slots.ts";
import { DEFAULT_RESERVE, type Reserve, Space } from "./space.ts";
import type { StorageIdentity, WriteOnceStorage } from "./storage.ts";
import { Store } from "./store.ts";
import { Tree } from "./tree.ts";
import { HeldStorage } from "./write_once_storage.ts";

export interface OpenStorageOptions {
  /** Files and directories flushed at once; 64 unless given. More than 16 measured within noise. */
  readonly writers?: number;
  /** Space never used; 5 % of the bytes and of the inodes unless given. */
  readonly reserve?: Reserve;
  /** The calls on the file system; the real ones unless a test wraps them. */
  readonly calls?: FileCalls;
  /** `false`: it is opened unlocked, and whoever needs its lock takes it by `hold`. */
  readonly lock?: boolean;
}

/**
 * Opens the storage at `root`, and takes its lock for this process alone.
 *
 * @param expected what the storage must be
 * @throws {ConfigurationError} the root's form is unfit, it is another storage, may not be read, or lies on
 *   a file system that no worker may rely on
 * @throws {StorageLostError} there is no storage at `root`, or it is not whole
 * @throws {StorageHeldError} another process holds it: standing by may help
 */
export async function openStorage(
  root: string,
  expected: { readonly storage: string },
  options: OpenStorageOptions = {},
): Promise<WriteOnceStorage> {
  const calls = options.calls ?? fileCalls;
  const identity = requireStorage(root, expected.storage, calls);
  const identityFile = openIdentity(`${root}/${IDENTITY_PATH}`, calls);
  try {
    const { isRemote } = requireMount(root, identity, calls.statfs(root).type);
    // Opening may wait: nobody counts on this worker yet.
    const working = options.calls ?? (isRemote ? remoteCalls : calls);
    const space = new Space(root, options.reserve ?? DEFAULT_RESERVE, working);
    const store = new Store({
      root,
      identity,
      isRemote,
      calls: working,
      directories: new Directories(root, deviceOf(root, calls), working),
      space,
      slots: new Slots(options.writers ?? 64),
      identityFile,
      identityInfo: calls.fstat(identityFile),
    });
    await space.measure();
    if (options.lock ?? true) await store.hold(true);
    else await store.requireIdentity();
    const tree = new Tree(store);
    for (const { path } of [{ path: "" }, ...store.objects.skeleton]) {
      await tree.requireSkeleton(path);
    }
    return new HeldStorage(store);
  } catch (error) {
    calls.close(identityFile);
    throw error;
  }
}

/** Everything about a root that can be seen without locking it. Errors as `openStorage`. */
export function requireStorage(root: string, name: string, calls: FileCalls): StorageIdentity {
  const unfit = unfitRoot(root);
  if (unfit !== null) throw new ConfigurationError(unfit);
  const identity = readIdentity(root, calls);
  const real = calls.realPath(root);
  if (real !== root) {
    throw new ConfigurationError(`There is a symbolic link in the root ${root}; give ${real}`);
  }
  if (identity.storage !== name) {
    throw new ConfigurationError(
      `${root} is the storage ${identity.storage} (${identity.uuid}), not ${name}; see --root and --storage`,
    );
  }
  return identity;
}

/** It was there a moment ago, when it was read. */
function openIdentity(path: string, calls: FileCalls): Deno.FsFile {
  try {
    return calls.openRead(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new StorageLostError(`${path} has just gone; see what is mounted there`, {
      cause: error,
    });
  }
}

function deviceOf(root: string, calls: FileCalls): number {
  const found = calls.lstat(`${root}/${PRIVATE_DIRECTORY}`);
  if (found === null) throw new StorageLostError(`${root}/${PRIVATE_DIRECTORY} has gone`);
  return found.dev;
}
