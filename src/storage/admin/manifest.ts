import { UsageError } from "../../errors.ts";
import { isSha256 } from "../../media.ts";
import { parseUtc } from "../../units.ts";
import { parseObjectName, parsePublicPath } from "../layout.ts";
import type { StorageIdentity } from "../storage.ts";
import type { Entry } from "./entries.ts";
import { NamedFile } from "./named_file.ts";

/**
 * A storage's list of contents as a file: whose it is, then one line for each public file in the byte
 * order of their paths: checksum, bytes, object, when written, path; tabs between. It is plain text so
 * that it can be filtered and, with nothing of this project at hand, checked:
 * `awk -F'\t' '!/^#/ {print $1 "  " $5}' MANIFEST | (cd ROOT && sha256sum --check)`.
 */
const FIRST_LINE = "# omoide manifest 1 ";

export type ManifestOwner = Pick<StorageIdentity, "storage" | "uuid" | "inbox" | "prefixSize">;

/** The lines before the entries. */
export function manifestHead(identity: ManifestOwner, madeAt: Date): string {
  const { storage, uuid, inbox, prefixSize } = identity;
  const facts = { storage, uuid, inbox, prefixSize, madeAt: madeAt.toISOString() };
  return `${FIRST_LINE}${JSON.stringify(facts)}\n# sha256\tbytes\tobject\twritten at (UTC)\tpath\n`;
}

/** One entry's line; null where its bytes are not vouched for and so cannot be listed. */
export function manifestLine(entry: Entry): string | null {
  if (entry.sha256 === null) return null;
  const writtenAt = new Date(entry.writtenAt * 1000).toISOString().replace(".000Z", "Z");
  return `${entry.sha256}\t${entry.size}\t${entry.object}\t${writtenAt}\t${entry.path}\n`;
}

/** A manifest being read. */
export interface Manifest {
  readonly owner: ManifestOwner;
  /** In order, each checked; throws at the first line that is none, or out of order. */
  entries(): Generator<Entry>;
}

/** Opens a manifest. @throws {UsageError} a file that is none */
export function openManifest(path: string): Manifest {
  const file = NamedFile.toRead(path);
  const first = lines(file).next().value ?? "";
  if (!first.startsWith(FIRST_LINE)) {
    throw new UsageError(`${path} is not a manifest; \`storage manifest ROOT\` makes one`);
  }
  const owner = parseOwner(path, first.slice(FIRST_LINE.length));
  return { owner, entries: () => parseEntries(file, owner.prefixSize) };
}

function parseOwner(file: string, json: string): ManifestOwner {
  try {
    const facts: unknown = JSON.parse(json);
    if (
      typeof facts === "object" && facts !== null && "storage" in facts && "uuid" in facts &&
      "inbox" in facts && "prefixSize" in facts && typeof facts.storage === "string" &&
      typeof facts.uuid === "string" && typeof facts.inbox === "string" &&
      typeof facts.prefixSize === "number"
    ) {
      const { storage, uuid, inbox, prefixSize } = facts;
      return { storage, uuid, inbox, prefixSize };
    }
  } catch {
    // Reported below, as any other damage.
  }
  throw new UsageError(`${file} is damaged: its first line does not say which storage it lists`);
}

function* parseEntries(file: NamedFile, prefixSize: number): Generator<Entry> {
  let before = "", number = 0;
  for (const line of lines(file)) {
    number++;
    if (line === "" || line.startsWith("#")) continue;
    const fail = (why: string) => new UsageError(`${file.path}, line ${number}: ${why}`);
    const [sha256 = "", size = "", object = "", writtenAt = "", path = "", ...more] = line.split(
      "\t",
    );
    if (!isSha256(sha256) || !/^[0-9]+$/.test(size) || more.length > 0) {
      throw fail("is not sha256, bytes, object, time and path");
    }
    const name = parseObjectName(object);
    if (name === null || name.sha256 !== sha256) throw fail(`${object} is not its object`);
    const seconds = parseUtc(writtenAt);
    if (seconds === null) throw fail(`${JSON.stringify(writtenAt)} is not a time`);
    if (parsePublicPath(path, prefixSize) === null) {
      throw fail(`${JSON.stringify(path)} is not the path of a media`);
    }
    if (path <= before) throw fail("is out of order; `LC_ALL=C sort -t$'\\t' -k5` fixes that");
    before = path;
    yield { path, sha256, size: Number(size), object, mediaId: name.mediaId, writtenAt: seconds };
  }
}

function* lines(file: NamedFile): Generator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for (const piece of file.pieces()) {
    const found = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = found.pop() ?? "";
    yield* found;
  }
  if (rest !== "") yield rest;
}
