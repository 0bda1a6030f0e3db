import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { cannot, ConfigurationError, StorageHeldError } from "../../errors.ts";
import { fileCalls } from "../file_calls.ts";
import { formatIdentity, readIdentity, sameIdentity } from "../identity.ts";
import {
  IDENTITY_PATH,
  OBJECT_MODE,
  ObjectLayout,
  PRIVATE_DIRECTORY,
  PROBE_DIRECTORY,
  PUBLIC_DIRECTORY_MODE,
} from "../layout.ts";
import type { NotedMount, StorageIdentity } from "../storage.ts";
import { type MountFound, noteMount } from "./note_mount.ts";
import { giveTo, type Owner } from "./ownership.ts";
import { requireRealRoot, requireUnused } from "./usable_root.ts";

/** Administrator's code: no worker imports this. */

export interface InitRootOptions {
  /** Take over the public directories of an existing Omoide tree instead of refusing them. */
  readonly adopt?: boolean;
  /** What is mounted there; without it, storage.json goes on to say what it says. */
  readonly mounted?: MountFound;
}

/**
 * Makes `root` the storage `identity`: the root itself where it is missing, the skeleton, and last
 * `storage.json`, so that nothing is a storage before it is whole. Everything is fsynced. Run again
 * with the same identity, or after it died at any step, it completes what is missing and changes
 * nothing else, unless another kind of file system is mounted there by now: storage.json then says so.
 * Run as root, what it makes belongs to the root directory's owner and group.
 *
 * @returns whether the storage is new
 * @throws {ConfigurationError} a root that is unfit, another storage's, or not empty, or lies on a file
 *   system that has not been accepted
 * @throws {StorageHeldError} its mount is to be noted, and a worker is at work
 */
export function initRoot(
  root: string,
  identity: StorageIdentity,
  options: InitRootOptions = {},
): { readonly created: boolean } {
  requireRealRoot(root);
  const known = fileCalls.lstat(`${root}/${IDENTITY_PATH}`) !== null;
  const before = known ? readIdentity(root).mount : identity.mount;
  // Before anything is made.
  const mount = options.mounted === undefined ? before : noteMount(root, options.mounted, before);
  if (fileCalls.lstat(root) === null) makeRoot(root);
  const owner = ownerOf(root);
  if (known) requireIdentity(root, identity);
  else requireUnused(root, options.adopt ?? false);

  for (const { path, mode } of ObjectLayout.of(identity.format).skeleton) {
    const made = makeDirectory(`${root}/${path}`, mode);
    // Before storage.json exists, a directory found may be what a run that died had not finished. After
    // that, its mode and owner may be the administrator's wish.
    settle(`${root}/${path}`, made || !known ? { mode, owner } : null);
  }
  // Parents once more: entries were made in them after their own fsync.
  for (const path of [".omoide/objects", PRIVATE_DIRECTORY, "."]) settle(`${root}/${path}`, null);
  const whole = withMount(identity, mount);
  if (!known) writeIdentity(root, whole, owner);
  else if (!isDeepStrictEqual(mount, before)) replaceIdentity(root, whole, owner);
  return { created: !known };
}

function withMount(
  { mount: _, ...identity }: StorageIdentity,
  mount: NotedMount | undefined,
): StorageIdentity {
  return mount === undefined ? identity : { ...identity, mount };
}

function makeRoot(root: string): void {
  makeDirectory(root, PUBLIC_DIRECTORY_MODE);
  settle(root, { mode: PUBLIC_DIRECTORY_MODE, owner: null });
  settle(dirname(root), null);
}

/** Who is to own what is made; null if that is simply the user that runs this. */
function ownerOf(root: string): Owner | null {
  const { uid, gid } = Deno.lstatSync(root);
  const me = Deno.uid();
  if (uid === null || gid === null || uid === me && me !== 0) return null;
  if (me === 0) return { uid, gid };
  throw new ConfigurationError(
    `Cannot make a storage at ${root}: it belongs to uid ${uid}, this is uid ${me}; ` +
      "run this as its owner or as root",
  );
}

