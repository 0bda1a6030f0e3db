import { forgetReceipts } from "../../../src/inbox/admin/purge.ts";
import { listStorages } from "../../../src/inbox/admin/storages.ts";
import { type AdminInbox, openInbox } from "../../../src/inbox/admin/inbox.ts";
import { type HeldFile, rebuildReceipts } from "../../../src/inbox/admin/rebuild_receipts.ts";
import { type Connection, processIdOf } from "../../../src/inbox/connect.ts";
import { askCounts, askStatus } from "../../../src/inbox/status/ask_status.ts";
import { ASK_RECENT, ASK_YEAR } from "../../../src/inbox/status/history.ts";
import { ASK_FINDINGS, ASK_PARKED } from "../../../src/inbox/status/details.ts";
import { roleOf } from "../../../src/inbox/role_names.ts";
import { SCHEMA_VERSION } from "../../../src/inbox/schema_version.ts";
import { SESSION_SETTINGS } from "../../../src/inbox/session_settings.ts";
import { makeInbox } from "../inbox.ts";
import type { Figures, StatementName } from "../figures.ts";
import type { Server } from "../server.ts";
import type { Contender } from "../stage.ts";
import { median } from "../statistics.ts";
import { fillHistory } from "./history.ts";

const OWED = 100_000;
const QUICK = 1000;
/** How often each statement is measured; the median counts. */
const TIMES = 9;

/**
 * What each statement takes in an inbox through which so many media have gone, with 100,000 owed: of a processor,
 * in the server, so that it is the same whatever else a machine does. Waiting for a disk is not in it.
 */
export function statementsAfter(history: number): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      const scale = (count: number) => stage.quick ? Math.ceil(count / QUICK) : count;
      await makeInbox(server, directory);
      const connection = await server.connect("bench");
      await fillHistory(connection, scale(history), scale(OWED));
      const bytes = await bytesForGood(connection);
      await connection.end();
      const figures: Record<string, number> = {};
      await using sessions = await Sessions.open(server);
      for (const [name, statement] of Object.entries(STATEMENTS)) {
        const each: number[] = [];
        for (let time = 0; time < TIMES; time++) {
          const work = await statement(sessions, time);
          const before = sessions.processorMs();
          await work();
          each.push(sessions.processorMs() - before);
        }
        figures[name] = median(each);
      }
      return {
        ...figures,
        ...(history === 0 ? {} : { bytes_per_media: bytes / scale(history) }),
      } as Figures;
    });
}

/** Bytes of all that is kept for good, its indexes and its bloat. */
async function bytesForGood(connection: Connection): Promise<number> {
  const { rows: [row] } = await connection.query<{ bytes: string }>(
    "SELECT pg_total_relation_size('omoide.media') + pg_total_relation_size('omoide.stored') AS bytes",
  );
  return Number(row?.bytes);
}

/** One connection for each role that asks. */
class Sessions implements AsyncDisposable {
  private constructor(
    readonly app: Connection,
    readonly hot: Connection,
    readonly cold: Connection,
    readonly scrub: Connection,
    readonly monitor: Connection,
    readonly admin: AdminInbox,
    readonly identities: Readonly<Record<string, string>>,
    /** Of the worker that `hot` stands for. */
    readonly life: string,
  ) {}

  static async open(server: Server): Promise<Sessions> {
    const as = async (name: string) => {
      const connection = await server.connect("bench", roleOf(name));
      await connection.query(SESSION_SETTINGS);
      return connection;
    };
    const admin = await openInbox(server.url());
    const storages = await listStorages(admin);
    const identities = Object.fromEntries(storages.map(({ name, uuid }) => [name, uuid]));
    const hot = await as("hot");
    const { rows: [taken] } = await hot.query<{ life: string }>(
      "SELECT life FROM omoide.take_storage($1, 'hot', $2)",
      [SCHEMA_VERSION, identities["hot"]],
    );
    return new Sessions(
      await as("app"),
      hot,
      await as("cold"),
      await as("hot_scrub"),
      await as("monitor"),
      admin,
      identities,
      taken?.life ?? "",
    );
  }

  /** What the server's processes of these sessions have used since they began, in milliseconds. */
  processorMs(): number {
    const all = [this.app, this.hot, this.cold, this.scrub, this.monitor, this.admin.connection];
    return all.reduce((sum, each) => {
      // Nanoseconds on a processor; ticks of 10 ms would be too coarse.
      const [used] = Deno.readTextFileSync(`/proc/${processIdOf(each)}/schedstat`).split(" ");
      return sum + Number(used) / 1e6;
    }, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.app, this.hot, this.cold, this.scrub, this.monitor]) await each.end();
    await this.admin[Symbol.asyncDispose]();
  }
}

