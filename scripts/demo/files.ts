import { randomFillSync } from "node:crypto";
import { basename, extname, join, resolve } from "node:path";
import type { Description } from "../../src/inbox/application/submit.ts";
import { isExt } from "../../src/media.ts";
import { printLine } from "../../src/terminal.ts";

/** A file to be submitted. */
export interface DemoFile {
  readonly description: Description;
  /** Bytes. */
  readonly size: number;
  /** What people know it by. */
  readonly name: string;
  content(): AsyncIterable<Uint8Array>;
}

const KiB = 1024;
const MiB = 1024 * KiB;

/** Every regular file below a folder, as the contents of one owner's items. */
export async function filesOf(folder: string): Promise<DemoFile[]> {
  const ownerUuid = crypto.randomUUID();
  const files: DemoFile[] = [];
  for (const path of await regularFiles(resolve(folder))) {
    const ext = extname(path).slice(1);
    files.push({
      name: path,
      size: (await Deno.stat(path)).size,
      description: {
        ownerUuid,
        itemUuid: crypto.randomUUID(),
        mediaType: "content",
        ext: isExt(ext) ? ext : "bin",
      },
      content: () => readPieces(path),
    });
  }
  if (files.length === 0) throw new Error(`there are no files in ${folder}; name another folder`);
  return files;
}

async function regularFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) found.push(...await regularFiles(path));
    else if (entry.isFile) found.push(path);
    else printLine(`  left out, since it is a link or a device: ${basename(path)}`);
  }
  return found.sort();
}

async function* readPieces(path: string): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  const piece = new Uint8Array(MiB);
  for (;;) {
    const length = await file.read(piece);
    if (length === null) return;
    yield piece.subarray(0, length);
  }
}

/**
 * What a few people upload in a minute: pictures of 1–5 MB with preview and thumbnail, a video, the same
 * picture twice, another picture under a name that is taken, and an empty file.
 */
export function generatedFiles(): DemoFile[] {
  const owners = Array.from({ length: 3 }, () => crypto.randomUUID());
  const files: DemoFile[] = [];
  const add = (name: string, description: Description, size: number, content = randomPieces) => {
    files.push({ name, description, size, content: () => content(size) });
  };
  for (let i = 0; i < 60; i++) {
    const ownerUuid = owners[i % owners.length] ?? "";
    const itemUuid = crypto.randomUUID();
    add(
      `picture ${i}`,
      { ownerUuid, itemUuid, mediaType: "content", ext: "jpg" },
      between(1, 5 * MiB),
    );
    add(
      `preview ${i}`,
      { ownerUuid, itemUuid, mediaType: "preview", ext: "webp" },
      between(90 * KiB, 300 * KiB),
    );
    add(
      `thumbnail ${i}`,
      { ownerUuid, itemUuid, mediaType: "thumbnail", ext: "webp" },
      between(8 * KiB, 30 * KiB),
    );
  }
  const [ownerUuid = ""] = owners;
  const video = {
    ownerUuid,
    itemUuid: crypto.randomUUID(),
    mediaType: "content",
    ext: "mp4",
  } as const;
  add("video", video, 192 * MiB);
  const twice = {
    ownerUuid,
    itemUuid: crypto.randomUUID(),
    mediaType: "content",
    ext: "jpg",
  } as const;
  const same = new Uint8Array(2 * MiB);
  randomFillSync(same);
  const repeated = async function* () {
    yield same;
  };
  add("a picture", twice, same.length, repeated);
  add("the same picture again", twice, same.length, repeated);
  add("another picture under its name", twice, 3 * MiB);
  add("an empty file", { ...twice, itemUuid: crypto.randomUUID(), ext: "txt" }, 0);
  return files;
}

function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least));
}

async function* randomPieces(size: number): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(Math.min(size, MiB));
  for (let left = size; left > 0; left -= piece.length) {
    await Promise.resolve();
    const part = piece.subarray(0, left);
    randomFillSync(part);
    yield part;
  }
}
