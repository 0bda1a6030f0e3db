import assert from "node:assert/strict";
import { ConfigurationError } from "../../../src/errors.ts";
import { pg } from "../../../src/inbox/pg.ts";
import { type NewStorage, registerStorage } from "../../../src/inbox/admin/register_storage.ts";
import { startPostgres, VERSIONS } from "../../support/postgres.ts";
import { initInbox } from "../../../src/inbox/admin/init_inbox.ts";
import {
  acknowledge,
  inboxTest,
  pendingIds,
  release,
  rowsOf,
  submit,
  valueOf,
} from "../support/inbox_test.ts";

function third(more: Partial<NewStorage> = {}): NewStorage {
  return { name: "third", identity: crypto.randomUUID(), prefixSize: 2, ...more };
}

async function rejected(promise: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

inboxTest(
  "a new storage is owed what is still in the inbox, and required from then on",
  async (inbox) => {
    const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
    const [gone, there] = [await submit(app, "x"), await submit(app, "x")];
    for (const worker of [hot, cold]) await acknowledge(worker, [gone, there], "x");
    assert.equal(await release(cold, [gone]), 1);
    const storage = third();
    const registered = await registerStorage(inbox.admin, storage);
    assert.deepEqual(registered, {
      storageId: registered.storageId,
      role: "omoide_third",
      inbox: inbox.inbox,
      created: true,
      owed: 1,
    });
    const worker = await inbox.as("third");
    assert.deepEqual(await pendingIds(worker), [there]);
    assert.equal(await release(cold, [there]), 0);
    await acknowledge(worker, [there], "x", storage.identity);
    const again = await registerStorage(inbox.admin, storage);
    assert.deepEqual(again, { ...registered, created: false, owed: 0 });
    assert.equal(await release(worker, [there]), 1);
  },
);

inboxTest("a storage cannot be called as one of the inbox's own roles", async (inbox) => {
  for (const name of ["app", "monitor", "owner", "admin"]) {
    await rejected(registerStorage(inbox.admin, third({ name })), /choose another name/);
  }
  for (const name of ["", "Hot", "1st", "a-b", "a b", "é", "x".repeat(32), "hot\n"]) {
    await rejected(registerStorage(inbox.admin, third({ name })), /small letter/);
  }
  await assert.rejects(
    inbox.admin.query(
      "INSERT INTO omoide.storage (name, role, identity, prefix_size) " +
        "VALUES ('app', 'omoide_app', gen_random_uuid(), 2)",
    ),
    { code: "23514" },
  );
});

inboxTest("a role that this inbox did not create is no storage's", async (inbox) => {
  await inbox.admin.query("CREATE ROLE omoide_foreign LOGIN");
  try {
    await rejected(
      registerStorage(inbox.admin, third({ name: "foreign" })),
      /omoide_foreign.*did not create it/s,
    );
    assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.storage"), "2");
  } finally {
    await inbox.admin.query("DROP ROLE omoide_foreign");
  }
});

inboxTest("a storage that is registered is not replaced", async (inbox) => {
  const { hot } = inbox.identities;
  await rejected(registerStorage(inbox.admin, third({ name: "hot" })), /another root/);
  await rejected(registerStorage(inbox.admin, third({ identity: hot })), /is the storage hot/);
  await rejected(
    registerStorage(inbox.admin, { name: "hot", identity: hot, prefixSize: 3 }),
    /prefix size 3: it has 2/,
  );
  await rejected(registerStorage(inbox.admin, third({ prefixSize: 9 })), /1 to 8/);
  await inbox.admin.query("UPDATE omoide.storage SET retired_at = now() WHERE name = 'hot'");
  await rejected(
    registerStorage(inbox.admin, { name: "hot", identity: hot, prefixSize: 2 }),
    /retired/,
  );
});

for (const version of VERSIONS) {
  Deno.test(`a storage's role logs in with its password only (PostgreSQL ${version})`, async () => {
    await using server = await startPostgres({ version, auth: "scram-sha-256", fsync: false });
    const database = await server.createDatabase();
    const admin = await server.connect(database);
    await initInbox(admin);
    const login = async (password: string) => {
      const client = new pg.Client({
        host: "127.0.0.1",
        port: server.port,
        database,
        user: "omoide_third",
        password,
      });
      client.on("error", () => {});
      await client.connect();
      await client.end();
    };
    const storage = third();
    await registerStorage(admin, storage);
    await assert.rejects(login("anything"), { code: "28P01" });
    await registerStorage(admin, { ...storage, password: 'it\'s a \\ "secret" $1' });
    await login('it\'s a \\ "secret" $1');
    await assert.rejects(login("another"), { code: "28P01" });
    await registerStorage(admin, { ...storage, password: "a new one" });
    await login("a new one");
    // Registered again without one: the role keeps it.
    await registerStorage(admin, storage);
    await login("a new one");
    await rejected(registerStorage(admin, { ...storage, password: "geheim\u00fc" }), /ASCII/);
    await rejected(registerStorage(admin, { ...storage, password: "" }), /ASCII/);
    assert.deepEqual(
      await rowsOf(admin, "SELECT * FROM pg_shadow WHERE passwd LIKE '%secret%'"),
      [],
    );
    await admin.end();
  });
}
