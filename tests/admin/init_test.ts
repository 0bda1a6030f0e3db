import assert from "node:assert/strict";
import { readIdentity } from "../../src/storage/identity.ts";
import { run } from "../lab/command.ts";
import { unmountAtLast } from "../lab/mount.ts";
import { requireTools } from "../support/require_tool.ts";
import { startPostgres } from "../support/postgres.ts";
import { admin, adminJson } from "./support/run.ts";

const postgres = await startPostgres();
const parent = await Deno.makeTempDir({ prefix: "omoide-admin-" });
const database = postgres.url(await postgres.createDatabase());
globalThis.addEventListener("unload", () => Deno.removeSync(parent, { recursive: true }));
Deno.test.afterAll(() => postgres.stop());

Deno.test("storage init without an inbox says to make one", async () => {
  const ran = await admin(["storage", "init", "hot", `${parent}/early`, "--database", database]);
  assert.equal(ran.code, 4);
  assert.match(ran.stderr, /^omoide-admin: There is no inbox at .*make it with `inbox init`\n$/);
  assert.throws(() => Deno.statSync(`${parent}/early`), Deno.errors.NotFound);
});

Deno.test({
  ...requireTools([], { root: true }),
  name: "inbox init on a full disk says so, leaves nothing, and works once there is room",
  fn: async () => {
    const client = await postgres.connect("postgres");
    const place = await Deno.makeTempDir({ prefix: "omoide-full-" });
    await run("mount", "-t", "tmpfs", "-o", "mode=0777", "tmpfs", place);
    try {
      const { uid, gid } = await Deno.stat(postgres.server.dataDirectory);
      await Deno.mkdir(`${place}/pg`);
      await Deno.chown(`${place}/pg`, uid, gid);
      await client.query(`CREATE TABLESPACE tiny LOCATION '${place}/pg'`);
      await client.query("CREATE DATABASE tiny TABLESPACE tiny");
      const used = await run("df", "--block-size=1", "--output=used", place);
      const init = ["inbox", "init", "--name", "tiny", "--database", postgres.url("tiny")];
      // Not even enough for a login, and enough for no more.
      for (
        const [KiB, what] of [[0, "Cannot reach .*"], [256, "The database cannot .*"]] as const
      ) {
        const size = Number(/\d+/.exec(used)?.[0]) + KiB * 1024;
        await run("mount", "-o", `remount,size=${size}`, place);
        const { code, stderr } = await admin(init);
        assert.equal(code, 3, stderr);
        const fix =
          "its disk is full \\(.*No space left on device\\); make room on that server, and try again";
        assert.match(stderr, new RegExp(`^omoide-admin: ${what}: ${fix}\n$`));
      }
      await run("mount", "-o", "remount,size=64m", place);
      assert.equal((await admin(init)).code, 0);
    } finally {
      await client.query("DROP DATABASE IF EXISTS tiny");
      await client.query("DROP TABLESPACE IF EXISTS tiny");
      await client.end();
      await unmountAtLast(place);
      await Deno.remove(place);
    }
  },
});

Deno.test("inbox init makes an inbox once, also when it is run by eight at the same time", async () => {
  const runs = await Promise.all(
    Array.from({ length: 8 }, () =>
      adminJson<{ inbox: string; applied: string[] }>([
        "inbox",
        "init",
        "--database",
        database,
      ])),
  );
  for (const run of runs) assert.equal(run.code, 0, run.stderr);
  assert.equal(new Set(runs.map((run) => run.result.inbox)).size, 1);
  assert.equal(runs.filter((run) => run.result.applied.length > 0).length, 1);
});

Deno.test("storage init makes the root and registers it, once, also by four at the same time", async () => {
  const root = `${parent}/hot`;
  const args = ["storage", "init", "hot", root, "--database", database];
  const runs = await Promise.all(
    Array.from({ length: 4 }, () => adminJson<{ uuid: string; created: boolean }>(args)),
  );
  for (const run of runs) assert.equal(run.code, 0, run.stderr);
  assert.equal(runs.filter((run) => run.result.created).length, 1);
  assert.equal(new Set(runs.map((run) => run.result.uuid)).size, 1);
  assert.equal(readIdentity(root).uuid, runs[0]?.result.uuid);
  const again = await admin(args);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /which was registered already/);
});

