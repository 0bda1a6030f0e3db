/** The recipes of the chapter about cells, run from it: an owner moves from one inbox to another. */
import assert from "node:assert/strict";
import { pg } from "../../src/inbox/pg.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { sha256Of } from "../support/media.ts";
import type { World } from "../lab/world.ts";
import { WorkerProcess } from "../lab/worker_process.ts";
import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { Move } from "../../src/admin/moved.ts";
import { GuardedTree } from "../../src/storage/admin/guarded_tree.ts";
import { openManifest } from "../../src/storage/admin/manifest.ts";
import { readProof } from "../../src/storage/admin/proof.ts";
import { planPurge } from "../../src/storage/admin/purge.ts";
import { Recipes } from "./support/recipes.ts";
import { admin, adminExits } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });
const recipes = new Recipes(new URL("../../scripts/deploy/CELLS.md", import.meta.url));

/** The second cell: an inbox `tokyo` in the same cluster, with storages beside the first one's. */
class Tokyo {
  private constructor(
    readonly world: World,
    readonly directory: string,
    readonly url: string,
    private readonly client: pg.Client,
  ) {}

  static async beside(world: World): Promise<Tokyo> {
    const directory = world.root("hot").replace(/\/hot$/, "");
    await world.query(`CREATE DATABASE tokyo_${world.database}`);
    const url = world.server.url(`tokyo_${world.database}`);
    for (const name of ["tokyo-hot", "tokyo-cold"]) {
      await Deno.writeTextFile(`${directory}/${name}.password`, "secret\n");
    }
    const client = new pg.Client({ connectionString: url });
    const tokyo = new Tokyo(world, directory, url, client);
    await tokyo.follow("new-cell");
    await client.connect();
    return tokyo;
  }

  follow(recipe: string, owner = ""): Promise<string> {
    const OLD = this.world.server.url(this.world.database);
    return recipes.follow(this.directory, recipe, { OLD, NEW: this.url, OWNER: owner });
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query<Row>(text, values)).rows;
  }

  /** Runs its worker of a storage until nothing is left. */
  async drain(storage: string): Promise<void> {
    const { code, output } = await WorkerProcess.run({
      ...this.world.plan(storage, { root: `${this.directory}/tokyo-${storage}` }),
      database: { port: this.world.server.port, name: `tokyo_${this.world.database}` },
      passwordFile: `${this.directory}/tokyo-${storage}.password`,
      role: `omoide_tokyo_${storage}`,
      args: ["--once"],
    });
    assert.equal(code, 0, output);
  }

  async close(): Promise<void> {
    await this.client.end();
    await this.world.query(`DROP DATABASE tokyo_${this.world.database} WITH (FORCE)`);
    await this.world.query(
      "DO $$ DECLARE r text; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'omoide_tokyo%' " +
        "LOOP EXECUTE 'DROP ROLE ' || r; END LOOP; END $$",
    );
  }
}