/** Prepares what is not measured; returns what is. */
type Statement = (sessions: Sessions, time: number) => Promise<() => Promise<unknown>>;

const query =
  (role: "app" | "hot" | "cold" | "scrub" | "monitor", sql: string): Statement => (sessions) =>
    Promise.resolve(() => sessions[role].query(sql));

const STATEMENTS: Readonly<Record<StatementName, Statement>> = {
  submit_ms: query(
    "app",
    "SELECT omoide.submit_media(md5('o7')::uuid, gen_random_uuid(), 'content', 'jpg', 'abc')",
  ),
  find_ms: (sessions, time) =>
    Promise.resolve(() =>
      sessions.app.query(
        "SELECT * FROM omoide.find_media(md5('o' || $1 / 100)::uuid, md5('i' || $1)::uuid)",
        [
          time * 3 + 1,
        ],
      )
    ),
  list_ms: query("app", "SELECT * FROM omoide.list_items(md5('o7')::uuid, NULL, 100)"),
  pending_ms: query("hot", "SELECT * FROM omoide.pending(0, 4096)"),
  acknowledge_ms: async (sessions) => {
    await acknowledge(sessions, "cold");
    return () => acknowledge(sessions, "hot");
  },
  release_ms: async (sessions) => {
    for (const name of ["hot", "cold"] as const) await acknowledge(sessions, name);
    const { rows } = await sessions.admin.connection.query<{ ids: string[] }>(
      "SELECT array(SELECT media_id FROM omoide.releasable ORDER BY 1 LIMIT 1024) AS ids",
    );
    return () => sessions.hot.query("SELECT omoide.release($1)", [rows[0]?.ids]);
  },
  heartbeat_ms: ({ hot, life }) =>
    Promise.resolve(() =>
      hot.query("SELECT omoide.heartbeat($1, '1', now(), 'idle', NULL, 1, 1, 1, 1, 1, 1, NULL)", [
        life,
      ])
    ),
  sweep_ms: query("hot", "SELECT * FROM omoide.sweep()"),
  recycle_ms: query("hot", "SELECT * FROM omoide.recycle(true)"),
  status_ms: (sessions) => Promise.resolve(() => askStatus(sessions.monitor)),
  counts_ms: (sessions) => Promise.resolve(() => askCounts(sessions.monitor)),
  page_ms: (sessions) =>
    Promise.resolve(async () => {
      await sessions.monitor.query(ASK_FINDINGS, [50]);
      await sessions.monitor.query(ASK_PARKED);
      await sessions.monitor.query(ASK_RECENT);
      await sessions.monitor.query(ASK_YEAR);
    }),
  scrub_ms: (sessions, time) =>
    Promise.resolve(() =>
      sessions.scrub.query("SELECT * FROM omoide.scrub_receipts($1, 1000)", [time * 1000])
    ),
  rebuild_ms: async (sessions, time) => {
    const files = await someFiles(sessions, time);
    return () => rebuildReceipts(sessions.admin, 1, files);
  },
  purge_ms: async (sessions, time) => {
    const files = await someFiles(sessions, time);
    return () => forgetReceipts(sessions.admin, 1, files);
  },
};

/** As a worker does with a full page. */
async function acknowledge(
  { identities, ...sessions }: Sessions,
  name: "hot" | "cold",
): Promise<void> {
  await sessions[name].query(
    `SELECT omoide.acknowledge(
      $1, array_agg(p.media_id), array_agg(p.sha256), array_agg(p.size), array_agg('stored'::text),
      array_agg(NULL::text)) FROM omoide.pending(0, 1024) p`,
    [identities[name]],
  );
}

/** A batch of `storage rebuild`: files that the inbox knows. */
async function someFiles({ admin }: Sessions, time: number): Promise<HeldFile[]> {
  const { rows } = await admin.connection.query<HeldFile>(
    `SELECT m.id AS "mediaId", m.owner_uuid AS "ownerUuid", m.item_uuid AS "itemUuid",
      m.media_type AS "mediaType", m.ext,
      omoide.public_name(m.item_uuid, m.ext, m.sha256, m.has_plain_name) AS "publicName", r.path, m.size::float8,
      encode(m.sha256, 'hex') AS sha256, extract(epoch FROM now())::float8 AS "writtenAt"
    FROM omoide.receipt r JOIN omoide.media m ON m.id = r.media_id
    WHERE r.storage = 'hot' AND r.media_id > $1 ORDER BY r.media_id LIMIT 500`,
    [time * 500],
  );
  return rows.map((row) => ({ ...row, mediaId: BigInt(String(row.mediaId)) }));
}
