import { InterruptedError } from "../../errors.ts";
import { OBJECTS_DIRECTORY, PRIVATE_DIRECTORY } from "../layout.ts";
import type { StorageIdentity } from "../storage.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { checkLinks } from "./check_links.ts";
import { inodeKey } from "./entries.ts";
import { ExternalSort } from "./external_sort.ts";
import type { VerifyFinding, VerifyKind } from "./findings.ts";
import { type Hashed, HashPool } from "./hash_pool.ts";
import { GuardedTree, sameFile } from "./guarded_tree.ts";
import type { DirectoryResult, Journal } from "./journal.ts";
import { isHeld } from "./open_for_admin.ts";
import { ModeCheck } from "./mode_check.ts";
import { requireVisibleLinks } from "./visible_links.ts";
import { unexpectedAtTheTop, walkObjectDirectory, walkPublic } from "./walk.ts";

/** A worker publishes a batch some seconds after it has written it; a slow disk takes longer. */
const UNSETTLED_MS = 60_000;
/** How far this machine's clock and its file systems' may differ. */
const CLOCKS_MS = 2000;

export interface VerifyOptions {
  /** Files read at once. */
  readonly parallel: number;
  /** Limit on reading; 0 for none. */
  readonly bytesPerSecond: number;
  /** The share of the objects to read, each drawn by chance: above 0, at most 1. */
  readonly fraction: number;
  readonly journal: Pick<Journal, "done" | "add"> | null;
  /** Stops at the next file. */
  readonly signal: AbortSignal;
  /** Called with the bytes that have been read, and the share of all directories, 0 to 1. */
  readonly progress: (done: { readonly bytes: number; readonly read: number }) => void;
}

export interface VerifyReport {
  /** Objects read, now or according to the journal, and their bytes. */
  objects: number;
  bytes: number;
  /** Objects and public files seen. */
  objectsSeen: number;
  publicFiles: number;
  readonly findings: VerifyFinding[];
  interrupted: boolean;
}

/**
 * Reads every object of a storage against the checksum in its name and looks at every name in the tree.
 * Read-only. Objects without a public name are never harm: a worker may be writing them just now.
 *
 * Objects are read directory by directory, each in the order of inodes, which on a rotating disk is
 * near the order of the blocks.
 */
export async function verify(
  root: string,
  identity: StorageIdentity,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const report: VerifyReport = {
    objects: 0,
    bytes: 0,
    objectsSeen: 0,
    publicFiles: 0,
    findings: [],
    interrupted: false,
  };
  const find = (kind: VerifyKind, path: string, detail: string) => {
    report.findings.push({ kind, path, detail });
  };
  const strange = (path: string, why: string) => find("unexpected", path, why);
  const links = new ExternalSort();
  const startedAt = Date.now();
  const tree = new GuardedTree(root, identity.format);
  await requireVisibleLinks(tree, identity.prefixSize, options.signal);
  unexpectedAtTheTop(tree, strange);
  const check = new ModeCheck(root, find);
  for (const path of [PRIVATE_DIRECTORY, OBJECTS_DIRECTORY, ...tree.objects.directories]) {
    const info = lookOrNull(tree, path);
    if (info?.isDirectory) check.directory(path, info);
  }

  using pool = new HashPool(
    root,
    options.parallel,
    options.bytesPerSecond,
    options.signal,
  );
  let read = 0;
  const timer = setInterval(() => options.progress({ bytes: pool.bytes, read }), 200);

  // What a worker that runs now wrote last may be about to get its public name.
  const unsettled = await isHeld(root) ? UNSETTLED_MS : 0;
  const published = new Set<string>();

  /** Walks through the objects and yields those to be read. */
  function* chosen(): Generator<Chosen> {
    for (const directory of tree.objects.directories) {
      const here: Chosen[] = [];
      published.clear();
      const known = options.journal?.done.get(directory);
      for (const object of walkObjectDirectory(tree, directory, strange)) {
        const { path, name, info } = object;
        report.objectsSeen++;
        check.object(object);
        links.add(`${inodeKey(root, info)} 0 ${path} ${info.nlink}`);
        if (known !== undefined) continue;
        if (options.fraction < 1 && Math.random() >= options.fraction) continue;
        const { dev, ino, size, nlink } = info;
        const settled = (info.mtime?.getTime() ?? 0) <= startedAt - unsettled;
        const linked = nlink !== 1;
        if (linked) published.add(name.sha256);
        here.push({ directory, path, sha256: name.sha256, dev, ino, size, linked, settled });
      }
      if (known !== undefined) add(report, known);
      for (const each of here.sort((a, b) => (a.ino ?? 0) - (b.ino ?? 0))) {
        yield each.linked ? each : { ...each, missed: !published.has(each.sha256) };
      }
    }
  }

  try {
    // Across directories, since those of a small storage hold too little to keep two threads busy.
    for await (const result of byDirectory(pool.hashAll(chosen()))) {
      options.journal?.add(result);
      add(report, result);
      read = (tree.objects.directories.indexOf(result.directory) + 1) /
        tree.objects.directories.length;
    }
    const yielder = new EventLoopYielder(options.signal);
    const onDirectory = (path: string, info: Deno.FileInfo) => check.directory(path, info);
    for (const { path, info } of walkPublic(tree, identity.prefixSize, strange, onDirectory)) {
      report.publicFiles++;
      // A worker's file that is newer than the walk through the objects has its object all the same.
      const isNew = info.nlink !== 1 && (info.ctime?.getTime() ?? 0) >= startedAt - CLOCKS_MS;
      links.add(`${inodeKey(root, info)} 1 ${path} ${isNew ? "new" : ""}`);
      const pause = yielder.tick();
      if (pause) await pause;
    }
    checkLinks(links.sorted(), report.findings, find);
    return report;
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    report.interrupted = true;
    return report;
  } finally {
    clearInterval(timer);
  }
}

