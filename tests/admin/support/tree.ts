import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { publicPath } from "../../../src/storage/layout.ts";
import { objectPath } from "../../lab/first_format.ts";
import type { Media } from "../../../src/media.ts";
import type { StorageIdentity } from "../../../src/storage/storage.ts";
import { mediaOf } from "../../support/media.ts";

/** A media as a worker has stored it, with its bytes. */
export interface Planted extends Media {
  readonly bytes: Uint8Array;
  /** Relative to the root. */
  readonly object: string;
  readonly path: string;
}

export function identityOf(
  storage: string,
  inbox: string,
  more: Partial<StorageIdentity> = {},
): StorageIdentity {
  return { format: 1, storage, uuid: randomUUID(), inbox, prefixSize: 2, ...more };
}

/** A storage in a new directory below the given one. */
export function makeStorage(parent: string, identity: StorageIdentity): string {
  const root = `${parent}/${identity.storage}`;
  Deno.mkdirSync(root, { recursive: true, mode: 0o750 });
  Deno.chmodSync(root, 0o750);
  initRoot(root, identity);
  return root;
}

/** A media with its bytes, random ones unless they are given, and where a storage has it. */
export function makeMedia(
  { bytes = randomBytes(100 + randomInt(1000)), ...given }:
    & Partial<Media>
    & { readonly bytes?: Uint8Array } = {},
): Planted {
  const media = { ...mediaOf(bytes, given), bytes };
  return { ...media, object: objectPath(media), path: publicPath(media, 2) };
}

/** Puts a media into a root as a worker leaves it. */
export function plant(root: string, media: Planted): Planted {
  const make = (path: string) => {
    const parts = path.split("/").slice(0, -1);
    for (let i = 1; i <= parts.length; i++) {
      const directory = `${root}/${parts.slice(0, i).join("/")}`;
      try {
        Deno.mkdirSync(directory);
        Deno.chmodSync(directory, 0o750);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  };
  make(media.path);
  Deno.writeFileSync(`${root}/${media.object}`, media.bytes, { createNew: true, mode: 0o440 });
  Deno.linkSync(`${root}/${media.object}`, `${root}/${media.path}`);
  return media;
}

/** Changes one bit of a file, as a rotting disk does. */
export function flipBit(path: string, bit = 0): void {
  Deno.chmodSync(path, 0o640);
  const bytes = Deno.readFileSync(path);
  const at = Math.floor(bit / 8) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit % 8);
  Deno.writeFileSync(path, bytes);
  Deno.chmodSync(path, 0o440);
}

/** Names in the objects' directories of a storage. */
export function objectsOf(root: string): string[] {
  return [...Deno.readDirSync(`${root}/.omoide/objects`)].flatMap(({ name }) =>
    [...Deno.readDirSync(`${root}/.omoide/objects/${name}`)].map((entry) => `${name}/${entry.name}`)
  );
}

/** What the audit log of a storage says, oldest first. */
export function auditLogOf(root: string): { action: string }[] {
  return Deno.readTextFileSync(`${root}/.omoide/record.jsonl`).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
}
