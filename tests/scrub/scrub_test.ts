/**
 * The scrub as it is started, in its sandbox, as its own role: what it finds, that it finds it well only when
 * it is, and that the commands it names do help.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { pg } from "../../src/inbox/pg.ts";
import { adminExits, databaseOf } from "../admin/support/run.ts";
import { flipBit, makeMedia, plant } from "../admin/support/tree.ts";
import { run } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";
import { openFindings, scrubOnce } from "./support/scrub_process.ts";
import { store, type Stored, stored } from "./support/stored.ts";

const template = sharedTemplate();
/** Of the package libfaketime. */
const FAKETIME = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketime.so.1`;
/** What is younger than some minutes may still be on its way to its receipt. */
const LATER = { LD_PRELOAD: FAKETIME, FAKETIME: "+1h", DONT_FAKE_MONOTONIC: "1" };

Deno.test("a sound storage is looked at to its end, and nothing is found", async () => {
  await using world = await template().world();
  await store(world, 5);
  const { code, output } = await scrubOnce(world);
  assert.equal(code, 0, output);
  const looks = await world.query<{ depth: string; files: string; bytes: string }>(
    "SELECT depth, finished_files AS files, finished_bytes AS bytes FROM omoide.look_status " +
      "WHERE storage = 'hot' ORDER BY depth",
  );
  assert.deepEqual(looks, [
    { depth: "deep", files: "5", bytes: String(5 * 3000 + 10) },
    { depth: "shallow", files: "5", bytes: "0" },
  ]);
});

Deno.test({
  ...requireTools(["strace", FAKETIME]),
  name: "whatever happens to a storage is found, kept once, and closed when its command has helped",
  async fn() {
    await using world = await template().world();
    const media = await store(world, 10);
    const [flipped, cut, mute, unnamed, gone, owner, all, strayBeside, sound, replaced] = media as [
      ...[Stored, Stored, Stored, Stored, Stored, Stored, Stored, Stored, Stored, Stored],
    ];
    const lie = await lieAbout(world);
    const root = world.root("hot");
    const inRoot = (path: string) => join(root, path);

    flipBit(inRoot(flipped.object), 8000);
    await Deno.chmod(inRoot(cut.path), 0o640);
    await Deno.truncate(inRoot(cut.path), 10);
    await Deno.remove(inRoot(unnamed.path));
    await Deno.remove(inRoot(gone.path));
    await Deno.remove(inRoot(gone.object));
    const ownerDirectory = ({ ownerUuid }: Stored) => inRoot(`content/${ownerUuid}`);
    await Deno.remove(ownerDirectory(owner), { recursive: true });
    await Deno.remove(ownerDirectory(all), { recursive: true });
    await Deno.remove(inRoot(all.object));
    const { size } = await Deno.stat(inRoot(replaced.path));
    await Deno.remove(inRoot(replaced.path));
    await Deno.writeFile(inRoot(replaced.path), new Uint8Array(size), { mode: 0o440 });
    const stray = plant(root, makeMedia({ id: 1000n, ownerUuid: strayBeside.ownerUuid }));
    const strange = [
      sound.path.replace(/[^/]+$/, "notes.txt"),
      "content/notes.txt",
      ".omoide/objects/ab/notes.txt",
      ".omoide/objects/notes",
      "notes.txt",
    ];
    for (const path of strange) await Deno.writeTextFile(inRoot(path), "a note");

    const byRepair = [
      `corrupt: ${cut.object}`,
      `corrupt: ${flipped.object}`,
      `unexpected: ${replaced.path}`,
      `unreadable: ${mute.object}`,
      `wrong size: ${cut.path}`,
    ];
    const bySync = [
      `missing: ${owner.path}`,
      `missing: ${unnamed.path}`,
      `receipt without file: ${all.path}`,
      `receipt without file: ${gone.path}`,
      `receipt without file: ${lie.path}`,
    ];
    const byRebuild = [`file without receipt: ${stray.path}`];
    const byHand = strange.map((path) => `unexpected: ${path}`);

    const eio = async () => ({
      log: await world.temporaryFile(),
      calls: ["read"],
      inject: ["read:error=EIO"],
      paths: [inRoot(mute.object)],
    });
    for (let i = 0; i < 2; i++) {
      const { code, output } = await scrubOnce(world, { env: LATER, trace: await eio() });
      assert.equal(code, 8, output);
      assert.deepEqual(
        await openFindings(world),
        [...byRepair, ...bySync, ...byRebuild, ...byHand].sort(),
      );
    }

    const cold = world.root("cold"), database = databaseOf(world);
    const left = async (expected: readonly string[]) => {
      const { code, output } = await scrubOnce(world, { env: LATER });
      assert.equal(code, expected.length === 0 ? 0 : 8, output);
      assert.deepEqual(await openFindings(world), [...expected].sort());
    };
    await adminExits(8, "storage", "verify", root);
    await adminExits(0, "storage", "repair", root, "--from", cold);
    await left([...bySync, ...byRebuild, ...byHand]);
    await adminExits(0, "storage", "sync", "--from", cold, "--to", root);
    await left([...byRebuild, ...byHand]);
    await adminExits(0, "storage", "rebuild", root, ...database);
    await left(byHand);
    for (const path of strange) await Deno.remove(inRoot(path));
    await left([]);

    const kept = await world.query(
      "SELECT DISTINCT closed_at IS NOT NULL AS closed, found_at <= closed_at AS in_order, " +
        "count(*)::int AS count FROM omoide.finding GROUP BY 1, 2",
    );
    const count = byRepair.length + bySync.length + byRebuild.length + byHand.length;
    assert.deepEqual(kept, [{ closed: true, in_order: true, count }]);
  },
});

Deno.test("a name that is no text is found as well, and a directory that is none is no scrub's end", async () => {
  await using world = await template().world();
  const [first, replaced] = await store(world, 2);
  assert.ok(first !== undefined && replaced !== undefined);
  const root = world.root("hot");
  const directory = first.path.slice(0, first.path.lastIndexOf("/"));
  const objects = first.object.slice(0, first.object.lastIndexOf("/"));
  const make = "cd $0 && for d do : >$d/$(printf 'no\\377tes'); done";
  await run("sh", "-c", make, root, directory, objects);
  // A link where a directory should be, and a directory that is not there.
  await Deno.rename(join(root, "preview"), join(root, "content/preview"));
  await Deno.symlink("/etc", join(root, "preview"));
  // And a directory in a media's place, which both its receipt and its name lead to.
  await Deno.remove(join(root, replaced.path));
  await Deno.mkdir(join(root, replaced.path));
  const other = objects.endsWith("ff") ? ".omoide/objects/fe" : ".omoide/objects/ff";
  await Deno.remove(join(root, other));
  const { code, output } = await scrubOnce(world);
  assert.equal(code, 8, output);
  assert.deepEqual(
    await openFindings(world),
    [
      `missing: ${other}`,
      `unexpected: ${directory}/no\u{fffd}tes`,
      `unexpected: ${objects}/no\u{fffd}tes`,
      `unexpected: ${replaced.path}`,
      "unexpected: preview",
    ].sort(),
  );
  const [counted] = await world.query(
    "SELECT sum(finished_findings)::int AS findings FROM omoide.look",
  );
  assert.deepEqual(counted, { findings: 5 }, "each counted once");
});

/** A storage's role gives a receipt for what it never stored; the other one stores it. */
async function lieAbout(world: World): Promise<Stored> {
  const bytes = new Uint8Array([1, 2, 3]);
  const { id, sha256, size } = await world.submit(bytes, {
    ownerUuid: crypto.randomUUID(),
    itemUuid: crypto.randomUUID(),
  });
  const url = new URL(world.server.url(world.database, "omoide_hot"));
  url.password = "secret";
  const hot = new pg.Client({ connectionString: url.href });
  await hot.connect();
  const [{ identity = "" } = {}] = await world.query<{ identity: string }>(
    "SELECT identity FROM omoide.storage WHERE name = 'hot'",
  );
  const { rows } = await hot.query<{ result: string }>(
    "SELECT result FROM omoide.acknowledge($1, $2, $3, $4, ARRAY['stored'], ARRAY[NULL])",
    [identity, [String(id)], [Buffer.from(sha256, "hex")], [size]],
  );
  await hot.end();
  assert.deepEqual(rows, [{ result: "acknowledged" }]);
  await world.drainAll();
  const found = (await stored(world)).find((each) => each.id === id);
  assert.ok(found !== undefined);
  return found;
}