Deno.test("storage init finishes a run that died between the root and the registration", async () => {
  const root = `${parent}/cold`;
  const args = ["storage", "init", "cold", root, "--database", database];
  const first = await adminJson<{ uuid: string }>(args);
  assert.equal(first.code, 0, first.stderr);
  const client = await postgres.connect(database.slice(database.lastIndexOf("/") + 1));
  await client.query("DELETE FROM omoide.storage WHERE name = 'cold'");
  await client.end();
  const second = await adminJson<{ uuid: string; created: boolean }>(args);
  assert.equal(second.code, 0, second.stderr);
  assert.equal(second.result.uuid, first.result.uuid);
  assert.equal(second.result.created, true);
});

Deno.test("what storage init refuses leaves neither a root nor a registration", async () => {
  Deno.mkdirSync(`${parent}/full`);
  Deno.writeTextFileSync(`${parent}/full/letter.txt`, "mine");
  const refusals: [string[], RegExp][] = [
    [["app", `${parent}/app`], /Cannot call a storage app/],
    [["Hot", `${parent}/app`], /Cannot call a storage "Hot"/],
    [["third", `${parent}/full`], /it holds letter\.txt; give an empty directory/],
    [["third", `${parent}/hot`], /is the storage hot/],
    [["third", `${parent}/no/where`], /does not exist/],
    [["hot", `${parent}/elsewhere`], /registered with another root.*storage replace hot/],
    [
      ["third", `${parent}/third`, "--prefix-size", "9"],
      /argument '9' is invalid. It takes a whole number from 1 to 8/,
    ],
    [["third", `${parent}/third`, "--password-file", "/nope"], /--password-file/],
  ];
  for (const [args, message] of refusals) {
    const ran = await admin(["storage", "init", ...args, "--database", database]);
    assert.ok([2, 4].includes(ran.code), `${args}: ${ran.code} ${ran.stderr}`);
    assert.match(ran.stderr, message);
    assert.equal(ran.stderr.split("\n").length, 2, ran.stderr);
  }
  for (const name of ["app", "third", "elsewhere"]) {
    assert.throws(() => Deno.statSync(`${parent}/${name}`), Deno.errors.NotFound);
  }
  assert.deepEqual([...Deno.readDirSync(`${parent}/full`)].map((entry) => entry.name), [
    "letter.txt",
  ]);
  const { result } = await adminJson<{ storages: { name: string }[] }>([
    "storage",
    "list",
    "--database",
    database,
  ]);
  assert.deepEqual(result.storages.map((storage) => storage.name).sort(), ["cold", "hot"]);
});

Deno.test("a password in the file becomes the role's", async () => {
  const file = `${parent}/password`;
  Deno.writeTextFileSync(file, "open sesame\n");
  const args = ["storage", "init", "hot", `${parent}/hot`, "--database", database];
  assert.equal((await admin([...args, "--password-file", file])).code, 0);
  const client = await postgres.connect("postgres");
  const { rows } = await client.query(
    "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' AS hashed FROM pg_authid WHERE rolname = 'omoide_hot'",
  );
  assert.equal(rows[0].hashed, true);
  await client.end();
});

Deno.test("an unreachable database is one line and an exit code that says try again", async () => {
  const ran = await admin(["inbox", "status", "--database", "postgres://postgres@127.0.0.1:1/x"]);
  assert.equal(ran.code, 3);
  assert.match(ran.stderr, /^omoide-admin: Cannot reach the database .*\n$/);
});

Deno.test("status of a new inbox says that no worker has been seen", async () => {
  const ran = await admin(["inbox", "status", "--database", database]);
  assert.equal(ran.code, 8, ran.stderr);
  assert.match(ran.stdout, /no worker of hot has ever been seen; start it/);
});
