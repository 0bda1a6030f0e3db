import assert from "node:assert/strict";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import type { InboxStatus, LookStatus, StorageStatus } from "../../src/inbox/status/status.ts";
import { judge } from "../../src/verdict/verdict.ts";
import { admin, adminJson } from "./support/run.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

function database(world: World): string[] {
  return ["--database", world.server.url(world.database)];
}

const DAY = 86_400;

const LOOKED: LookStatus = {
  underWayAge: null,
  seenAge: 9,
  files: 0,
  bytes: 0,
  finishedAge: 9,
  finishedFiles: 5,
  finishedBytes: 5,
};

const WELL: StorageStatus = {
  storage: "hot",
  uuid: "",
  retired: false,
  distrusted: null,
  held: 5,
  heldBytes: 5000,
  lastReceiptAge: 9,
  owed: 0,
  owedBytes: 0,
  oldestOwedAge: null,
  failing: 0,
  parked: 0,
  state: "idle",
  reason: null,
  version: "1",
  seenAge: 3,
  standbySeenAge: null,
  freeBytes: 50,
  totalBytes: 100,
  freeInodes: 50,
  totalInodes: 100,
  lastError: null,
  registeredAge: 1000 * DAY,
  looks: { shallow: LOOKED, deep: LOOKED },
  lanes: [],
};

/** When the last looks came to their end, in seconds; null: there has been none. */
function looked(shallow: number | null, deep: number | null): Partial<StorageStatus> {
  return {
    looks: {
      shallow: { ...LOOKED, finishedAge: shallow },
      deep: { ...LOOKED, finishedAge: deep },
    },
  };
}

function status(storage: Partial<StorageStatus>, inbox: Partial<InboxStatus> = {}): InboxStatus {
  return {
    inbox: "",
    inboxName: "",
    minCopies: 2,
    storages: [{ ...WELL, ...storage }, { ...WELL, storage: "cold" }],
    media: 0,
    bytes: 0,
    bytesLimit: 100,
    diskBytes: 0,
    diskBytesLimit: 100,
    oldestSnapshotAge: null,
    commitWaitAge: null,
    generations: [],
    usage: [],
    underReplicated: 0,
    incomplete: 0,
    gone: 0,
    durability: {
      fsync: true,
      full_page_writes: true,
      data_sync_retry: false,
      zero_damaged_pages: false,
      synchronous_commit: true,
      data_checksums: true,
      unlogged: [],
      awaits_standby: false,
    },
    scrubCycle: 30 * DAY,
    findings: [],
    sharedPaths: 0,
    foreign: 0,
    miscounts: 0,
    ...inbox,
  };
}

