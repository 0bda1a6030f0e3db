import { messageOf, StorageHeldError, StorageLostError } from "../errors.ts";
import { MEDIA_TYPES } from "../media.ts";
import { Directories } from "./directories.ts";
import { type FileCalls, fileCalls, osCode } from "./file_calls.ts";
import {
  OBJECT_MODE,
  ObjectLayout,
  OBJECTS_DIRECTORY,
  PROBE_DIRECTORY,
  PUBLIC_DIRECTORY_MODE,
} from "./layout.ts";
import { readIdentity } from "./identity.ts";
import { mountKind } from "./file_systems.ts";
import { requireMount, showAcceptance } from "./mounted.ts";
import { openStorage, requireStorage } from "./open_storage.ts";
import { DEFAULT_RESERVE, type Reserve, Space } from "./space.ts";

/** One thing that a storage needs, tried on the spot. */
export interface CheckResult {
  /** What was to be proven, in a few words. */
  readonly name: string;
  readonly ok: boolean;
  /** What was found, with anything that is worth knowing although it is no hindrance. */
  readonly detail: string;
  /** What to do about it; null if there is nothing to do. */
  readonly fix: string | null;
}

export interface CheckRootOptions {
  readonly reserve?: Reserve;
  readonly calls?: FileCalls;
}

/**
 * Tries everything that a worker will need of the storage at `root`, and leaves three probes in
 * `.omoide/probe/`, for the administrator to sweep. May be run beside a worker that holds the storage.
 * Never throws for what it finds: a proof that failed says so.
 */
export async function checkRoot(
  root: string,
  expected: { readonly storage: string },
  options: CheckRootOptions = {},
): Promise<CheckResult[]> {
  const calls = options.calls ?? fileCalls;
  const results: CheckResult[] = [];
  /** Whether it held. */
  const prove = async (name: string, fix: string, attempt: () => string | Promise<string>) => {
    try {
      results.push({ name, ok: true, detail: await attempt(), fix: null });
      return true;
    } catch (error) {
      results.push({ name, ok: false, detail: messageOf(error), fix });
      return false;
    }
  };

  const isThere = await prove("identity", "see --root and --storage", () => {
    const { storage, uuid } = requireStorage(root, expected.storage, calls);
    return `${storage}, ${uuid}`;
  });
  if (!isThere) return results;
  await prove(
    "user",
    "run the worker as the user that owns the storage",
    () => proveUser(root, calls),
  );
  const isFit = await prove(
    "file system",
    "use ext4 or XFS",
    () => describeFileSystem(root, calls),
  );
  const isWhole = await prove(
    "skeleton",
    "run the worker as the user that owns the storage, or `storage init` again for the same root",
    () => proveSkeleton(root, calls),
  );
  if (!isWhole) return results;
  await prove(
    "names",
    "run the worker as the user that owns the storage; see its modes, and what is mounted below it",
    () => {
      for (const type of MEDIA_TYPES) provePublicNames(root, type, calls);
      return `nothing hinders links from ${OBJECTS_DIRECTORY} into ${MEDIA_TYPES.join(", ")}`;
    },
  );
  await provePair(root, calls, prove);
  await prove("free space", "make room on its disk, or give a smaller --reserve", async () => {
    const space = new Space(root, options.reserve ?? DEFAULT_RESERVE, calls);
    await space.take(0);
    return space.shown;
  });
  // Opening it fails for the same reason again.
  if (!isFit) return results;
  await prove("lock", "use a file system that has flock", async () => {
    try {
      (await openStorage(root, expected, options)).close();
      return "nobody holds the storage";
    } catch (error) {
      if (error instanceof StorageHeldError) return "a worker holds the storage";
      throw error;
    }
  });
  return results;
}

type Prove = (
  name: string,
  fix: string,
  attempt: () => string | Promise<string>,
) => Promise<boolean>;