interface Chosen {
  readonly directory: string;
  readonly path: string;
  readonly sha256: string;
  readonly dev: number;
  readonly ino: number | null;
  readonly size: number;
  /** Whether it has a public name. */
  readonly linked: boolean;
  /** Whether nobody can be just about to give it one. */
  readonly settled: boolean;
  /** Whether no object of these bytes has a public name. */
  readonly missed?: boolean;
}

function add(report: VerifyReport, { objects, bytes, findings }: DirectoryResult): void {
  report.objects += objects;
  report.bytes += bytes;
  report.findings.push(...findings.map((finding) => ({ ...finding })));
}

/** Gathers what comes in the order of directories; an empty one gives nothing. */
async function* byDirectory(
  results: AsyncIterable<{ thing: Chosen; hashed: Hashed }>,
): AsyncGenerator<DirectoryResult> {
  let directory = "", objects = 0, bytes = 0, findings: VerifyFinding[] = [];
  for await (const { thing, hashed } of results) {
    if (thing.directory !== directory) {
      if (objects > 0) yield { directory, objects, bytes, findings };
      [directory, objects, bytes, findings] = [thing.directory, 0, 0, []];
    }
    objects++;
    if ("file" in hashed) bytes += hashed.file.size;
    const finding = judge(thing, hashed);
    if (finding !== null) findings.push(finding);
  }
  if (objects > 0) yield { directory, objects, bytes, findings };
}

function judge(object: Chosen, hashed: Hashed): VerifyFinding | null {
  const { path } = object;
  if ("error" in hashed) return { kind: "unreadable", path, detail: hashed.error };
  if (!sameFile(hashed.file, object)) {
    return { kind: "unreadable", path, detail: "was replaced while the storage was read" };
  }
  const isRight = hashed.sha256 === object.sha256;
  if (!object.linked) {
    // Wrong bytes without a public name are an orphan, reported later: it may be in the making.
    if (!isRight || !object.settled || object.missed !== true) return null;
    return {
      kind: "unlinked",
      path,
      detail:
        "has the right bytes, but no public name; `storage sync` from another storage gives one",
    };
  }
  if (isRight) return null;
  return {
    kind: "corrupt",
    path,
    detail: `has ${hashed.file.size} bytes with the checksum ${hashed.sha256}`,
  };
}

function lookOrNull(tree: GuardedTree, path: string): Deno.FileInfo | null {
  try {
    return tree.look(path);
  } catch {
    // Reported as unexpected already.
    return null;
  }
}
