import assert from "node:assert/strict";
import { statfsSync } from "node:fs";
import { StorageHeldError } from "../../../src/errors.ts";
import type { Media } from "../../../src/media.ts";
import { formatIdentity } from "../../../src/storage/identity.ts";
import { IDENTITY_PATH, OBJECT_MODE } from "../../../src/storage/layout.ts";
import { SKELETON } from "../../lab/first_format.ts";
import { openStorage, type OpenStorageOptions } from "../../../src/storage/open_storage.ts";
import type { Published, StorageIdentity, WriteOnceStorage } from "../../../src/storage/storage.ts";
import { sha256Of } from "../../support/media.ts";

/**
 * Where a test's directory is: on the disk, or in memory (tmpfs) where the test is about what the store
 * decides and not about what a disk keeps. Making and removing a skeleton of 262 directories takes 20 ms
 * there, and up to 600 on a disk that other tests keep busy.
 */
export type Place = "disk" | "memory";

/** A directory of its own, removed in the end. */
export class Scratch implements Disposable {
  readonly path: string;

  constructor(place: Place = "disk") {
    const dir = place === "memory" ? memoryDirectory() : {};
    this.path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "omoide-storage-", ...dir }));
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** A container may have little of it, or none. */
function memoryDirectory(): { dir?: string } {
  try {
    const { bavail, bsize } = statfsSync("/dev/shm");
    return bavail * bsize > 512 * 1024 * 1024 ? { dir: "/dev/shm" } : {};
  } catch {
    return {};
  }
}

export function newIdentity(change: Partial<StorageIdentity> = {}): StorageIdentity {
  const uuid = crypto.randomUUID();
  return { format: 1, storage: "hot", uuid, inbox: crypto.randomUUID(), prefixSize: 2, ...change };
}

/** What `initRoot` makes, without its 270 fsyncs. */
export function makeRoot(root: string, identity = newIdentity()): StorageIdentity {
  Deno.mkdirSync(root, { recursive: true });
  for (const { path, mode } of SKELETON) Deno.mkdirSync(`${root}/${path}`, { mode });
  Deno.writeTextFileSync(`${root}/${IDENTITY_PATH}`, formatIdentity(identity), {
    mode: OBJECT_MODE,
  });
  return identity;
}

/** A storage in a scratch directory of its own. */
export class TestStorage implements Disposable {
  readonly #scratch: Scratch;
  readonly root: string;
  readonly identity: StorageIdentity;
  readonly #opened: WriteOnceStorage[] = [];

  constructor(place: Place = "memory", identity: Partial<StorageIdentity> = {}) {
    this.#scratch = new Scratch(place);
    this.root = `${this.#scratch.path}/root`;
    this.identity = makeRoot(this.root, newIdentity(identity));
  }

  /** Opens it, waiting until nobody else holds it. */
  async open(options: OpenStorageOptions = {}): Promise<WriteOnceStorage> {
    for (;;) {
      try {
        const storage = await openStorage(this.root, { storage: "hot" }, {
          reserve: { bytes: 0 },
          ...options,
        });
        this.#opened.push(storage);
        return storage;
      } catch (error) {
        // A program that another test starts in this moment has the lock's handle until its exec.
        if (!(error instanceof StorageHeldError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
  }

  /** The path of what is relative to the root. */
  at(path: string): string {
    return `${this.root}/${path}`;
  }

  [Symbol.dispose](): void {
    for (const storage of this.#opened) storage.close();
    this.#scratch[Symbol.dispose]();
  }
}

/** `size` bytes that look like nothing else. */
export function someBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}

/** How a media's bytes are handed over: in one go, or in pieces. */
export const WAYS = ["in one go", "in pieces"] as const;
export type Way = (typeof WAYS)[number];

/** Stores one media in a batch of its own. */
export async function store(
  storage: WriteOnceStorage,
  media: Media,
  bytes: Uint8Array,
  way: Way = "in one go",
): Promise<Published> {
  const batch = await storage.beginBatch();
  if (way === "in one go") {
    await batch.storeBytes(media, bytes);
  } else {
    const writer = await batch.createObject(media);
    for (let at = 0; at < bytes.length; at += 65_536) {
      await writer.write(bytes.subarray(at, at + 65_536));
    }
    await writer.close();
  }
  return await batch.publish();
}

/** Stores one media and returns how and where; fails where it was not stored. */
export async function storeOne(
  storage: WriteOnceStorage,
  media: Media,
  bytes: Uint8Array,
  way: Way = "in one go",
): Promise<{ outcome: string; path: string | null }> {
  const { stored, notStored, paused } = await store(storage, media, bytes, way);
  if (paused !== null) throw paused;
  if (notStored[0] !== undefined) throw notStored[0].error;
  assert.equal(stored.length, 1);
  assert.equal(stored[0]?.media, media);
  return { outcome: stored[0].outcome, path: stored[0].path };
}

/** The names of all objects, sorted. */
export function objectsIn(root: string): string[] {
  const names = [];
  for (const directory of Deno.readDirSync(`${root}/.omoide/objects`)) {
    for (const { name } of Deno.readDirSync(`${root}/.omoide/objects/${directory.name}`)) {
      names.push(name);
    }
  }
  return names.sort();
}

/** What is at each path below a directory, in words that change when anything does; sorted. */
export function describeTree(directory: string, prefix = ""): string[] {
  const lines = [];
  for (const { name } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    const found = Deno.lstatSync(path);
    const kind = found.isSymlink
      ? `link to ${Deno.readLinkSync(path)}`
      : found.isDirectory
      ? "directory"
      : found.isFile
      ? `file ${found.ino} ${sha256Of(Deno.readFileSync(path))}`
      : "special";
    lines.push(`${prefix}${name}: ${kind} ${((found.mode ?? 0) & 0o7777).toString(8)}`);
    if (found.isDirectory) lines.push(...describeTree(path, `${prefix}${name}/`));
  }
  return lines.sort();
}