Deno.test("the verdict is safe, behind or attention, and says why", () => {
  const verdicts: [InboxStatus, string, RegExp | null][] = [
    [status({}), "safe", null],
    [status({ state: "stopped", seenAge: 9e9 }), "safe", null],
    [status({ owed: 3, oldestOwedAge: 9, state: "storing" }), "behind", /hot is owed 3 media/],
    [
      status({ owed: 3, oldestOwedAge: 9, failing: 2 }),
      "behind",
      /2 failed and will be tried again/,
    ],
    [
      status({ owed: 3, state: "stopped", seenAge: 90 }),
      "attention",
      /was stopped 90 s ago; start it/,
    ],
    [status({ seenAge: 61 }), "attention", /was last seen 61 s ago/],
    [status({ seenAge: null, state: null }), "attention", /no worker of hot has ever been seen/],
    [status({ state: "paused", reason: "no space" }), "attention", /hot takes nothing: no space/],
    [status({ parked: 1 }), "attention", /1 media of hot given up on/],
    [status({ distrusted: "EIO" }), "attention", /hot is distrusted: EIO/],
    [status({ freeBytes: 9 }), "attention", /hot has 9 % of its space left/],
    [status({ retired: true }), "attention", /1 storage of at least 2 registered/],
    [status({}, { bytes: 80 }), "attention", /the inbox is nearly full/],
    [status({}, { incomplete: 5 }), "behind", /5 media from before a storage was added/],
    [
      status({}, { durability: { ...status({}).durability, fsync: false } }),
      "attention",
      /does not keep what it commits: fsync is off/,
    ],
    [
      status({}, { durability: { ...status({}).durability, data_checksums: false } }),
      "safe",
      null,
    ],
    [status({}, { commitWaitAge: 10 }), "safe", null],
    [status({}, { commitWaitAge: 11 }), "attention", /waited for a synchronous standby for 11 s/],
    [status({}, { underReplicated: 4 }), "attention", /4 media in fewer than 2 trusted storages/],
    [status({}, { sharedPaths: 2 }), "attention", /2 paths with receipts for different bytes/],
    [status({}, { miscounts: 2 }), "attention", /2 counters .* were wrong.*`inbox recount --fix`/],
    [status({}, { foreign: 1 }), "attention", /1 table or function .* run `inbox init`/],
    [
      status({}, { findings: [{ storage: "hot", kind: "corrupt", open: 2, oldestAge: 90 }] }),
      "attention",
      /hot: 2 findings “corrupt”.*`storage repair ROOT --from`/,
    ],
    [status(looked(2 * DAY - 1, 60 * DAY - 1)), "safe", null],
    [status(looked(2 * DAY + 1, 9)), "attention", /names of hot were last looked at 2 d 0 h ago/],
    [status(looked(9, 60 * DAY + 1)), "attention", /hot was last read to its end 60 d 0 h ago/],
    [status(looked(null, null)), "attention", /hot was not read to its end yet/],
    [status({ ...looked(null, null), registeredAge: DAY }), "safe", null],
    [status(looked(null, null), { scrubCycle: null }), "safe", null],
    [
      status(looked(null, null), {
        scrubCycle: null,
        findings: [{ storage: "hot", kind: "missing", open: 1, oldestAge: 9 }],
      }),
      "attention",
      /hot: 1 finding “missing”/,
    ],
    [
      status({}, {
        usage: [{ owner: "x", bytes: 90, bytesLimit: 100, media: 1, mediaLimit: 100 }],
      }),
      "attention",
      /owner x is near today's limit/,
    ],
  ];
  for (const [given, word, why] of verdicts) {
    const verdict = judge(given);
    const told = [...verdict.attention, ...verdict.behind].join("\n");
    assert.equal(verdict.word, word, told);
    if (why === null) assert.equal(told, "");
    else assert.match(told, why);
  }
});

Deno.test("status says behind while something is owed to a living worker, and safe when all is stored", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(1), 3);
  const owing = await admin(["inbox", "status", ...database(world)]);
  assert.equal(owing.code, 8, "no worker has been seen");
  await world.drainAll();
  const safe = await adminJson<{ verdict: string; storages: { held: number }[] }>([
    "inbox",
    "status",
    ...database(world),
  ]);
  assert.equal(safe.code, 0, safe.stdout);
  assert.equal(safe.result.verdict, "safe");
  assert.deepEqual(safe.result.storages.map((storage) => storage.held), [3, 3]);
});

Deno.test("what was given up on is listed with its reason, and retried by id or altogether", async () => {
  await using world = await template().world();
  const media = await world.submitMany(new Random(2), 3);
  const [first, second] = media;
  assert.ok(first && second);
  await world.query(
    "UPDATE omoide.delivery SET parked_at = now(), attempts = 6, last_error = 'wrong checksum' " +
      "WHERE media_id = ANY ($1)",
    [[String(first.id), String(second.id)]],
  );
  const parked = await admin(["inbox", "parked", ...database(world)]);
  assert.equal(parked.code, 8);
  assert.match(
    parked.stdout,
    new RegExp(`${first.id} for cold: .*${first.itemUuid}.*wrong checksum`),
  );
  assert.match(parked.stdout, /\n4 deliveries parked\./);

  const retry = ["inbox", "retry", ...database(world)];
  for (const [args, code] of [[[], 2], [["x"], 2], [["999999"], 2], [["1", "--all"], 2]] as const) {
    assert.equal((await admin([...retry, ...args])).code, code);
  }
  assert.equal((await admin([...retry, String(first.id), "999999"])).code, 2);
  assert.equal(
    (await world.query("SELECT FROM omoide.owed WHERE parked_at IS NOT NULL")).length,
    4,
  );
  assert.match(
    (await admin([...retry, String(first.id), "--storage", "cold"])).stdout,
    /^1 delivery/,
  );
  assert.match((await admin([...retry, "--all"])).stdout, /^3 deliveries/);
  await world.drainAll();
  await world.requireInvariants();
});

