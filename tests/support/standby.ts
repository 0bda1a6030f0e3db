import type { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { pg } from "../../src/inbox/pg.ts";
import { until } from "../lab/command.ts";

/** A standby of this server, which has all that it has. The server is away for a second. */
export async function startStandby(primary: EmbeddedPostgres): Promise<EmbeddedPostgres> {
  const standby = await primary.standby();
  await caughtUp(primary, standby);
  return standby;
}

/** Waits until a standby has applied everything that the primary has committed. */
export async function caughtUp(
  primary: EmbeddedPostgres,
  standby: EmbeddedPostgres,
): Promise<void> {
  const lsn = await valueAt(primary, "SELECT pg_current_wal_lsn()");
  await until(
    "the standby has caught up",
    async () => await valueAt(standby, `SELECT pg_last_wal_replay_lsn() >= '${lsn}'`) === true,
  );
}

/** Makes a primary of a standby. What it followed is not asked, and goes on as it was. */
export async function promote(standby: EmbeddedPostgres): Promise<void> {
  await valueAt(standby, "SELECT pg_promote(true, 60)");
}

/** The only column of the only row, as the superuser sees it. */
async function valueAt(server: EmbeddedPostgres, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: server.url() });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}