function requireIdentity(root: string, identity: StorageIdentity): void {
  const found = readIdentity(root);
  if (sameIdentity(found, identity)) return;
  throw new ConfigurationError(
    `${root} is the storage ${found.storage} (${found.uuid}) of the inbox ${found.inbox} ` +
      `with prefix size ${found.prefixSize} and format ${found.format}, not ${identity.storage} ` +
      `(${identity.uuid}) of ${identity.inbox} with ${identity.prefixSize} and ${identity.format}; ` +
      "give another directory",
  );
}

/** Whether it was made now; what exists must be a directory. */
function makeDirectory(path: string, mode: number): boolean {
  try {
    Deno.mkdirSync(path, { mode });
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  if (!Deno.lstatSync(path).isDirectory) {
    throw new ConfigurationError(`${path} exists and is not a directory; move it away`);
  }
  return false;
}

/**
 * Gives a directory its mode and owner, where it is to have one, and fsyncs it. Through a handle that
 * follows no link: as root, a chown by path could be lured elsewhere by whoever owns the tree.
 */
function settle(path: string, wanted: { mode: number; owner: Owner | null } | null): void {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const fd = openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (wanted !== null) {
      // The umask may have taken bits; chown may take more, so the mode comes last.
      if (wanted.owner !== null) giveTo(fd, wanted.owner);
      if ((fstatSync(fd).mode & 0o777) !== wanted.mode) setMode(fd, path, wanted.mode);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function setMode(fd: number, path: string, mode: number): void {
  try {
    fchmodSync(fd, mode);
  } catch (error) {
    throw new ConfigurationError(
      `Cannot give ${path} its mode: the file system keeps no mode bits; use ext4 or XFS`,
      { cause: error },
    );
  }
}

/**
 * Written under another name and linked, so that storage.json is whole or absent, whenever this dies.
 * That other name stays in the probe directory, which the administrator's sweep empties.
 */
function writeIdentity(root: string, identity: StorageIdentity, owner: Owner | null): void {
  const draft = writeDraft(root, identity, owner);
  try {
    Deno.linkSync(draft, `${root}/${IDENTITY_PATH}`);
  } catch (error) {
    // Another process made the same root a storage at this moment: the same one, or it is refused.
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new ConfigurationError(
        cannot(
          `make a hard link at ${root}`,
          error,
          "use a file system that has them: ext4 or XFS",
        ),
        { cause: error },
      );
    }
    requireIdentity(root, identity);
  }
  settle(`${root}/${PRIVATE_DIRECTORY}`, null);
}

/**
 * Puts another storage.json of the same storage in the place of the one that is there, at once and whole.
 * Its inode is what a worker has locked: so no worker may have it, and one that waits for it starts again.
 */
function replaceIdentity(root: string, identity: StorageIdentity, owner: Owner | null): void {
  using before = Deno.openSync(`${root}/${IDENTITY_PATH}`);
  if (!before.tryLockSync(true)) {
    throw new StorageHeldError(
      `${root} is on another kind of file system than its storage.json says, which can be changed only ` +
        "while no worker has the storage: stop its worker, and run this again",
    );
  }
  const draft = writeDraft(root, identity, owner);
  Deno.renameSync(draft, `${root}/${IDENTITY_PATH}`);
  settle(`${root}/${PRIVATE_DIRECTORY}`, null);
}

/** An identity under a name of its own, durable. */
function writeDraft(root: string, identity: StorageIdentity, owner: Owner | null): string {
  const draft = `${root}/${PROBE_DIRECTORY}/storage.json-${crypto.randomUUID()}`;
  const fd = openSync(draft, "wx", OBJECT_MODE);
  try {
    writeSync(fd, new TextEncoder().encode(formatIdentity(identity)));
    if (owner !== null) giveTo(fd, owner);
    setMode(fd, draft, OBJECT_MODE);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  settle(`${root}/${PROBE_DIRECTORY}`, null);
  return draft;
}
