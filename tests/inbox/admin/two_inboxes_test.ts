/**
 * Two inboxes in one cluster, whose roles are one namespace: one without a name, with the roles that there
 * have always been, and one called tokyo. Neither reads nor hurts the other.
 */
import assert from "node:assert/strict";
import { type InboxChoices, initInbox } from "../../../src/inbox/admin/init_inbox.ts";
import { registerStorage } from "../../../src/inbox/admin/register_storage.ts";
import type { Connection } from "../../../src/inbox/connect.ts";
import { askStatus } from "../../../src/inbox/status/ask_status.ts";
import { isInboxName, roleOf, scrubRole } from "../../../src/inbox/role_names.ts";
import { run } from "../../lab/command.ts";
import { requireTools } from "../../support/require_tool.ts";
import { IDENTITIES, makeInbox, startPostgres, type TestPostgres } from "../../support/postgres.ts";
import {
  acknowledge,
  pendingIds,
  refused,
  release,
  rowsOf,
  serverTest,
  submit,
  valueOf,
} from "../support/inbox_test.ts";

const DENIED = "42501";

/** An inbox of that name with the storages hot and cold, until the test is over. */
async function withInbox(
  pg: TestPostgres,
  choices: InboxChoices,
  body: (inbox: NamedInbox) => Promise<void>,
): Promise<void> {
  const database = await pg.createDatabase();
  const admin = await pg.connect(database);
  try {
    const { name } = await initInbox(admin, choices);
    for (const storage of ["hot", "cold"] as const) await register(admin, storage);
    await body({ database, admin, as: (who) => pg.connect(database, roleOf(who, name)) });
  } finally {
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    const { rows } = await admin.query(
      "SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = " +
        "(SELECT 'omoide inbox ' || inbox FROM omoide.settings)",
    );
    await admin.end();
    const postgres = await pg.connect("postgres");
    await postgres.query(`DROP DATABASE ${database} WITH (FORCE)`);
    for (const { rolname } of rows) await postgres.query(`DROP ROLE ${rolname}`);
    await postgres.end();
  }
}

interface NamedInbox {
  readonly database: string;
  readonly admin: Connection;
  readonly as: (who: string) => Promise<Connection>;
}

function register(admin: Connection, name: string) {
  const known: Record<string, string> = IDENTITIES;
  const identity = known[name] ?? crypto.randomUUID();
  return registerStorage(admin, { name, identity, prefixSize: 2 });
}

serverTest("two inboxes of one cluster each carry their own uploads", async (pg) => {
  const first = await makeInbox(pg);
  await withInbox(pg, { name: "tokyo" }, async (tokyo) => {
    for (const inbox of [first, tokyo]) {
      const app = await inbox.as("app");
      const id = await submit(app);
      for (const name of ["hot", "cold"] as const) {
        const worker = await inbox.as(name);
        await worker.query("SELECT * FROM omoide.sweep()");
        assert.deepEqual(await pendingIds(worker), [id]);
        const results = await acknowledge(worker, [id], undefined, IDENTITIES[name]);
        assert.deepEqual(results, ["acknowledged"]);
      }
      assert.equal(await release(await inbox.as("cold"), [id]), 1);
      const status = await askStatus(await inbox.as("monitor"));
      assert.equal(status.foreign, 0);
      assert.equal(status.inboxName, inbox === tokyo ? "tokyo" : "");
    }
    assert.deepEqual(
      await rowsOf(tokyo.admin, "SELECT name, role FROM omoide.storage ORDER BY name"),
      [{ name: "cold", role: "omoide_tokyo_cold" }, { name: "hot", role: "omoide_tokyo_hot" }],
    );
  });
  await first.admin.end();
});

