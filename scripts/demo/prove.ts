import { createHash } from "node:crypto";
import { join } from "node:path";
import { MEDIA_TYPES } from "../../src/media.ts";
import { connectAsAdmin } from "../lib/connect_as_admin.ts";
import type { Submitted } from "./submit.ts";
import type { DemoStorage } from "./system.ts";

export interface Proof {
  /** Files read again, in all storages. */
  readonly files: number;
  /** Bytes read again, in all storages. */
  readonly bytes: number;
  /** Everything that is not as it should be, one sentence each. */
  readonly faults: readonly string[];
  readonly outcomes: Readonly<Record<string, number>>;
}

interface Receipt {
  readonly storage: string;
  readonly media_id: string;
  readonly path: string;
  readonly outcome: string;
}

/**
 * Reads every file of every storage again and compares it with what was submitted, believing neither
 * workers nor inbox; then sees that the inbox is empty.
 */
export async function prove(
  database: string,
  storages: readonly DemoStorage[],
  submitted: ReadonlyMap<bigint, Submitted>,
  onFile: () => void,
): Promise<Proof> {
  const { receipts, chunks, unreleased } = await askInbox(database);
  const faults: string[] = [];
  if (chunks > 0) faults.push(`the inbox still holds ${chunks} chunks that nobody waits for`);
  if (unreleased > 0) faults.push(`${unreleased} media are not released`);
  const outcomes: Record<string, number> = {};
  let files = 0;
  let bytes = 0;
  for (const { name, root } of storages) {
    const expected = new Set<string>();
    const mine = new Map(
      receipts.filter(({ storage }) => storage === name).map((
        each,
      ) => [BigInt(each.media_id), each]),
    );
    for (const [id, { file, sha256 }] of submitted) {
      const receipt = mine.get(id);
      if (receipt === undefined) {
        faults.push(`${name} has no receipt for ${file.name}`);
        continue;
      }
      outcomes[receipt.outcome] = (outcomes[receipt.outcome] ?? 0) + 1;
      expected.add(receipt.path);
      const found = await hashFile(join(root, receipt.path));
      if (found.sha256 !== sha256) faults.push(`${name}: ${receipt.path} is not ${file.name}`);
      files += 1;
      bytes += found.bytes;
      onFile();
    }
    for (const path of await publicFiles(root)) {
      if (!expected.has(path)) faults.push(`${name}: ${path} was never submitted`);
    }
  }
  return { files, bytes, faults, outcomes };
}

async function askInbox(database: string) {
  const connection = await connectAsAdmin(database, "demo proof");
  try {
    const { rows: receipts } = await connection.query<Receipt>(
      "SELECT storage, media_id, path, outcome FROM omoide.receipt",
    );
    const { rows: [left] } = await connection.query<{ chunks: string; unreleased: string }>(
      // What has left goes with its generation, at the next sweep at the latest.
      "SELECT (SELECT count(*) FROM omoide.media_chunk c LEFT JOIN omoide.media m ON m.id = c.media_id " +
        "LEFT JOIN omoide.waiting w USING (media_id) WHERE m.id IS NULL OR w.size IS NOT NULL) AS chunks, " +
        "(SELECT count(*) FROM omoide.waiting) AS unreleased",
    );
    return { receipts, chunks: Number(left?.chunks), unreleased: Number(left?.unreleased) };
  } finally {
    await connection.end();
  }
}

async function hashFile(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    const file = await Deno.open(path);
    for await (const piece of file.readable) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { sha256: "no file", bytes };
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** Paths relative to the root of everything that a reader can see. */
async function publicFiles(root: string): Promise<string[]> {
  const walk = async (directory: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(join(root, directory))) {
      const path = `${directory}/${name}`;
      if (isDirectory) found.push(...await walk(path));
      else found.push(path);
    }
    return found;
  };
  return (await Promise.all(MEDIA_TYPES.map(walk))).flat();
}
