import { join } from "node:path";
import type { pg } from "../../src/inbox/pg.ts";
import { type Expected } from "./expected.ts";
import { type Entry, readTree } from "./tree.ts";
import { sha256Of } from "../support/media.ts";

/** A promise of a storage about one media, as the inbox keeps it. */
export interface Receipt {
  readonly mediaId: bigint;
  readonly outcome: string;
  /** Relative to the root. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export async function receiptsOf(database: pg.Client, storage: string): Promise<Receipt[]> {
  const { rows } = await database.query(
    `SELECT media_id, outcome, path, size, encode(sha256, 'hex') AS sha256
     FROM omoide.receipt WHERE storage = $1`,
    [storage],
  );
  return rows.map((row) => ({
    mediaId: BigInt(row.media_id),
    outcome: row.outcome,
    path: row.path,
    size: Number(row.size),
    sha256: row.sha256,
  }));
}

/** I1: each receipt's file is there with its bytes. @returns what is wrong, one line each */
export async function brokenReceipts(
  root: string,
  receipts: readonly Receipt[],
): Promise<string[]> {
  const broken: string[] = [];
  for (const receipt of receipts) {
    const wrong = await whatIsWrong(root, receipt);
    if (wrong !== null) broken.push(`I1: media ${receipt.mediaId} at ${receipt.path} ${wrong}`);
  }
  return broken;
}

async function whatIsWrong(root: string, receipt: Receipt): Promise<string | null> {
  try {
    const info = await Deno.lstat(join(root, receipt.path));
    if (!info.isFile) return "is no regular file";
    const bytes = await Deno.readFile(join(root, receipt.path));
    if (bytes.length !== receipt.size) return `has ${bytes.length} of ${receipt.size} bytes`;
    return sha256Of(bytes) === receipt.sha256 ? null : "has other bytes";
  } catch (error) {
    return `cannot be read: ${error}`;
  }
}

/** I3: under each public name are bytes that were submitted for it. */
export function wrongNames(tree: ReadonlyMap<string, Entry>, expected: Expected): string[] {
  const wrong: string[] = [];
  for (const [path, entry] of tree) {
    if (path.startsWith(".omoide") || path === "lost+found" || entry.kind === "directory") continue;
    if (entry.kind === "file" && expected.allows(path, entry.sha256 ?? "")) continue;
    wrong.push(
      `I3: ${path} shows ${entry.kind === "file" ? `${entry.size} wrong bytes` : entry.kind}`,
    );
  }
  return wrong;
}

/** I4 and I6: what was there is there, the same file with the same bytes. */
function changedNames(
  before: ReadonlyMap<string, Entry>,
  after: ReadonlyMap<string, Entry>,
): string[] {
  const changed: string[] = [];
  for (const [path, was] of before) {
    const is = after.get(path);
    if (is === undefined) changed.push(`I6: ${path} disappeared`);
    else if (is.kind !== was.kind || is.inode !== was.inode) changed.push(`I4: ${path} is another`);
    else if (was.kind === "file" && is.sha256 !== was.sha256) changed.push(`I4: ${path} changed`);
  }
  return changed;
}

/** I2: what left the inbox is held by every storage that was required then, and by enough of them. */
export async function releasedTooEarly(database: pg.Client): Promise<string[]> {
  const { rows } = await database.query(
    `SELECT m.id FROM omoide.media m CROSS JOIN omoide.settings
     CROSS JOIN LATERAL (
       SELECT max(t.stored_at) AS at FROM omoide.stored t WHERE t.media_id = m.id) AS released
     WHERE NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id)
       AND ((SELECT count(*) FROM omoide.stored t WHERE t.media_id = m.id) < min_copies
         OR EXISTS (
           SELECT FROM omoide.storage s
           WHERE s.required_since <= released.at
             AND (s.retired_at IS NULL OR s.retired_at > released.at)
             AND NOT EXISTS (
               SELECT FROM omoide.stored t WHERE t.media_id = m.id AND t.storage_id = s.id)))`,
  );
  return rows.map(({ id }) => `I2: media ${id} left the inbox without the copies it needs`);
}

/**
 * Nothing that was committed is gone: the inbox still knows it by its checksum, and has either its bytes
 * or the receipts of every storage named.
 */
async function lostMedia(
  database: pg.Client,
  expected: Expected,
  storages: readonly string[],
): Promise<string[]> {
  const { rows } = await database.query(
    `SELECT m.id::text, encode(m.sha256, 'hex') AS sha256, m.size::text,
       (SELECT coalesce(sum(octet_length(c.bytes)), 0)::text FROM omoide.media_chunk c
        WHERE c.media_id = m.id) AS held,
       NOT EXISTS (SELECT FROM omoide.waiting w WHERE w.media_id = m.id) AS released,
       ARRAY(SELECT r.storage::text FROM omoide.receipt r WHERE r.media_id = m.id) AS receipts
     FROM omoide.media m`,
  );
  const known = new Map(rows.map((row) => [row.id as string, row]));
  const lost: string[] = [];
  for (const media of expected.media) {
    const row = known.get(String(media.id));
    if (row?.sha256 !== media.sha256) lost.push(`media ${media.id} is unknown to the inbox`);
    else if (!row.released && row.held !== row.size) lost.push(`media ${media.id} lost its blob`);
    else if (row.released && !storages.every((name) => row.receipts.includes(name))) {
      lost.push(`media ${media.id} was released with receipts of ${row.receipts}`);
    }
  }
  return lost;
}

/**
 * I7: what is still coming in is no media, owed to nobody and stored nowhere, and has every byte that it was
 * told to have; and nothing unsealed was ever committed.
 */
export async function wrongUploads(database: pg.Client): Promise<string[]> {
  const { rows } = await database.query<{ line: string }>(
    `SELECT format('I7: media %s is not sealed', o.media_id) AS line FROM omoide.opened o
     UNION ALL
     SELECT format('I7: upload %s is not finished, and a media, a delivery or a receipt', u.id)
     FROM omoide.upload u WHERE u.media_id IS NULL AND (
       EXISTS (SELECT FROM omoide.media m WHERE m.id = u.id)
       OR EXISTS (SELECT FROM omoide.delivery d WHERE d.media_id = u.id)
       OR EXISTS (SELECT FROM omoide.stored t WHERE t.media_id = u.id))
     UNION ALL
     SELECT format('I7: upload %s of %s bytes has %s of its %s chunks', u.id, u.size, c.n, u.chunks)
     FROM omoide.upload u CROSS JOIN LATERAL (
       SELECT count(*) AS n, coalesce(sum(octet_length(k.bytes)), 0) AS bytes
       FROM omoide.media_chunk k WHERE k.media_id = u.id) AS c
     WHERE u.media_id IS NULL AND u.expires_at > now()
       AND (c.n <> u.chunks OR c.bytes <> least(u.chunks * 262144::bigint, u.size))`,
  );
  return rows.map(({ line }) => line);
}

/** I8: once nothing is in the inbox, nothing is charged for being there: what expired was given back. */
export async function chargedForNothing(database: pg.Client): Promise<string[]> {
  const { rows: [inbox] } = await database.query<{ bytes: string; media: string }>(
    `SELECT coalesce(sum(bytes), 0)::text AS bytes, coalesce(sum(media), 0)::text AS media
     FROM omoide.ledger WHERE day = '-infinity'`,
  );
  if (inbox?.bytes === "0" && inbox.media === "0") return [];
  return [`I8: an empty inbox is charged ${inbox?.bytes} bytes and ${inbox?.media} media`];
}

/** I5: nothing is owed any more, nothing parked, and no blob left behind by what a worker's sweep empties. */
export async function undrained(database: pg.Client): Promise<string[]> {
  const { rows: [storage] } = await database.query(
    "SELECT role FROM omoide.storage WHERE retired_at IS NULL LIMIT 1",
  );
  await database.query(
    `SET SESSION AUTHORIZATION ${storage.role}; SELECT omoide.recycle(true); RESET SESSION AUTHORIZATION`,
  );
  const { rows } = await database.query(
    `SELECT format('I5: %s owes media %s (attempts %s, %s)', storage, media_id, attempts,
       coalesce(last_error, 'no error')) AS line FROM omoide.owed
     UNION ALL
     SELECT format('I5: the blob of media %s is still there', media_id)
     FROM omoide.media_chunk GROUP BY media_id`,
  );
  return rows.map(({ line }) => line);
}

/** Everything that the roots and the inbox can be asked at the end of a scenario. @throws with all of it */
export async function requireInvariants(given: {
  readonly database: pg.Client;
  readonly storages: readonly { readonly name: string; readonly root: string }[];
  readonly expected: Expected;
  /** By storage: its tree before the faults, see `readTree`. */
  readonly before?: ReadonlyMap<string, ReadonlyMap<string, Entry>>;
  /** False where something is meant to be left, such as a parked media. */
  readonly drained?: boolean;
}): Promise<void> {
  const { database, storages, expected } = given;
  const wrong = [
    ...await releasedTooEarly(database),
    ...await lostMedia(database, expected, storages.map(({ name }) => name)),
    ...await wrongUploads(database),
    ...(given.drained ?? true ? await undrained(database) : []),
  ];
  for (const { name, root } of storages) {
    const tree = await readTree(root);
    const found = [
      ...await brokenReceipts(root, await receiptsOf(database, name)),
      ...wrongNames(tree, expected),
      ...changedNames(given.before?.get(name) ?? new Map(), tree),
    ];
    wrong.push(...found.map((line) => `${name}: ${line}`));
  }
  if (wrong.length === 0) return;
  throw new Error(
    `${wrong.length} promises broken:\n${wrong.slice(0, 30).join("\n")}`,
  );
}
