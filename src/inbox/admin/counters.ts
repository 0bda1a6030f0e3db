/** The counters that `inbox status` reads, against what they count. */
import type { Connection } from "../connect.ts";
import type { Tally } from "../status/status.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";

/** Blocks of 4,096 media that one statement counts: 0.3 s, and then its locks and its snapshot go. */
const BLOCKS = 64;

/**
 * Counts every block again that has changed since it was counted, for whoever has just changed many: a
 * sweep counts 16 at a time. Each statement is a transaction. Ends early where a worker's sweep is at it.
 */
export async function foldHoldings(connection: Connection): Promise<void> {
  for (;;) {
    const [row] = await ask<{ left: number }>(
      connection,
      `SELECT omoide.fold_holdings(${BLOCKS}) AS left`,
    );
    if ((row?.left ?? 0) === 0) return;
  }
}

/** A counter that is not what was counted. */
export interface Miscount {
  /** What it counts, in words. */
  readonly what: string;
  readonly counter: Tally;
  readonly counted: Tally;
}

/** What a recount came to. */
export interface Recount {
  /** Media that were counted: those that some storage has, or that have left the inbox. */
  readonly media: number;
  readonly miscounts: readonly Miscount[];
}

/**
 * Counts everything, 262,144 ids at a time, and compares. Nothing waits for it but sweeps' own counting.
 *
 * @param fix put the counters right where they differ
 * @param progress is given how many media have been counted
 */
export async function recount(
  inbox: AdminInbox,
  fix: boolean,
  progress: (media: number) => void = () => {},
): Promise<Recount> {
  const miscounts: Miscount[] = [];
  let media = 0;
  for (let from = await nextBlock(inbox, -1n); from !== null;) {
    const to = from + BigInt(BLOCKS);
    const part = await recountBlocks(inbox, from, to, fix);
    media += part.media;
    miscounts.push(...part.miscounts);
    progress(media);
    from = await nextBlock(inbox, to - 1n);
  }
  miscounts.push(...await recountTotals(inbox, fix), ...await recountOwed(inbox, fix));
  // What sweeps have found is corrected by now.
  if (fix) await ask(inbox.connection, "DELETE FROM omoide.miscount");
  return { media, miscounts: [...miscounts, ...await recountInbox(inbox, fix)] };
}

/** The first block after one that has media, or is counted; null at the end. */
async function nextBlock({ connection }: AdminInbox, after: bigint): Promise<bigint | null> {
  const [row] = await ask<{ block: string | null }>(
    connection,
    `SELECT least((SELECT min(m.id) >> 12 FROM omoide.media m WHERE m.id >= ($1::bigint + 1) << 12),
      (SELECT min(h.block) FROM omoide.holding h WHERE h.block > $1)) AS block`,
    [after.toString()],
  );
  const block = row?.block ?? null;
  return block === null ? null : BigInt(block);
}

/** Waits for a sweep that counts, and keeps the next from it. */
const ALONE = "SELECT pg_advisory_xact_lock(omoide.fold_lock_class(), 0)";

interface Difference {
  readonly what: string;
  readonly counter_media: number;
  readonly counter_bytes: number;
  readonly media: number;
  readonly bytes: number;
}

const asMiscount = (row: Difference): Miscount => ({
  what: row.what,
  counter: { media: row.counter_media, bytes: row.counter_bytes },
  counted: { media: row.media, bytes: row.bytes },
});

const NUMBERS = `coalesce(a.media, 0)::float8 AS counter_media, coalesce(a.bytes, 0)::float8
  AS counter_bytes, coalesce(b.media, 0)::float8 AS media, coalesce(b.bytes, 0)::float8 AS bytes`;
const DIFFER = `(coalesce(a.media, 0), coalesce(a.bytes, 0))
  <> (coalesce(b.media, 0), coalesce(b.bytes, 0))`;

