import { createHash } from "node:crypto";
import { UsageError } from "../../errors.ts";
import { isUuid } from "../../media.ts";
import type { StorageIdentity } from "../storage.ts";
import type { Entry } from "./entries.ts";
import { nameEntry } from "./held_files.ts";
import { NamedFile } from "./named_file.ts";

/**
 * What `storage prove` says when a storage has every file that a manifest of another one lists: that it has
 * read their bytes, and of which files, in one number. Kept as JSON, for `storage purge --proof`.
 */
export interface Proof {
  /** Nothing is proven where a single file is not. */
  readonly proven: boolean;
  /** The storage that has the files. */
  readonly storage: string;
  readonly uuid: string;
  /** UUID of its inbox. */
  readonly inbox: string;
  readonly files: number;
  /** Of the files that were to be proven: `filesDigest`. */
  readonly digest: string;
}

/** As many bytes as no proof has. */
const MOST = 64 * 1024;

export function proofOf(
  { storage, uuid, inbox }: StorageIdentity,
  proven: boolean,
  { files, digest }: FilesDigest,
): Proof {
  return { proven, storage, uuid, inbox, files, digest };
}

/** Reads what `storage prove --json` has printed. @throws {UsageError} it is none, or says that nothing is proven */
export function readProof(path: string): Proof {
  const file = NamedFile.toRead(path);
  const proof = parse(file.text(MOST));
  file.close();
  if (proof === null) {
    throw new UsageError(
      `${path} is no proof; \`storage prove ROOT --manifest FILE --json\` makes one`,
    );
  }
  if (proof.proven) return proof;
  throw new UsageError(`${path} says that ${proof.storage} does not have all of the files`);
}

function parse(text: string): Proof | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: no proof.
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { proven, storage, uuid, inbox, files, digest } = value as Record<string, unknown>;
  if (
    typeof proven !== "boolean" || typeof storage !== "string" || typeof uuid !== "string" ||
    typeof inbox !== "string" || typeof files !== "number" || typeof digest !== "string" ||
    !isUuid(uuid) || !isUuid(inbox)
  ) return null;
  return { proven, storage, uuid, inbox, files, digest };
}

export interface FilesDigest {
  readonly files: number;
  /** 64 hexadecimal digits. */
  readonly digest: string;
}

/**
 * One number for a manifest's files: whose they are, their bytes' checksums, their sizes, in its order. Two
 * storages of an inbox that have the same files have the same, whatever their objects are called.
 */
export class FilesDigester {
  readonly #hash = createHash("sha256");
  #files = 0;

  constructor(private readonly prefixSize: number) {}

  add(entry: Entry): void {
    const name = nameEntry(entry, this.prefixSize);
    if (name === null) throw new UsageError(`${entry.path} is not the path of a media`);
    const { mediaType, ownerUuid, publicName, sha256, size } = name;
    this.#hash.update(`${mediaType}/${ownerUuid}/${publicName}\t${sha256}\t${size}\n`);
    this.#files++;
  }

  end(): FilesDigest {
    return { files: this.#files, digest: this.#hash.digest("hex") };
  }
}

/** Of a whole manifest. */
export function filesDigest(entries: Iterable<Entry>, prefixSize: number): FilesDigest {
  const digester = new FilesDigester(prefixSize);
  for (const entry of entries) digester.add(entry);
  return digester.end();
}
