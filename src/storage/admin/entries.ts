import { parseObjectName } from "../layout.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { ExternalSort } from "./external_sort.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import { isExact, LARGE_INODES, linksHidden, LinkView } from "./visible_links.ts";
import { joinByBytes } from "./join_by_bytes.ts";
import { secondsOf, type Strange, walkObjects, walkPublic } from "./walk.ts";

/** One public file, and what the tree says of its bytes. */
export interface Entry {
  /** Relative to the root. */
  readonly path: string;
  /** From the object that the file is a link to; null where there is none: nobody vouches for it. */
  readonly sha256: string | null;
  /** Bytes. */
  readonly size: number;
  /** The object's media id; null with `sha256`. */
  readonly mediaId: bigint | null;
  /** The object's file name, `<sha256>-<media id>[.N]`; null with `sha256`. */
  readonly object: string | null;
  /** When the bytes were written: seconds since the epoch, UTC. */
  readonly writtenAt: number;
}

export interface EntriesOptions {
  readonly signal: AbortSignal;
  /** Called for what does not belong where it is. */
  readonly strange?: Strange;
  /** Called for each name that is looked at. */
  readonly onName?: () => void;
  /**
   * Called with why links cannot be seen on this mount, before the bytes are read instead. Without it that is an
   * error: what only reads may guess by bytes, what writes may not.
   */
  readonly onHiddenLinks?: (why: string) => void;
}

/**
 * Every public file of a storage with its checksum, in the byte order of the paths, without reading a
 * byte of them: a public file is a hard link to its object, whose name is the checksum. Links are found
 * by inode, so names and objects are sorted by inode, joined, and sorted by path: constant memory, two
 * sorts on disk. (A map of inodes in memory took 460 MB for a million objects.)
 *
 * @throws {ConfigurationError} the file system does not show which names are one file
 */
export async function* entriesOf(
  tree: GuardedTree,
  prefixSize: number,
  { signal, strange = () => {}, onName = () => {}, onHiddenLinks }: EntriesOptions,
): AsyncGenerator<Entry> {
  const yielder = new EventLoopYielder(signal);
  const byInode = new ExternalSort(), view = new LinkView(tree);
  // Public files first: a worker that runs meanwhile makes the object before the name, so that whatever
  // is seen here has its object below.
  for (const { path, info } of walkPublic(tree, prefixSize, strange)) {
    onName();
    const pause = yielder.tick();
    if (pause) await pause;
    view.file(info);
    byInode.add(`${roundedInode(info)} 1 ${path} ${info.size} ${secondsOf(info)}`);
  }
  for (const { path, info } of walkObjects(tree, strange)) {
    onName();
    const pause = yielder.tick();
    if (pause) await pause;
    view.object(info);
    // One link is the object's own name: an attempt that died, or a media that was present already.
    if (info.nlink !== 1) {
      byInode.add(`${roundedInode(info)} 0 ${path.slice(path.lastIndexOf("/") + 1)}`);
    }
  }
  const byPath = new ExternalSort();
  const { hidden } = view;
  if (hidden !== null) {
    if (onHiddenLinks === undefined) throw linksHidden(tree.root, hidden);
    onHiddenLinks(`${hidden}: what belongs together is found out by reading every file`);
    for await (
      const { path, object, size, writtenAt } of joinByBytes(tree, prefixSize, signal)
    ) byPath.add(`${path}\t${object}\t${size}\t${writtenAt}`);
  }
  let inode = "", object = "";
  for (const line of hidden === null ? byInode.sorted() : []) {
    const [key = "", kind, name = "", size, writtenAt] = line.split(" ");
    if (key !== inode) [inode, object] = [key, ""];
    if (kind === "0") object = name;
    else byPath.add(`${name}\t${object}\t${size}\t${writtenAt}`);
  }
  for (const line of byPath.sorted()) {
    const pause = yielder.tick();
    if (pause) await pause;
    yield entry(line);
  }
}

function entry(line: string): Entry {
  const [path = "", object = "", size, writtenAt] = line.split("\t");
  return entryOf(path, object, Number(size), Number(writtenAt));
}

/** @param object its file name; empty where the file is a link to none */
export function entryOf(path: string, object: string, size: number, writtenAt: number): Entry {
  const known = parseObjectName(object);
  return {
    path,
    sha256: known?.sha256 ?? null,
    mediaId: known?.mediaId ?? null,
    object: known === null ? null : object,
    size,
    writtenAt,
  };
}

/** An inode as text that sorts as the number does. @throws {ConfigurationError} it is rounded */
export function inodeKey(root: string, info: Deno.FileInfo): string {
  if (!isExact(info)) throw linksHidden(root, LARGE_INODES);
  return roundedInode(info);
}

function roundedInode(info: Deno.FileInfo): string {
  return (info.ino ?? 0).toString(16).padStart(16, "0");
}