async function recountBlocks(
  inbox: AdminInbox,
  from: bigint,
  to: bigint,
  fix: boolean,
): Promise<Recount> {
  const { connection } = inbox;
  return await transaction(inbox, async () => {
    await ask(connection, ALONE);
    // One statement, and so one snapshot. What is marked is going to be counted anyhow.
    const rows = await ask<Difference & { block: string; differs: boolean }>(
      connection,
      `WITH blocks AS (
        SELECT g.block FROM generate_series($1::bigint, $2::bigint - 1) AS g (block)
        WHERE NOT g.block = ANY (omoide.marked_blocks())
      )
      SELECT coalesce(a.block, b.block) AS block, 'block ' || coalesce(a.block, b.block)
          || coalesce(a.holders, b.holders)::text AS what, ${NUMBERS}, ${DIFFER} AS differs
      FROM (SELECT h.* FROM omoide.holding h JOIN blocks USING (block)) a
      FULL JOIN omoide.count_blocks(ARRAY(SELECT block FROM blocks)) b USING (block, released, holders)`,
      [from.toString(), to.toString()],
    );
    const differing = rows.filter(({ differs }) => differs);
    if (fix && differing.length > 0) {
      await ask(connection, "INSERT INTO omoide.holding_mark SELECT unnest($1::bigint[])", [
        [...new Set(differing.map(({ block }) => block))],
      ]);
      await foldHoldings(connection);
    }
    return {
      media: rows.reduce((sum, row) => sum + row.media, 0),
      miscounts: differing.map(asMiscount),
    };
  });
}

/** The sums of all blocks. */
async function recountTotals(inbox: AdminInbox, fix: boolean): Promise<Miscount[]> {
  const { connection } = inbox;
  return await transaction(inbox, async () => {
    await ask(connection, ALONE);
    const rows = await ask<Difference>(
      connection,
      `SELECT 'all blocks ' || holders::text AS what, ${NUMBERS}
      FROM omoide.holding_total a
      FULL JOIN (SELECT released, holders, sum(media) AS media, sum(bytes) AS bytes
        FROM omoide.holding GROUP BY released, holders) b USING (released, holders)
      WHERE ${DIFFER}`,
    );
    if (fix && rows.length > 0) {
      await ask(connection, "DELETE FROM omoide.holding_total");
      await ask(
        connection,
        `INSERT INTO omoide.holding_total SELECT released, holders, sum(media), sum(bytes)
        FROM omoide.holding GROUP BY released, holders`,
      );
    }
    return rows.map(asMiscount);
  });
}

/** What is owed. Counted and put right in one statement, beside which others may go on. */
async function recountOwed({ connection }: AdminInbox, fix: boolean): Promise<Miscount[]> {
  const rows = await ask<Difference>(
    connection,
    `WITH differing AS (
      SELECT storage_id, ${NUMBERS}
      FROM (SELECT storage_id, sum(media) AS media, sum(bytes) AS bytes
        FROM omoide.owed_change GROUP BY storage_id) a
      FULL JOIN (SELECT storage_id, count(*) AS media, sum(size) AS bytes
        FROM omoide.delivery GROUP BY storage_id) b USING (storage_id)
      WHERE ${DIFFER}
    ), fixed AS (
      INSERT INTO omoide.owed_change (storage_id, media, bytes)
      SELECT storage_id, media - counter_media, bytes - counter_bytes FROM differing WHERE $1
    )
    SELECT 'owed to ' || coalesce(s.name, storage_id::text) AS what, d.*
    FROM differing d LEFT JOIN omoide.storage s ON s.id = d.storage_id`,
    [fix],
  );
  return rows.map(asMiscount);
}

/** What is in the inbox, pending uploads included: the account that its limit goes by. */
async function recountInbox({ connection }: AdminInbox, fix: boolean): Promise<Miscount[]> {
  const rows = await ask<Difference>(
    connection,
    `WITH differing AS (
      SELECT 'the inbox' AS what, ${NUMBERS}
      FROM (SELECT sum(media) AS media, sum(bytes) AS bytes
        FROM omoide.ledger WHERE day = '-infinity') a
      CROSS JOIN (
        SELECT sum(w.media) AS media, sum(w.bytes) AS bytes FROM (
          SELECT count(*) AS media, sum(w.size) AS bytes FROM omoide.waiting w
          UNION ALL
          -- Also of one that turned out to be there already, until it expires.
          SELECT 0, sum(least(u.chunks * 262144::bigint + octet_length(u.tail), u.size))
          FROM omoide.upload u WHERE NOT EXISTS (SELECT FROM omoide.media m WHERE m.id = u.id)
        ) w
      ) b
      WHERE ${DIFFER}
    ), fixed AS (
      INSERT INTO omoide.ledger (day, account, bytes, media)
      SELECT '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', bytes - counter_bytes,
        media - counter_media
      FROM differing WHERE $1
    )
    SELECT * FROM differing`,
    [fix],
  );
  return rows.map(asMiscount);
}
