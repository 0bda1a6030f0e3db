import type { Connection } from "../../../src/inbox/connect.ts";
import { sleep } from "../../../src/sleep.ts";
import { makeInbox, type StorageName, STORAGES, Workers } from "../inbox.ts";
import { Meter } from "../meter.ts";
import type { Contender, Stage } from "../stage.ts";
import { othersCores, ourSeconds } from "./carry.ts";
import { age } from "./history.ts";
import { untilAsleep } from "./latency.ts";
import { timeOf } from "./workers.ts";

/** How an inbox has grown. Rows are inserted directly: a million submits would take all day. */
export interface Growth {
  /** Media that wait when the clock starts. */
  readonly backlog: number;
  /** Media that have left before. */
  readonly history?: number;
  /** Media that are owed to `cold` alone, which is not there. */
  readonly absent?: number;
  /** Whose workers run; both unless given. */
  readonly workers?: readonly StorageName[];
}

/** Media whose carrying is measured; a smaller backlog is filled again until this many have gone. */
const MEASURED = 10_000;
/** Bytes of each media: what grows here is rows. */
const SIZE = 1000;
/** A quick run has a thousandth of everything. */
const QUICK = 1000;

/** How fast workers, already there, carry the first media of a backlog. */
export function grown(growth: Growth): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      await makeInbox(server, directory);
      const connection = await server.connect("bench");
      const { backlog, history, absent, measured } = sizesOf(growth, stage);
      await fill(connection, history, []);
      await fill(connection, absent, ["cold"]);
      await age(connection);
      const names = growth.workers ?? STORAGES;
      await using workers = new Workers(server, directory, names);
      await workers.during(untilAsleep(connection, names.length));
      const meter = await Meter.start(server, connection);
      let seconds = 0;
      for (let carried = 0; carried < measured;) {
        const count = Math.min(backlog, measured - carried);
        seconds += await workers.during(carryFirst(connection, backlog, count, names));
        carried += count;
      }
      const bill = await meter.bill();
      await workers.stop();
      await connection.end();
      return {
        media_per_s: measured / seconds,
        processor_s_per_1000: ourSeconds(bill) / measured * 1000,
        wal_per_byte: bill.wal / (measured * SIZE),
        others_cores: othersCores(bill),
      };
    });
}

function sizesOf({ backlog, history = 0, absent = 0 }: Growth, { quick }: Stage) {
  const scale = (count: number) => quick ? Math.ceil(count / QUICK) : count;
  return {
    backlog: scale(backlog),
    history: scale(history),
    absent: scale(absent),
    measured: scale(MEASURED),
  };
}

/** Fills a backlog, and waits until `count` of it have their receipts. @returns seconds that took */
async function carryFirst(
  connection: Connection,
  backlog: number,
  count: number,
  names: readonly StorageName[],
): Promise<number> {
  const first = await fill(connection, backlog, names.length === 1 ? names : STORAGES);
  const began = await timeOf(connection);
  for (;;) {
    const { rows: [row] } = await connection.query<{ receipts: string; seconds: number }>(
      "SELECT count(*) AS receipts, " +
        "extract(epoch FROM max(stored_at) - $2::timestamptz)::float8 AS seconds " +
        "FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id " +
        "WHERE s.name = ANY ($4) AND media_id >= $1 AND media_id < $1 + $3::bigint",
      [first, began, count, names],
    );
    if (Number(row?.receipts) === count * names.length) return row?.seconds ?? NaN;
    await sleep(20);
  }
}

/**
 * Puts media in, past the limits, and notifies. @param owedTo none of them: they have left the inbox long
 * ago @returns the first one's id
 */
async function fill(
  connection: Connection,
  count: number,
  owedTo: readonly StorageName[],
): Promise<string> {
  const { rows: [row] } = await connection.query<{ first: string | null }>(FILL, [
    count,
    SIZE,
    owedTo,
  ]);
  return row?.first ?? "0";
}

const FILL = `
  WITH added AS (
    INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at,
      holds_name, has_plain_name)
    SELECT '00000000-0000-4000-8000-000000000000', item, 'content', 'jpg', $2::int,
      sha256(decode(repeat('ab', $2::int), 'hex')), now(),
      true, true
    FROM (SELECT gen_random_uuid() AS item FROM generate_series(1, $1::int)) items
    RETURNING id
  ), waiting AS (
    INSERT INTO omoide.waiting (media_id, size, generation)
    SELECT a.id, $2::int, c.last_value FROM added a, omoide.current_generation c
    WHERE cardinality($3::text[]) > 0
  ), owed AS (
    INSERT INTO omoide.delivery (storage_id, media_id, size)
    SELECT s.id, a.id, $2::int FROM added a, omoide.storage s WHERE s.name = ANY ($3)
  ), receipts AS (
    INSERT INTO omoide.stored (storage_id, media_id, outcome)
    SELECT s.id, a.id, 'stored' FROM added a, omoide.storage s WHERE s.name <> ALL ($3)
  ), chunks AS (
    INSERT INTO omoide.media_chunk (media_id, seq, bytes, generation)
    SELECT a.id, 0, decode(repeat('ab', $2::int), 'hex'), c.last_value
    FROM added a, omoide.current_generation c
    WHERE cardinality($3::text[]) > 0
  ), charged AS (
    INSERT INTO omoide.ledger (day, account, bytes, media)
    SELECT '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', $1::bigint * $2::int, $1::int
    WHERE cardinality($3::text[]) > 0
  )
  SELECT min(id) AS first, pg_notify('omoide_sealed', '')::text AS notified FROM added`;
