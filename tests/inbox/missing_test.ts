/** An inbox of this schema that lacks what a program asks for: its functions or views are another release's. */
import assert from "node:assert/strict";
import { ConfigurationError } from "../../src/errors.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import { ApplicationPool } from "../../src/inbox/application/pool.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { StatusSession } from "../../src/inbox/status/status_session.ts";
import type { TestInbox } from "../support/postgres.ts";
import { inboxTest } from "./support/inbox_test.ts";

const addressOf = ({ pg, database }: TestInbox, role: string) =>
  parseDatabaseUrl(pg.url(database, role), role);

const askStatus = async (inbox: TestInbox) => {
  using session = await StatusSession.open(addressOf(inbox, "omoide_monitor"), {});
  await session.status();
};

const GATEWAY = "FUNCTION omoide.check_application(int)";

/** What a program does, and what is taken from the inbox before. */
const PROGRAMS: Readonly<
  Record<string, { readonly lost: string; readonly act: (inbox: TestInbox) => Promise<unknown> }>
> = {
  "the gateway starts": {
    lost: `DROP ${GATEWAY}`,
    act: async (inbox) => {
      await using pool = new ApplicationPool(addressOf(inbox, "omoide_app"), {}, 1);
      await pool.check();
    },
  },
  "somebody asks whether all is safe": {
    lost: "DROP FUNCTION omoide.commit_waits_since()",
    act: askStatus,
  },
  "and a view has fewer columns": {
    lost: "DROP VIEW omoide.look_status; CREATE VIEW omoide.look_status AS SELECT " +
      "''::text AS storage, ''::text AS depth, now() AS started_at; " +
      "GRANT SELECT ON omoide.look_status TO omoide_monitor",
    act: askStatus,
  },
  "a storage is registered": {
    lost: `DROP ${GATEWAY}`,
    act: ({ admin }) =>
      registerStorage(admin, { name: "third", identity: crypto.randomUUID(), prefixSize: 2 }),
  },
};

inboxTest("what an inbox lacks is named, and `inbox init` brings it", async (inbox) => {
  for (const [what, { lost, act }] of Object.entries(PROGRAMS)) {
    await inbox.admin.query(lost);
    await assert.rejects(act(inbox), (error) => {
      assert.ok(error instanceof ConfigurationError, `${what}: ${error}`);
      assert.match(
        error.message,
        /^The inbox lacks what this program asks for \(.* does not exist\); run `inbox init` of this program's/,
      );
      return true;
    });
    await initInbox(inbox.admin);
    await act(inbox);
  }
});