Deno.test("whoever only asks needs no superuser, sees no bytes, and can change nothing", async () => {
  await using world = await template().world();
  const [media] = await world.submitMany(new Random(5), 3);
  await world.query(
    "UPDATE omoide.delivery SET parked_at = now(), last_error = 'wrong checksum' WHERE media_id = $1",
    [String(media?.id)],
  );
  await world.query("ALTER ROLE omoide_monitor PASSWORD 'monitor'");
  const url = new URL(world.server.url(world.database, "omoide_monitor"));
  url.password = "monitor";
  const asked = ["--database", url.href];
  for (const command of ["status", "parked"]) {
    const mine = await admin(["inbox", command, ...asked]);
    const superusers = await admin(["inbox", command, ...database(world)]);
    assert.equal(mine.code, superusers.code, mine.stderr);
    const ages = /\d+ s\b/g;
    assert.equal(mine.stdout.replace(ages, ""), superusers.stdout.replace(ages, ""));
  }
  assert.match((await admin(["inbox", "parked", ...asked])).stdout, /wrong checksum\n2 deliveries/);
  for (
    const args of [
      ["inbox", "retry", "--all"],
      ["inbox", "limits", "--min-copies", "3"],
      ["inbox", "init"],
      ["storage", "retire", "hot", "--yes"],
    ]
  ) {
    const refused = await admin([...args, ...asked]);
    assert.equal(refused.code, 4, `${args}: ${refused.stdout}${refused.stderr}`);
    assert.match(refused.stderr, /superuser/);
  }
});

Deno.test("limits are shown and set, all or none", async () => {
  await using world = await template().world();
  const limits = ["inbox", "limits", ...database(world)];
  const before = await adminJson<Record<string, number>>(limits);
  assert.equal(before.result.max_inbox_bytes, 5 * 1024 ** 3);
  const set = await admin([...limits, "--max-inbox-bytes", "7GiB", "--owner-media-per-day", "12"]);
  assert.match(set.stdout, /--max-inbox-bytes 7\.0 GiB, was 5\.0 GiB/);
  const refused = await admin([...limits, "--max-media-bytes", "1G", "--min-copies", "1"]);
  assert.equal(refused.code, 4);
  assert.equal((await admin([...limits, "--max-media-bytes", "much"])).code, 2);
  const after = await adminJson<Record<string, number>>(limits);
  assert.equal(after.result.max_media_bytes, before.result.max_media_bytes);
  assert.equal(after.result.owner_media_per_day, 12);
});

Deno.test("a storage is retired only when enough remain, and the blobs that waited for it leave", async () => {
  await using world = await template().world();
  const retire = ["storage", "retire", "cold", ...database(world)];
  const refused = await admin([...retire, "--yes"]);
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /1 of at least 2 required storages would remain/);

  const root = `${world.root("hot")}-third`;
  const made = await admin(["storage", "init", "third", root, ...database(world)]);
  assert.equal(made.code, 0, made.stderr);
  try {
    await world.submitMany(new Random(3), 4);
    // Of the three only cold is missing.
    await world.drainOnce("hot");
    await world.query(
      "WITH done AS (DELETE FROM omoide.delivery d USING omoide.storage s " +
        "WHERE s.id = d.storage_id AND s.name = 'third' RETURNING d.*) " +
        "INSERT INTO omoide.stored (storage_id, media_id, outcome) " +
        "SELECT storage_id, media_id, 'stored' FROM done",
    );
    const dry = await admin(retire);
    assert.match(dry.stdout, /cold would no longer be owed 4 media .*; 4 blobs .* would leave/);
    assert.equal((await world.query("SELECT FROM omoide.owed WHERE storage = 'cold'")).length, 4);
    assert.equal((await admin([...retire, "--yes"])).code, 0);
    await world.drainOnce("hot");
    assert.equal((await world.query("SELECT FROM omoide.media_chunk")).length, 0);
    assert.equal((await admin([...retire, "--yes"])).code, 4, "it was retired already");
    assert.equal((await world.drainOnce("cold")).code, 4);
  } finally {
    // Roles are the cluster's, and other tests share it.
    await world.query("DROP OWNED BY omoide_third; DROP ROLE omoide_third");
  }
});

Deno.test("a storage added later is owed what is still in the inbox", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(4), 5);
  await world.drainOnce("hot");
  const root = `${world.root("hot")}-third`;
  try {
    const made = await admin(["storage", "init", "third", root, ...database(world)]);
    assert.match(made.stdout, /It is owed 5 media from the inbox/);
    await world.drainOnce("cold");
    assert.equal(
      (await world.query("SELECT FROM omoide.waiting")).length,
      5,
    );
  } finally {
    await world.query("DROP OWNED BY omoide_third; DROP ROLE omoide_third");
  }
});
