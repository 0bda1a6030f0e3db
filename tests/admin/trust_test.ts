/** `storage trust`: what a disk that failed must show. */
import assert from "node:assert/strict";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { untilItWaits } from "../inbox/support/inbox_test.ts";
import { adminExits, databaseOf } from "./support/run.ts";
import { auditLogOf, flipBit } from "./support/tree.ts";

// SAFE is said only from a database that keeps what it commits.
const template = sharedTemplate({ fsync: true });

Deno.test("a storage is trusted again only when everything it stored is right", async () => {
  await using world = await template().world();
  const random = new Random(1);
  await world.submitMany(random, 8);
  await world.drainAll();
  await world.submitMany(random, 4);
  await world.drainOnce("hot");
  const hot = world.root("hot");
  const [released, waiting] = (await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' AND media_id IN (3, 11) ORDER BY media_id",
  )).map(({ path }) => path);
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
  );
  assert.equal((await world.drainOnce("hot")).code, 5);
  flipBit(`${hot}/${released}`);
  flipBit(`${hot}/${waiting}`);

  const trust = ["storage", "trust", "hot", "--root", hot, ...databaseOf(world)];
  assert.match((await adminExits(4, ...trust)).stderr, /Fix its disk and remount it.*--remounted/);
  const still = await adminExits(8, ...trust, "--remounted");
  assert.match(
    still.stdout,
    /STILL DISTRUSTED: 2 files of hot not as the receipts say, 12 files read/,
  );
  // What is waiting only this storage has, beside the inbox.
  const repair = await adminExits(6, "storage", "repair", hot, "--from", world.root("cold"));
  assert.match(repair.stdout, /INCOMPLETE: 1 name of hot repaired, 1 not/);
  const trusted = await adminExits(0, ...trust, "--remounted", "--redeliver");
  assert.match(trusted.stdout, /1 media will be stored again/);
  await world.drainAll();
  await adminExits(0, "storage", "verify", hot);
  await adminExits(0, "storage", "compare", hot, world.root("cold"));
  await adminExits(0, "inbox", "status", ...databaseOf(world));
  const actions = auditLogOf(hot).map(({ action }) => action);
  assert.deepEqual(actions, ["repair", "redeliver", "trust"]);
  await world.requireInvariants();
  await adminExits(0, ...trust);
});

Deno.test("what leaves the inbox while it would be redelivered keeps its storage distrusted", async () => {
  await using world = await template().world();
  await world.query("UPDATE omoide.settings SET min_copies = 3");
  await world.submitMany(new Random(2), 2);
  await world.drainAll();
  await world.query("UPDATE omoide.settings SET min_copies = 2");
  const cold = await world.connect();
  await cold.query("SET SESSION AUTHORIZATION omoide_cold; BEGIN; SELECT omoide.release('{1}')");
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
  );
  const hot = world.root("hot");
  for (
    const { path } of await world.query<{ path: string }>(
      "SELECT path FROM omoide.receipt WHERE storage = 'hot'",
    )
  ) flipBit(`${hot}/${path}`);

  const trust = ["storage", "trust", "hot", "--root", hot, ...databaseOf(world), "--remounted"];
  const still = adminExits(8, ...trust, "--redeliver");
  await untilItWaits({ admin: await world.superuser() }, still);
  await cold.query("COMMIT");
  assert.match(
    (await still).stdout,
    /1 media will be stored again.\nSTILL DISTRUSTED: 1 file of hot/,
  );
  await adminExits(0, "storage", "sync", "--from", world.root("cold"), "--to", hot);
  await adminExits(0, ...trust, "--redeliver");
  await world.drainAll();
  await adminExits(0, "storage", "compare", hot, world.root("cold"));
  await world.requireInvariants();
});