/** The probes: a file, its hard link, and one of another mode. What builds on something that failed is not tried. */
async function provePair(root: string, calls: FileCalls, prove: Prove): Promise<void> {
  const path = `${root}/${PROBE_DIRECTORY}/${crypto.randomUUID()}`;
  const files: Deno.FsFile[] = [];
  try {
    const created = await prove("exclusive create", "see the root's owner and mode", () => {
      files.push(calls.openNew(path, OBJECT_MODE));
      requireExists(() => files.push(calls.openNew(path, OBJECT_MODE)), "creating a file twice");
      return "a name can be taken once";
    });
    const [file] = files;
    if (!created || file === undefined) return;
    await prove("mode bits", "give the worker a umask of 0027; use ext4 or XFS", () => {
      const bits = (calls.fstat(file).mode ?? 0) & 0o7777;
      if (bits !== OBJECT_MODE) {
        throw new Error(`a file made with mode 0440 has 0${bits.toString(8)}`);
      }
      // A file, which `storage sweep` clears away as it does its neighbours. A umask takes the same from it
      // as from a directory, and from neither what 0440 does not have: 037 passed.
      const wide = calls.openNew(`${path}.mode`, PUBLIC_DIRECTORY_MODE);
      files.push(wide);
      const kept = (calls.fstat(wide).mode ?? 0) & PUBLIC_DIRECTORY_MODE;
      if (kept === PUBLIC_DIRECTORY_MODE) return "files get mode 0440, directories 0750";
      throw new Error(`a directory made with mode 0750 would have 0${kept.toString(8)}`);
    });
    await prove("device", "mount one file system for the whole root", () => {
      const identity = calls.lstat(`${root}/.omoide/storage.json`);
      if (identity?.dev === calls.fstat(file).dev) return "new files are on the identity's disk";
      throw new Error("new files come to be on another file system than storage.json");
    });
    await prove("fdatasync", "replace the disk, or use ext4 or XFS", async () => {
      calls.write(file, new TextEncoder().encode("A probe of omoide-worker --check.\n"));
      await calls.syncData(file);
      return "bytes reach the disk";
    });
    await prove("hard link", "use a file system with hard links: ext4 or XFS", () => {
      calls.link(path, `${path}.link`);
      requireExists(() => calls.link(path, `${path}.link`), "linking a name twice");
      const inode = calls.lstat(`${path}.link`)?.ino;
      const { mount } = readIdentity(root, calls);
      const areHashes = mount !== undefined && mountKind(mount.type).hasHashedInodes === true;
      // Beyond that Deno rounds them, and neighbours are one.
      if (!Number.isSafeInteger(inode) && !areHashes) {
        throw new Error(
          `inode numbers are as large as ${inode}, above 2^53: they do not identify files`,
        );
      }
      if (inode === calls.fstat(file).ino) {
        return "one file can have two names, none is replaced" +
          (areHashes ? "; tools that go by links refuse inode numbers above 2^53" : "");
      }
      throw new Error("a hard link is another file than the one it was made of");
    });
    await prove("directory fsync", "use ext4 or XFS", async () => {
      const directory = calls.openRead(`${root}/${PROBE_DIRECTORY}`);
      try {
        await calls.sync(directory);
      } finally {
        calls.close(directory);
      }
      return "names reach the disk";
    });
  } finally {
    for (const each of files) calls.close(each);
  }
}

function requireExists(attempt: () => void, what: string): void {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw error;
  }
  throw new Error(`${what} was not refused: it would overwrite`);
}

function proveUser(root: string, calls: FileCalls): string {
  const owner = calls.lstat(`${root}/.omoide`)?.uid;
  const me = Deno.uid();
  if (me === 0) {
    return "root, who can reopen even read-only files: run the worker as a user of its own";
  }
  if (me === owner) return `uid ${me}, who owns the storage`;
  throw new Error(`this is uid ${me}, the storage belongs to uid ${owner}`);
}

function describeFileSystem(root: string, calls: FileCalls): string {
  const identity = readIdentity(root, calls);
  const { name, note } = requireMount(root, identity, calls.statfs(root).type);
  const accepted = showAcceptance(identity);
  return (accepted ?? name) + (note === null ? "" : `: ${note}`);
}

function layoutAt(root: string, calls: FileCalls): ObjectLayout {
  return ObjectLayout.of(readIdentity(root, calls).format);
}

async function proveSkeleton(root: string, calls: FileCalls): Promise<string> {
  const device = calls.lstat(`${root}/.omoide`)?.dev ?? NaN;
  const directories = new Directories(root, device, calls);
  const { skeleton } = layoutAt(root, calls);
  const missing: string[] = [];
  for (const { path } of skeleton) if (await directories.verify(path) === null) missing.push(path);
  if (missing.length === 0) return `${skeleton.length} directories`;
  throw new StorageLostError(
    `${missing.slice(0, 3).join(", ")}${missing.length > 3 ? ", …" : ""} missing`,
  );
}

/**
 * Whether a name could be made in a public directory, without making one: a hard link to a directory is
 * never allowed (EPERM), and another mount (EXDEV, though the device may be the same), a read-only file
 * system or a missing right are complained about before that.
 */
function provePublicNames(root: string, directory: string, calls: FileCalls): void {
  try {
    const [objects] = layoutAt(root, calls).directories;
    calls.link(`${root}/${objects}`, `${root}/${directory}/never`);
  } catch (error) {
    if (osCode(error) === "EPERM") return;
    throw error;
  }
  throw new Error("the file system makes hard links to directories");
}