serverTest(
  "no role of an inbox gets into another one, whatever it was granted by hand",
  async (pg) => {
    const first = await makeInbox(pg);
    await withInbox(pg, { name: "tokyo" }, async (tokyo) => {
      const pairs = [[first, tokyo, ""], [tokyo, first, "tokyo"]] as const;
      for (const [, other, name] of pairs) {
        for (const who of ["app", "monitor", "hot", "hot_scrub"]) {
          await assert.rejects(pg.connect(other.database, roleOf(who, name)), { code: DENIED });
        }
      }
      // The worst that an administrator could have done: let them in, and give them everything.
      for (const [, other, name] of pairs) {
        const [app, hot] = [roleOf("app", name), roleOf("hot", name)];
        await other.admin.query(
          `GRANT ALL ON DATABASE ${other.database} TO ${app}, ${hot}; ` +
            `GRANT USAGE ON SCHEMA omoide TO ${app}, ${hot}`,
        );
        const intruder = await pg.connect(other.database, hot);
        await refused(intruder, DENIED, "SELECT * FROM omoide.my_chunk");
        await refused(intruder, DENIED, "SELECT * FROM omoide.sweep()");
        await other.admin.query(
          `GRANT ALL ON ALL TABLES IN SCHEMA omoide TO ${app}, ${hot}; ` +
            `GRANT ALL ON ALL FUNCTIONS IN SCHEMA omoide TO ${app}, ${hot}`,
        );
        // A worker's storage comes from its role, so even so there is none for it.
        await refused(intruder, "OM020", "SELECT * FROM omoide.sweep()");
        await initInbox(other.admin);
        await refused(intruder, DENIED, "SELECT * FROM omoide.media");
        await refused(intruder, DENIED, "SELECT * FROM omoide.sweep()");
        await intruder.end();
        await assert.rejects(pg.connect(other.database, hot), { code: DENIED });
      }
      assert.deepEqual(
        await rowsOf(
          first.admin,
          "SELECT member::regrole::text FROM pg_auth_members WHERE " +
            "(member::regrole::text LIKE 'omoide_tokyo%') <> (roleid::regrole::text LIKE 'omoide_tokyo%')",
        ),
        [],
      );
    });
    await first.admin.end();
  },
);

serverTest(
  "an inbox's housekeeping leaves the sessions and settings of another alone",
  async (pg) => {
    const first = await makeInbox(pg);
    await withInbox(pg, { name: "tokyo" }, async (tokyo) => {
      const [worker, idle, own] = [
        await first.as("hot"),
        await tokyo.as("app"),
        await first.as("hot_scrub"),
      ];
      const settings = () =>
        valueOf(
          first.admin,
          "SELECT string_agg(r.rolname, ',') FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole " +
            "WHERE s.setconfig::text LIKE '%aaa%'",
        );
      await idle.query(
        `ALTER ROLE omoide_tokyo_app SET application_name = '${"a".repeat(500_000)}'`,
      );
      await own.query(
        `ALTER ROLE omoide_hot_scrub SET application_name = '${"a".repeat(500_000)}'`,
      );
      await idle.query("BEGIN; SELECT 1");
      await own.query("BEGIN; SELECT 1");
      await first.admin.query("UPDATE omoide.settings SET max_transaction_age = '0'");
      const { rows: [swept] } = await worker.query("SELECT evicted FROM omoide.sweep()");
      assert.equal(swept?.evicted, 1);
      await idle.query("SELECT 1; COMMIT");
      assert.equal(await settings(), "omoide_tokyo_app");
      await (await tokyo.as("hot")).query("SELECT * FROM omoide.sweep()");
      assert.equal(await settings(), null);
    });
    await first.admin.end();
  },
);

serverTest("an inbox's name is given once", async (pg) => {
  const first = await makeInbox(pg);
  await assert.rejects(
    initInbox(first.admin, { name: "late" }),
    /made without a name.*never change/,
  );
  await withInbox(pg, { name: "tokyo" }, async ({ admin }) => {
    assert.equal((await initInbox(admin)).name, "tokyo");
    assert.equal((await initInbox(admin, { name: "tokyo" })).name, "tokyo");
    for (const name of ["kyoto", ""]) {
      await assert.rejects(initInbox(admin, { name }), /its name is tokyo.*never changes/);
    }
    for (const name of ["Tokyo", "1st", "to_kyo", "a-b", "é", "x".repeat(19), "tokyo\n", " "]) {
      await assert.rejects(initInbox(admin, { name }), /Cannot call an inbox .*small letter/);
    }
  });
  await first.admin.end();
});

