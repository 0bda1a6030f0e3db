/** The tools on storages whose workers and inbox go on. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { admin, adminExits, databaseOf } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

const template = sharedTemplate();

Deno.test("ids that come again after an older database was restored confuse nobody", async () => {
  await using world = await template().world();
  const random = new Random(7);
  await world.submitMany(random, 5);
  await world.drainAll();
  // The restored backup knows none of them, and gives their ids to others.
  await world.query("TRUNCATE omoide.media, omoide.stored, omoide.delivery RESTART IDENTITY");
  const fresh = await world.submitMany(random, 5);
  assert.equal(fresh[0]?.id, 1n);
  await world.drainAll();
  for (const name of ["hot", "cold"]) {
    await adminExits(0, "storage", "rebuild", world.root(name), ...databaseOf(world));
    await adminExits(0, "storage", "verify", world.root(name));
    await adminExits(0, "storage", "compare", world.root(name), ...databaseOf(world));
    assert.equal(await world.receipts(name), 10);
  }
  const [row] = await world.query<{ n: string }>("SELECT count(*) AS n FROM omoide.media");
  assert.equal(row?.n, "10");
});

Deno.test("a repair of what only the good storage knows makes its object again", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(8), 6);
  await world.drainAll();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  const rows = await world.query<{ path: string; id: string; sha: string }>(
    "SELECT path, media_id AS id, encode(sha256, 'hex') AS sha FROM omoide.receipt " +
      "WHERE storage = 'hot' AND media_id <= 2 ORDER BY media_id",
  );
  for (const [i, { path, id, sha }] of rows.entries()) {
    Deno.removeSync(`${hot}/.omoide/objects/${sha.slice(0, 2)}/${sha}-${id}`);
    if (i === 1) flipBit(`${hot}/${path}`);
  }
  await adminExits(8, "storage", "verify", hot);
  await adminExits(0, "storage", "repair", hot, "--from", cold);
  await adminExits(0, "storage", "verify", hot);
  await adminExits(0, "storage", "compare", hot, cold);
  await world.requireInvariants();
  const report = `${hot}.report`;
  Deno.writeTextFileSync(report, JSON.stringify({ uuid: randomUUID(), findings: [] }));
  await adminExits(2, "storage", "repair", hot, "--from", cold, "--report", report);
});

Deno.test("verify and sync beside working workers report nothing false and lose nothing", async () => {
  await using world = await template().world();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  await using _hot = world.start("hot");
  await using _cold = world.start("cold");
  const random = new Random(9);
  let storing = true;
  const submitting = world.submitMany(random, 200).finally(() => storing = false);
  let verified = 0;
  while (storing) {
    await adminExits(0, "storage", "verify", hot);
    const sync = await admin(["storage", "sync", "--from", hot, "--to", cold]);
    assert.equal(sync.code, 0, sync.stdout + sync.stderr);
    verified++;
  }
  assert.ok(verified > 0);
  await submitting;
  await world.drained();
  await adminExits(0, "storage", "verify", hot);
  await adminExits(0, "storage", "verify", cold);
  await adminExits(0, "storage", "compare", hot, cold);
  await adminExits(0, "storage", "compare", cold, ...databaseOf(world));
  await world.requireInvariants();
});