Deno.test("an owner moves to another cell with every file, name and token, and leaves nothing", async () => {
  await using world = await template().world();
  const random = new Random(11);
  const submitted = await world.submitMany(random, 24);
  const owner = submitted[0]?.ownerUuid ?? "";
  const theirs = submitted.filter(({ ownerUuid }) => ownerUuid === owner);
  // Two items under one name: the second is stored beside the first.
  const twice = { ownerUuid: owner, itemUuid: submitted[0]?.itemUuid ?? "" };
  theirs.push(await world.submit(random.bytes(100), { ...twice, mediaType: "content" }));
  theirs.push(await world.submit(random.bytes(101), { ...twice, mediaType: "content" }));
  const application = await world.connectApplication();
  const record = "SELECT omoide.record_item($1, $2, 'IMG 1.jpg', '2020-01-01')";
  await application.query(record, [owner, twice.itemUuid]);
  await application.end();
  const old = ["--database", world.server.url(world.database)];
  await adminExits(0, "token", "add", owner, "--label", "phone", ...old);
  const tokyo = await Tokyo.beside(world);
  try {
    // Whoever is there already keeps their ids, which the other cell has given too.
    const resident = random.uuid();
    const submit = "SELECT omoide.submit_media($1, $2, 'content', 'jpg', $3)";
    for (let n = 0; n < 5; n++) {
      await tokyo.query(submit, [resident, random.uuid(), random.bytes(1000)]);
    }
    for (const storage of ["hot", "cold"]) await tokyo.drain(storage);
    const before = await tokyo.query("SELECT id, owner_uuid FROM omoide.media ORDER BY id");

    // What was begun before the freeze may still be finished, and is waited for.
    const [early, key] = [await world.connectApplication(), crypto.randomUUID()];
    const open = "SELECT omoide.open_upload($1, $2, $3, 'content', 'jpg', 3)";
    const late = random.uuid();
    await early.query(open, [key, owner, late]);
    await early.query("BEGIN; SELECT 1");
    assert.match(await tokyo.follow("frozen", owner), /1 item and 1 token new .* 1 token revoked/);
    const shown = await adminExits(7, "owner", "show", owner, ...old);
    assert.match(shown.stdout, /1 upload coming in, 1 transaction from before the freeze/);
    await early.query("COMMIT");
    const bytes = new Uint8Array([1, 2, 3]);
    await early.query("SELECT omoide.append_upload($1, $2, 0, $3, NULL)", [key, owner, bytes]);
    await early.query("SELECT omoide.finish_upload($1, $2, decode($3, 'hex'))", [
      key,
      owner,
      sha256Of(bytes),
    ]);
    await early.query(record.replace("IMG 1", "IMG 2"), [owner, late]);
    theirs.push({ ...twice, size: 3, sha256: sha256Of(bytes) } as (typeof theirs)[number]);
    await assert.rejects(early.query(open, [crypto.randomUUID(), owner, random.uuid()]), {
      code: "OM007",
    });
    await early.end();
    await adminExits(7, "owner", "show", owner, ...old);
    await world.drainAll();
    assert.match(await tokyo.follow("drained", owner), /\nDRAINED: /);
    await tokyo.follow("copied", owner);
    const left = await tokyo.follow("purged", owner);
    assert.match(left, new RegExp(`Proven in the other inbox: all ${theirs.length} files`));
    assert.match(left, /hot: 0 receipts\ncold: 0 receipts\n.*\nfrozen since .*\nDRAINED: /);

    // In the new cell: every file, served at its path, with ids of its own; the residents as before.
    const files = await tokyo.query<{ sha256: string; paths: Record<string, string> }>(
      "SELECT DISTINCT encode(f.sha256, 'hex') AS sha256, f.paths FROM omoide.media m, " +
        "LATERAL omoide.find_media(m.owner_uuid, m.item_uuid) f WHERE m.owner_uuid = $1",
      [owner],
    );
    assert.deepEqual(
      files.map(({ sha256 }) => sha256).sort(),
      theirs.map(({ sha256 }) => sha256).sort(),
    );
    for (const { paths } of files) {
      for (const storage of ["hot", "cold"]) {
        Deno.statSync(`${tokyo.directory}/tokyo-${storage}/${paths[storage]}`);
      }
    }
    assert.deepEqual(
      await tokyo.query(
        "SELECT id, owner_uuid FROM omoide.media WHERE owner_uuid <> $1 ORDER BY id",
        [owner],
      ),
      before,
    );
    assert.deepEqual(
      await tokyo.query("SELECT file_name FROM omoide.list_items($1, NULL, 10)", [owner]),
      [{ file_name: "IMG 2.jpg" }, { file_name: "IMG 1.jpg" }],
    );
    assert.deepEqual(
      await tokyo.query("SELECT label FROM omoide.token WHERE revoked_at IS NULL"),
      [{ label: "phone" }],
    );
    // And it goes on there.
    await tokyo.query(submit, [owner, random.uuid(), random.bytes(1000)]);
    for (const storage of ["hot", "cold"]) await tokyo.drain(storage);

    for (const [directory, url] of [["", old[1]], ["tokyo-", tokyo.url]] as const) {
      for (const storage of ["hot", "cold"]) {
        const root = `${tokyo.directory}/${directory}${storage}`;
        await adminExits(0, "storage", "verify", root);
        await adminExits(0, "storage", "compare", root, "--database", url ?? "");
      }
      const { stdout } = await adminExits(0, "inbox", "status", "--database", url ?? "");
      assert.match(stdout, /\nSAFE: /);
    }
  } finally {
    await tokyo.close();
  }
});