serverTest(
  "roles that another inbox has, or a storage's name could take, are refused",
  async (pg) => {
    const first = await makeInbox(pg);
    const database = await pg.createDatabase();
    const second = await pg.connect(database);
    await assert.rejects(
      initInbox(second),
      /omoide_owner.*did not create it.*inbox init --name NAME/s,
    );
    await second.query("CREATE ROLE omoide_tokyo_monitor");
    await assert.rejects(
      initInbox(second, { name: "tokyo" }),
      /Cannot use the role omoide_tokyo_monitor: this inbox .* did not create it/,
    );
    assert.equal(await valueOf(second, "SELECT to_regnamespace('omoide') IS NULL"), true);
    assert.equal(await valueOf(second, "SELECT to_regrole('omoide_tokyo_app') IS NULL"), true);
    await second.query("DROP ROLE omoide_tokyo_monitor");
    await second.end();
    // `omoide_hot_scrub` is the role of the first inbox's scrub.
    await withInbox(pg, { name: "hot" }, async ({ admin }) => {
      for (const name of ["scrub", "app", "monitor", "owner"]) {
        await assert.rejects(
          register(admin, name),
          new RegExp(`omoide_hot_${name} .*another name`),
        );
      }
      for (const name of ["b_app", "hot_scrub"]) {
        await assert.rejects(register(admin, name), /Cannot call a storage .*small letter/);
      }
      await assert.rejects(
        admin.query(
          "INSERT INTO omoide.storage (name, role, identity, prefix_size) " +
            "VALUES ('scrub', 'omoide_hot_scrub', gen_random_uuid(), 2)",
        ),
        { code: "23514" },
      );
    });
    await first.admin.end();
  },
);

serverTest("programs and database call a role the same, and no name is cut off", async (pg) => {
  const [inbox, storage] = ["i".repeat(18), "s".repeat(31)];
  assert.ok(isInboxName(inbox) && !isInboxName(`${inbox}i`));
  await withInbox(pg, { name: inbox }, async ({ admin }) => {
    await register(admin, storage);
    for (const who of ["owner", "app", "monitor", "hot", storage]) {
      const role = roleOf(who, inbox);
      assert.equal(await valueOf(admin, "SELECT omoide.role_of($1)", [who]), role);
      const scrub = await valueOf(admin, "SELECT omoide.scrub_role(omoide.role_of($1))", [who]);
      assert.equal(scrub, scrubRole(role));
    }
    const longest = scrubRole(roleOf(storage, inbox));
    assert.equal(longest.length, 63);
    assert.notEqual(await valueOf(admin, "SELECT to_regrole($1)", [longest]), null);
  });
});

Deno.test("nothing else composes the name of a role", () => {
  const source = new URL("../../../src/", import.meta.url);
  const composing = /omoide_(\$\{|%)|'omoide_'|["'`]omoide_(owner|app|monitor)["'`]/;
  const found: string[] = [];
  const search = (directory: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(directory, source))) {
      const path = `${directory}${name}`;
      if (isDirectory) search(`${path}/`);
      else if (/\.(ts|sql)$/.test(name) && !/\/\d{4}_/.test(path)) {
        const code = Deno.readTextFileSync(new URL(path, source));
        const lines = code.split("\n").filter((line) => !/^\s*(--|\/\/|\/?\*)/.test(line));
        if (lines.some((line) => composing.test(line))) found.push(path);
      }
    }
  };
  search("./");
  // Names of metrics, which are not roles.
  const others = found.filter((path) => path !== "./monitor/metrics.ts");
  assert.deepEqual(others.sort(), [
    "./inbox/role_names.ts",
    "./inbox/schema/functions/role_of.sql",
  ]);
});

const PROGRAMS = "/usr/lib/postgresql/15/bin";

Deno.test({
  ...requireTools([`${PROGRAMS}/pg_dump`, `${PROGRAMS}/pg_restore`]),
  name: "a dump of an inbox with a name comes back in another cluster, beside the inbox there",
  async fn() {
    await using old = await startPostgres({ version: 15, fsync: false });
    await using other = await startPostgres({ version: 15, fsync: false });
    const dump = await Deno.makeTempFile({ prefix: "omoide-dump-" });
    try {
      await withInbox(old, { name: "tokyo" }, async ({ database, as }) => {
        await submit(await as("app"));
        const url = old.url(database);
        await run(`${PROGRAMS}/pg_dump`, "--format=custom", "--file", dump, url);
      });
      const resident = await makeInbox(other);
      const database = await other.createDatabase();
      const restored = ["--no-owner", "--no-privileges", "--exit-on-error"];
      await run(`${PROGRAMS}/pg_restore`, ...restored, "--dbname", other.url(database), dump);
      const admin = await other.connect(database);
      await assert.rejects(
        register(admin, "hot"),
        /restored from a backup.*run `inbox init` first/,
      );
      assert.equal((await initInbox(admin)).name, "tokyo");
      const worker = await other.connect(database, "omoide_tokyo_hot");
      assert.equal((await pendingIds(worker)).length, 1);
      await assert.rejects(other.connect(database, "omoide_hot"), { code: DENIED });
      for (const each of [admin, worker, resident.admin]) await each.end();
    } finally {
      await Deno.remove(dump);
    }
  },
});
