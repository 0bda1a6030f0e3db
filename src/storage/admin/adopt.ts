import { cannot, ConfigurationError, InterruptedError, messageOf } from "../../errors.ts";
import { osCode } from "../file_calls.ts";
import { OBJECT_MODE, parentOf, PUBLIC_DIRECTORY_MODE } from "../layout.ts";
import type { Owner } from "./ownership.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { entriesOf } from "./entries.ts";
import { type GuardedTree, sameFile } from "./guarded_tree.ts";
import { type Hashed, type HashedFile, HashPool } from "./hash_pool.ts";
import { inBatches, type NamedEntry, nameEntry } from "./held_files.ts";
import { linkObject } from "./repair.ts";
import { walkPublic } from "./walk.ts";

/** A plain file, hashed: what it takes to become an object. */
export type Adoptable = NamedEntry & { readonly sha256: string; readonly hashed: HashedFile };

export interface AdoptOptions {
  readonly owner: Owner;
  readonly prefixSize: number;
  readonly parallel: number;
  readonly signal: AbortSignal;
  /** The media that files are, in their order; made where they are new. */
  readonly mediaIds: (files: readonly Adoptable[]) => Promise<bigint[]>;
  readonly progress: (bytes: number) => void;
}

export interface AdoptReport {
  adopted: number;
  adoptedBytes: number;
  /** Files that were objects before. */
  already: number;
  /** What has no place in a storage, and why. */
  readonly unfit: { readonly path: string; readonly why: string }[];
}

/**
 * Makes the plain files of an existing tree objects, without copying a byte: each is hashed and gets a
 * second name among the objects. Modes and owners become the worker's. A file that has its object is
 * not read again, so it can be stopped anywhere and run again.
 */
export async function adopt(tree: GuardedTree, options: AdoptOptions): Promise<AdoptReport> {
  const report: AdoptReport = { adopted: 0, adoptedBytes: 0, already: 0, unfit: [] };
  const { owner, prefixSize, signal } = options;
  const strange = (path: string, why: string) => report.unfit.push({ path, why });
  const yielder = new EventLoopYielder(signal);
  const settleDirectory = (path: string, info: Deno.FileInfo) => {
    const { uid, gid } = info;
    if (uid === owner.uid && gid === owner.gid && modeOf(info) === PUBLIC_DIRECTORY_MODE) return;
    const why = refused(path, () => tree.settle(path, owner, PUBLIC_DIRECTORY_MODE, info));
    if (why !== null) report.unfit.push({ path, why });
  };
  for (const _ of walkPublic(tree, prefixSize, () => {}, settleDirectory)) {
    const pause = yielder.tick();
    if (pause) await pause;
  }

  async function* plain(): AsyncGenerator<NamedEntry> {
    for await (const entry of entriesOf(tree, prefixSize, { signal, strange })) {
      const named = nameEntry(entry, prefixSize);
      if (entry.sha256 !== null) report.already++;
      else if (named !== null) yield named;
    }
  }
  using pool = new HashPool(tree.root, options.parallel, 0, signal);
  const timer = setInterval(() => options.progress(pool.bytes), 200);
  try {
    for await (const batch of inBatches(plain(), 1000)) {
      const files: Adoptable[] = [];
      for await (const { thing, hashed } of pool.hashAll(batch)) {
        const why = unfit(thing, hashed);
        if (why !== null) report.unfit.push({ path: thing.path, why });
        else if ("sha256" in hashed) {
          files.push({ ...thing, sha256: hashed.sha256, hashed: hashed.file });
        }
      }
      await link(tree, files, options, report);
      if (signal.aborted) throw new InterruptedError("stopped before the end; run it again");
    }
    return report;
  } finally {
    clearInterval(timer);
  }
}

function unfit(file: NamedEntry, hashed: Hashed): string | null {
  if ("error" in hashed) return `cannot be read: ${hashed.error}`;
  if (hashed.file.size !== file.size) return "changed while it was read";
  const named = /~([0-9a-f]{64})\./.exec(file.path)?.[1];
  return named === undefined || named === hashed.sha256
    ? null
    : "carries another checksum in its name";
}

async function link(
  tree: GuardedTree,
  files: readonly Adoptable[],
  options: AdoptOptions,
  report: AdoptReport,
): Promise<void> {
  if (files.length === 0) return;
  const ids = await options.mediaIds(files);
  const directories = new Set<string>();
  for (const [i, file] of files.entries()) {
    const id = ids[i];
    if (id === undefined) throw new Error("the inbox gave too few ids");
    const why = becomeObject(tree, file, id, options.owner);
    if (why !== null) {
      report.unfit.push({ path: file.path, why });
      continue;
    }
    directories.add(parentOf(file.path));
    report.adopted++;
    report.adoptedBytes += file.size;
  }
  for (const directory of directories) tree.sync(directory);
}

/**
 * Gives one file its object, if it is still the one that was hashed, as it was then.
 *
 * @returns why not; null where it is done
 */
function becomeObject(
  tree: GuardedTree,
  { path, sha256, hashed }: Adoptable,
  id: bigint,
  owner: Owner,
): string | null {
  return refused(path, () => {
    const info = tree.requireFile(path);
    const isSame = sameFile(info, hashed) && info.size === hashed.size &&
      info.mtime?.getTime() === Math.floor(hashed.mtimeMs) &&
      info.ctime?.getTime() === Math.floor(hashed.ctimeMs);
    if (!isSame) throw new ConfigurationError("it changed after it was read; run this again");
    // Before the link: what has an object has the worker's mode, and its bytes are on the disk.
    tree.settle(path, owner, OBJECT_MODE, hashed);
    linkObject(tree, { sha256, id }, path, hashed);
  });
}

/** What the kernel refuses of one file alone; a full or read-only disk is nobody's file. */
const OF_THIS_FILE = ["EPERM", "EACCES", "ENOENT", "ELOOP", "EMLINK"];

/**
 * Why the kernel, or the guard of the tree, refuses something for this file; null where neither does.
 *
 * @throws {ConfigurationError} what would be refused for every other file too, with the path that met it
 */
function refused(path: string, act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    const code = osCode(error);
    if (error instanceof ConfigurationError) return `cannot be made the worker's: ${error.message}`;
    if (code === undefined) throw error;
    if (!OF_THIS_FILE.includes(code)) {
      throw new ConfigurationError(cannot(`adopt ${path}`, error), { cause: error });
    }
    const hint = code === "EPERM" ? "; is it immutable? See lsattr, and chattr -i" : "";
    return `cannot be made the worker's: ${messageOf(error)}${hint}`;
  }
}

function modeOf(info: Deno.FileInfo): number {
  return (info.mode ?? 0) & 0o7777;
}