Deno.test("nothing is purged until each file is proven in every storage of the new cell", async () => {
  await using world = await template().world();
  const random = new Random(12);
  const [first] = await world.submitMany(random, 6, () => 2000);
  const owner = first?.ownerUuid ?? "";
  await world.drainAll();
  const tokyo = await Tokyo.beside(world);
  const { directory } = tokyo;
  const [hot, newHot, newCold] = [
    `${directory}/hot`,
    `${directory}/tokyo-hot`,
    `${directory}/tokyo-cold`,
  ];
  const old = ["--database", world.server.url(world.database)];
  const there = ["--database", tokyo.url];
  const manifest = `${directory}/hot.manifest`;
  const list = async () => {
    const { stdout } = await adminExits(0, "storage", "manifest", hot, "--owner", owner);
    await Deno.writeTextFile(manifest, stdout);
    return stdout.trimEnd().split("\n").length - 2;
  };
  const proofs = [`${directory}/hot.proof`, `${directory}/cold.proof`];
  const proveAt = async (root: string, proof: string) => {
    const ran = await admin(["storage", "prove", root, "--manifest", manifest, "--json"]);
    await Deno.writeTextFile(proof, ran.stdout);
    return ran.code;
  };
  // What `storage purge --moved-to` asks first.
  const refused = async (message: RegExp, given = proofs) => {
    await using inbox = await openInbox(old[1] ?? "");
    const opened = openManifest(manifest);
    const { files } = await planPurge(
      new GuardedTree(hot, 1),
      opened.owner.prefixSize,
      opened.entries(),
      new AbortController().signal,
    );
    const entries = files.map(({ entry }) => entry);
    assert.ok(entries.length > 0);
    await assert.rejects(async () => {
      await using move = await Move.open(inbox, tokyo.url, given.map(readProof), opened);
      await move.require(entries);
    }, message);
  };
  const sync = (name: string, ...more: string[]) => [
    ...["storage", "sync", "--from", `${directory}/${name}`, "--to", `${directory}/tokyo-${name}`],
    ...more,
  ];
  try {
    await list();
    await refused(/no proof that hot of the other inbox/, []);
    // Only in words, and only one owner.
    assert.match(
      (await adminExits(2, ...sync("hot", "--owner", owner))).stderr,
      /different inboxes/,
    );
    assert.match((await adminExits(2, ...sync("hot", "--to-other-inbox"))).stderr, /--owner/);
    const move = ["--owner", owner, "--to-other-inbox"];
    await adminExits(0, ...sync("hot", ...move));
    await adminExits(0, ...sync("cold", ...move));
    assert.equal(await proveAt(newHot, proofs[0] ?? ""), 0);
    await refused(/no proof that cold of the other inbox/, proofs.slice(0, 1));

    // A rotten copy is no proof, nor is what `prove` says of it.
    const path = (await Deno.readTextFile(manifest)).trimEnd().split("\n").at(-1)?.split("\t")[4];
    flipBit(`${newCold}/${path}`);
    assert.equal(await proveAt(newCold, proofs[1] ?? ""), 8);
    await refused(/cold does not have all of the files/);
    flipBit(`${newCold}/${path}`);
    assert.equal(await proveAt(newCold, proofs[1] ?? ""), 0);

    await refused(/Owner .* is not frozen/);
    await adminExits(0, "owner", "freeze", owner, ...old);
    // Bytes without receipts: nobody there would know of them.
    await refused(/without a receipt of hot and cold/);
    await adminExits(0, "storage", "rebuild", newHot, "--owner", owner, ...there);
    await refused(/without a receipt of hot and cold/);
    await adminExits(0, "storage", "rebuild", newCold, "--owner", owner, ...there);
    await tokyo.query(
      "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'cold'",
    );
    await refused(/cold of the other inbox is distrusted/);
    await tokyo.query("UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL");

    // What came in meanwhile: first it is still in the inbox, then the proofs are not of it.
    await adminExits(0, "owner", "freeze", owner, "--undo", ...old);
    await world.submit(random.bytes(10), { ownerUuid: owner, itemUuid: random.uuid() });
    await adminExits(0, "owner", "freeze", owner, ...old);
    await refused(/Owner .* is not frozen, or something of it has not left/);
    await world.drainAll();
    const files = await list();
    await refused(/proof of hot is of other files \(\d+, the manifest has \d+\)/);
    assert.equal(await proveAt(newHot, proofs[0] ?? ""), 8);
    for (const name of ["hot", "cold"]) await adminExits(0, ...sync(name, ...move));
    for (const root of [newHot, newCold]) {
      await adminExits(0, "storage", "rebuild", root, "--owner", owner, ...there);
    }
    for (const [n, root] of [newHot, newCold].entries()) {
      assert.equal(await proveAt(root, proofs[n] ?? ""), 0);
    }
    const purge = ["storage", "purge", hot, "--manifest", manifest, "--count", String(files)];
    const proven = ["--moved-to", tokyo.url, "--proof", ...proofs];
    // A command line that forgets the other half deletes nothing.
    await adminExits(2, ...purge, ...old, "--proof", ...proofs, "--yes");
    await adminExits(2, ...purge, ...proven, "--yes");
    // It asks again while it goes on.
    await using inbox = await openInbox(old[1] ?? "");
    const moved = openManifest(manifest);
    await using under = await Move.open(inbox, tokyo.url, proofs.map(readProof), moved);
    await under.require([]);
    await tokyo.query(
      "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
    );
    await assert.rejects(under.require([]), /hot of the other inbox is distrusted/);
    await tokyo.query("UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL");
    const { stdout } = await adminExits(0, ...purge, ...old, ...proven, "--yes");
    assert.match(stdout, new RegExp(`DONE: ${files} files`));
  } finally {
    await tokyo.close();
  }
});

Deno.test("every recipe of the chapter has been run", () => recipes.requireAll());
