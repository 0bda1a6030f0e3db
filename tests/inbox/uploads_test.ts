/** Pending uploads: what an application brings over many statements, and what becomes of it. */
import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import type { TestInbox } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTest,
  pendingIds,
  refused,
  release,
  rowsOf,
  sha256,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const CHUNK = 256 * KiB;
const OWNER = "00000000-0000-4000-8000-0000000000aa";

interface Upload {
  readonly key: string;
  readonly owner: string;
  readonly item: string;
}

async function open(app: Connection, size: number, given: Partial<Upload> = {}): Promise<Upload> {
  const upload = { key: crypto.randomUUID(), owner: OWNER, item: crypto.randomUUID(), ...given };
  await app.query("SELECT omoide.open_upload($1, $2, $3, 'content', 'mov', $4)", [
    upload.key,
    upload.owner,
    upload.item,
    size,
  ]);
  return upload;
}

const APPEND = "SELECT omoide.append_upload($1, $2, $3, $4, $5)";

async function append(
  app: Connection,
  { key, owner }: Upload,
  offset: number,
  bytes: Uint8Array,
  state: Uint8Array | null = null,
): Promise<number> {
  return Number(await valueOf(app, APPEND, [key, owner, offset, bytes, state]));
}

const FINISH = "SELECT * FROM omoide.finish_upload($1, $2, $3)";

async function finish(app: Connection, { key, owner }: Upload, digest: Uint8Array) {
  const [row] = await rowsOf<{ media_id: string; existed: boolean }>(app, FINISH, [
    key,
    owner,
    digest,
  ]);
  assert.ok(row !== undefined);
  return row;
}

async function find(app: Connection, { key, owner }: Upload) {
  const [row] = await rowsOf(app, "SELECT * FROM omoide.find_upload($1, $2)", [key, owner]);
  return row;
}

function bytesOf(size: number, seed = 1): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31 + seed + (i >> 8)) & 255);
}

/** Opens, brings and finishes in pieces of that size; returns the media's id. */
async function uploadWhole(app: Connection, content: Uint8Array, piece: number, given?: Upload) {
  const upload = given ?? await open(app, content.length);
  for (let at = 0; at < content.length; at += piece) {
    await append(app, upload, at, content.subarray(at, at + piece));
  }
  return { upload, ...await finish(app, upload, sha256(content)) };
}

/** What a worker reads of it. */
async function contentOf(worker: Connection, id: string): Promise<Uint8Array> {
  const rows = await rowsOf<{ bytes: Uint8Array }>(
    worker,
    "SELECT bytes FROM omoide.my_chunk WHERE media_id = $1 ORDER BY seq",
    [id],
  );
  return new Uint8Array(rows.flatMap(({ bytes }) => [...bytes]));
}

/** What is charged: the inbox's bytes and media, then the owner's of today, then all owners'. */
async function charged({ admin }: TestInbox): Promise<number[]> {
  const [row] = await rowsOf<Record<string, string>>(
    admin,
    `SELECT
      coalesce(sum(bytes) FILTER (WHERE day = '-infinity'), 0) AS a,
      coalesce(sum(media) FILTER (WHERE day = '-infinity'), 0) AS b,
      coalesce(sum(bytes) FILTER (WHERE account = $1), 0) AS c,
      coalesce(sum(media) FILTER (WHERE account = $1), 0) AS d,
      coalesce(sum(bytes) FILTER (WHERE account = '00000000-0000-0000-0000-000000000000'), 0) AS e
    FROM omoide.ledger`,
    [OWNER],
  );
  return Object.values(row ?? {}).map(Number);
}

/** How many chunks somebody waits for; others go with their generation. */
async function chunks({ admin }: TestInbox): Promise<number> {
  return Number(
    await valueOf(
      admin,
      "SELECT count(*) FROM omoide.media_chunk c " +
        "WHERE EXISTS (SELECT FROM omoide.blobs(c.generation) b WHERE b.id = c.media_id)",
    ),
  );
}

async function sweep(worker: Connection): Promise<void> {
  await worker.query("SELECT * FROM omoide.sweep()");
  await worker.query("SELECT * FROM omoide.recycle(true)");
}

for (const piece of [1000, CHUNK, MiB - 1, 4 * MiB]) {
  inboxTest(
    `what is brought in pieces of ${piece} bytes is what the workers get`,
    async (inbox) => {
      const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
      const content = bytesOf(piece === 1000 ? 600_123 : 2 * MiB + 12_345);
      const { media_id } = await uploadWhole(app, content, piece);
      assert.deepEqual(await pendingIds(hot), [media_id]);
      assert.deepEqual(await contentOf(hot, media_id), content);
      const sizes = await rowsOf<{ n: number }>(
        inbox.admin,
        "SELECT octet_length(bytes) AS n FROM omoide.media_chunk ORDER BY seq",
      );
      assert.ok(sizes.slice(0, -1).every(({ n }) => n === CHUNK));
    },
  );
}

inboxTest("a finished upload goes the way of every media, down to its release", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const content = bytesOf(CHUNK + 5);
  const { media_id } = await uploadWhole(app, content, CHUNK);
  assert.deepEqual(await charged(inbox), [content.length, 1, content.length, 1, content.length]);
  for (const worker of [hot, cold]) {
    assert.deepEqual(await acknowledge(worker, [media_id], content), ["acknowledged"]);
  }
  assert.equal(await release(hot, [media_id]), 1);
  await hot.query("SELECT omoide.recycle(true)");
  assert.equal(await chunks(inbox), 0);
  assert.deepEqual(await charged(inbox), [0, 0, content.length, 1, content.length]);
});

inboxTest("an empty file is an upload too", async (inbox) => {
  const app = await inbox.as("app");
  const upload = await open(app, 0);
  const { media_id } = await finish(app, upload, sha256(""));
  assert.deepEqual(await pendingIds(await inbox.as("cold")), [media_id]);
});

inboxTest("no worker sees a byte or a row of what is pending", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const upload = await open(app, 3 * CHUNK);
  await append(app, upload, 0, bytesOf(2 * CHUNK));
  assert.deepEqual(await pendingIds(hot), []);
  assert.equal(await valueOf(hot, "SELECT count(*)::int FROM omoide.my_chunk"), 0);
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.media"), 0);
  await sweep(hot);
  assert.equal(await chunks(inbox), 2);
  assert.equal((await find(app, upload))?.stored_bytes, String(2 * CHUNK));
});

inboxTest(
  "opening, finishing and giving up may be repeated when the answer was lost",
  async (inbox) => {
    const app = await inbox.as("app");
    const content = bytesOf(CHUNK + 1);
    const upload = await open(app, content.length);
    await open(app, content.length, upload);
    const before = await charged(inbox);
    await open(app, content.length, upload);
    assert.deepEqual(await charged(inbox), before);
    await refused(app, "OM010", "SELECT omoide.open_upload($1, $2, $3, 'content', 'mov', 7)", [
      upload.key,
      upload.owner,
      upload.item,
    ], /another upload/);
    await append(app, upload, 0, content);
    const first = await finish(app, upload, sha256(content));
    assert.deepEqual(await finish(app, upload, sha256(content)), first);
    await refused(
      app,
      "OM011",
      FINISH,
      [upload.key, upload.owner, sha256("other")],
      /another sha256/,
    );
    await open(app, content.length, upload);
    // It is a media now, and stays one.
    assert.equal(
      await valueOf(app, "SELECT omoide.cancel_upload($1, $2)", [upload.key, upload.owner]),
      false,
    );
    await refused(
      app,
      "OM013",
      APPEND,
      [upload.key, OWNER, content.length, "x", null],
      /is finished/,
    );
    await sweep(await inbox.as("hot"));
    assert.equal(await chunks(inbox), 2);
  },
);

inboxTest(
  "only the recorded offset counts, and the state is the one of that offset",
  async (inbox) => {
    const app = await inbox.as("app");
    const upload = await open(app, MiB);
    assert.equal(await append(app, upload, 0, bytesOf(1000), new Uint8Array([1])), 1000);
    for (const offset of [0, 999, 1001, MiB, -1, null]) {
      await refused(
        app,
        "OM013",
        APPEND,
        [upload.key, OWNER, offset, "x", "y"],
        /has 1000 of 1048576/,
      );
    }
    for (const bytes of [new Uint8Array(MiB - 999), new Uint8Array(0), null]) {
      await refused(app, "OM011", APPEND, [upload.key, OWNER, 1000, bytes, "y"]);
    }
    const found = await find(app, upload);
    assert.equal(found?.stored_bytes, "1000");
    assert.deepEqual(new Uint8Array(found?.hash_state as Uint8Array), new Uint8Array([1]));
    await refused(app, "OM011", FINISH, [upload.key, OWNER, sha256("")], /0 bytes, not 1048576/);
  },
);

inboxTest("an owner reaches only its own uploads", async (inbox) => {
  const app = await inbox.as("app");
  const upload = await open(app, 10);
  const other = crypto.randomUUID();
  await refused(app, "OM014", APPEND, [upload.key, other, 0, "x", null]);
  await refused(app, "OM014", FINISH, [upload.key, other, sha256("")]);
  assert.equal(await find(app, { ...upload, owner: other }), undefined);
  assert.equal(
    await valueOf(app, "SELECT omoide.cancel_upload($1, $2)", [upload.key, other]),
    false,
  );
  await refused(app, "OM010", "SELECT omoide.open_upload($1, $2, $3, 'content', 'mov', 10)", [
    upload.key,
    other,
    upload.item,
  ]);
});

inboxTest(
  "of two writers at one offset one is refused, and nothing is there twice",
  async (inbox) => {
    const [one, two] = [await inbox.as("app"), await inbox.as("app")];
    const upload = await open(one, 8 * CHUNK);
    let done = 0;
    for (let at = 0; at < 8; at++) {
      const tries = await Promise.allSettled(
        [one, two].map((app) => append(app, upload, at * CHUNK, bytesOf(CHUNK, at))),
      );
      assert.equal(tries.filter(({ status }) => status === "fulfilled").length, 1);
      done += CHUNK;
      assert.equal((await find(one, upload))?.stored_bytes, String(done));
    }
    const whole = new Uint8Array(8 * CHUNK);
    for (let at = 0; at < 8; at++) whole.set(bytesOf(CHUNK, at), at * CHUNK);
    const { media_id } = await finish(two, upload, sha256(whole));
    assert.deepEqual(await contentOf(await inbox.as("hot"), media_id), whole);
  },
);

inboxTest("of two that finish at once both are told the same", async (inbox) => {
  const [one, two] = [await inbox.as("app"), await inbox.as("app")];
  for (let round = 0; round < 10; round++) {
    const content = bytesOf(CHUNK * 2, round);
    const upload = await open(one, content.length);
    await append(one, upload, 0, content);
    const [a, b] = await Promise.all([one, two].map((app) => finish(app, upload, sha256(content))));
    assert.deepEqual(a, b);
  }
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.media"), 10);
});

inboxTest(
  "bytes that the item has already are that media, and the upload's own go",
  async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    const content = bytesOf(CHUNK + 9);
    const first = await uploadWhole(app, content, CHUNK);
    const before = await charged(inbox);
    const again = await uploadWhole(
      app,
      content,
      CHUNK,
      await open(app, content.length, { item: first.upload.item }),
    );
    assert.equal(again.media_id, first.media_id);
    assert.deepEqual([first.existed, again.existed], [false, true]);
    // Its answer can be given again until it expires; then its chunks go, and nobody else's.
    await inbox.admin.query("UPDATE omoide.upload SET expires_at = now() - interval '1 s'");
    await sweep(hot);
    assert.equal(await chunks(inbox), 2);
    assert.deepEqual(await charged(inbox), before);
    assert.deepEqual(await contentOf(hot, first.media_id), content);
  },
);

inboxTest("bytes that are parked are not taken for there already", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const content = bytesOf(CHUNK + 9);
  const first = await uploadWhole(app, content, CHUNK);
  await hot.query("SELECT omoide.report_failure($1, 'damaged', true)", [first.media_id]);
  const again = await uploadWhole(
    app,
    content,
    CHUNK,
    await open(app, content.length, { item: first.upload.item }),
  );
  assert.equal(again.existed, false);
  assert.notEqual(again.media_id, first.media_id);
});

inboxTest("what expires or is given up goes, with all that it was charged", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const nothing = await charged(inbox);
  const [left, given] = [await open(app, 3 * CHUNK), await open(app, 10)];
  await append(app, left, 0, bytesOf(2 * CHUNK + 7));
  assert.deepEqual(await charged(inbox), [2 * CHUNK + 7, 0, 3 * CHUNK + 4096, 2, 3 * CHUNK + 4096]);
  assert.equal(await valueOf(app, "SELECT omoide.cancel_upload($1, $2)", [given.key, OWNER]), true);
  await inbox.admin.query("UPDATE omoide.upload SET expires_at = now() WHERE key = $1", [left.key]);
  for (const upload of [left, given]) {
    assert.equal(await find(app, upload), undefined);
    await refused(app, "OM014", APPEND, [upload.key, OWNER, 0, "x", null], /has expired/);
    await refused(app, "OM014", FINISH, [upload.key, OWNER, sha256("")]);
  }
  await sweep(hot);
  assert.equal(await chunks(inbox), 0);
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.upload"), 0);
  assert.deepEqual(await charged(inbox), nothing);
});

inboxTest("a large one that expires goes in one sweep, with its files", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  const size = 2100 * CHUNK;
  const upload = await open(app, size);
  await append(app, upload, 0, bytesOf(CHUNK));
  // As if it had come in: 2,100 chunks, without the bytes.
  await inbox.admin.query(
    "INSERT INTO omoide.media_chunk SELECT id, n, 'x', generation " +
      "FROM omoide.upload, generate_series(1, 2099) n",
  );
  await inbox.admin.query("UPDATE omoide.upload SET chunks = 2100, expires_at = now()");
  await inbox.admin.query("SELECT omoide.tally_inbox($1, 0)", [size - CHUNK]);
  await sweep(hot);
  assert.equal(await chunks(inbox), 0);
  assert.equal(await valueOf(inbox.admin, "SELECT disk_bytes FROM omoide.inbox_status"), "0");
  assert.deepEqual((await charged(inbox)).slice(0, 2), [0, 0]);
});

inboxTest(
  "a sweep waits for nobody who writes, and leaves that upload for the next time",
  async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    const upload = await open(app, 2 * CHUNK);
    await app.query("BEGIN");
    await append(app, upload, 0, bytesOf(CHUNK));
    await inbox.admin.query("SET statement_timeout = '1s'");
    // Expired for everybody who looks now; the writer's transaction began before.
    await hot.query("SET statement_timeout = '5s'");
    await sweep(hot);
    await app.query("COMMIT");
    assert.equal((await find(app, upload))?.stored_bytes, String(CHUNK));
  },
);

inboxTest("finishing and expiry at once end in one or the other, never in half", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  let finished = 0;
  for (let round = 0; round < 30; round++) {
    const content = bytesOf(2 * CHUNK, round);
    const upload = await open(app, content.length);
    await append(app, upload, 0, content);
    await inbox.admin.query(
      "UPDATE omoide.upload SET expires_at = clock_timestamp() + interval '2 ms' WHERE key = $1",
      [upload.key],
    );
    const [outcome] = await Promise.allSettled([
      finish(app, upload, sha256(content)),
      (async () => {
        for (let i = 0; i < 3; i++) await sweep(hot);
      })(),
    ]);
    if (outcome.status === "fulfilled") {
      finished += 1;
      assert.deepEqual(await contentOf(hot, outcome.value.media_id), content);
    }
  }
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.media"), finished);
  await inbox.admin.query("UPDATE omoide.upload SET expires_at = '-infinity'");
  await sweep(hot);
  assert.equal(await chunks(inbox), 2 * finished);
  assert.equal((await charged(inbox))[0], 2 * CHUNK * finished);
});

inboxTest("adding keeps an upload alive, but not for ever", async (inbox) => {
  const app = await inbox.as("app");
  const upload = await open(app, 2 * CHUNK);
  await inbox.admin.query(
    "UPDATE omoide.upload SET opened_at = now() - interval '6.9 days', expires_at = now() + interval '1 s'",
  );
  await append(app, upload, 0, bytesOf(CHUNK));
  const left = await valueOf(
    inbox.admin,
    "SELECT extract(epoch FROM expires_at - now())::int FROM omoide.upload",
  ) as number;
  assert.ok(left > 8000 && left < 9000, `${left} s`);
});

inboxTest("limits: a media's bytes, the owner's day, and how many may be open", async (inbox) => {
  const app = await inbox.as("app");
  const limit = (settings: string) => inbox.admin.query(`UPDATE omoide.settings SET ${settings}`);
  const OPEN =
    "SELECT omoide.open_upload(gen_random_uuid(), $1, gen_random_uuid(), 'content', 'mov', $2)";
  await limit(
    "max_media_bytes = 1000000, max_pending_bytes = 500000, owner_bytes_per_day = 400000",
  );
  await refused(app, "OM002", OPEN, [OWNER, 1_000_001], /the limit is 1000000/);
  await refused(app, "OM002", OPEN, [OWNER, 500_001], /may have 500000/);
  await refused(app, "OM003", OPEN, [OWNER, 400_001]);
  await refused(app, "OM010", OPEN, [OWNER, -1]);
  assert.deepEqual(await charged(inbox), [0, 0, 0, 0, 0]);
  await limit("owner_pending_uploads = 2, all_pending_uploads = 3");
  await open(app, 10);
  const second = await open(app, 10);
  await refused(app, "OM005", OPEN, [OWNER, 10], /has 2 pending uploads of at most 2/);
  await open(app, 10, { owner: crypto.randomUUID() });
  await refused(app, "OM005", OPEN, [crypto.randomUUID(), 10], /all have 3 of at most 3/);
  await finish(app, await refill(app, second), sha256(bytesOf(10)));
  await open(app, 10);
});

async function refill(app: Connection, upload: Upload): Promise<Upload> {
  await append(app, upload, 0, bytesOf(10));
  return upload;
}

inboxTest(
  "opening takes no room; what has begun gets all it needs, the next one waits",
  async (inbox) => {
    const app = await inbox.as("app");
    await inbox.admin.query(`UPDATE omoide.settings SET max_pending_bytes = ${10 * CHUNK}`);
    const [first, second, third] = [
      await open(app, 8 * CHUNK),
      await open(app, 8 * CHUNK),
      await open(app, 2 * CHUNK),
    ];
    await append(app, first, 0, bytesOf(CHUNK));
    await refused(app, "OM006", APPEND, [second.key, OWNER, 0, bytesOf(CHUNK), null], /no room/);
    await append(app, third, 0, bytesOf(CHUNK));
    await append(app, first, CHUNK, bytesOf(7 * CHUNK));
    await finish(app, third, sha256(bytesOf(2 * CHUNK))).catch(() => {});
    await append(app, third, CHUNK, bytesOf(CHUNK));
    // One that nobody has touched for a while counts with what it has, and waits when it comes back.
    await inbox.admin.query(
      "UPDATE omoide.upload SET touched_at = now() - interval '16 minutes', chunks = 2 WHERE key = $1",
      [first.key],
    );
    await inbox.admin.query("UPDATE omoide.upload SET expires_at = '-infinity' WHERE key = $1", [
      third.key,
    ]);
    await sweep(await inbox.as("hot"));
    await append(app, second, 0, bytesOf(CHUNK));
    await refused(app, "OM006", APPEND, [first.key, OWNER, 2 * CHUNK, bytesOf(CHUNK), null]);
  },
);

inboxTest("when pending uploads have all their room, submitting goes on", async (inbox) => {
  const app = await inbox.as("app");
  await inbox.admin.query(
    `UPDATE omoide.settings SET max_pending_bytes = ${2 * CHUNK}, max_inbox_bytes = ${3 * CHUNK}`,
  );
  const upload = await open(app, 2 * CHUNK);
  await append(app, upload, 0, bytesOf(2 * CHUNK));
  await submit(app, bytesOf(CHUNK));
  const other = await open(app, 10);
  await refused(app, "OM006", APPEND, [other.key, OWNER, 0, bytesOf(10), null]);
  await refused(
    app,
    "OM001",
    "SELECT omoide.submit_media($1, $1, 'content', 'jpg', 'x')",
    [
      OWNER,
    ],
  );
  // Finishing needs no room: nothing is left to be refused when all has come.
  await finish(app, upload, sha256(bytesOf(2 * CHUNK)));
});

inboxTest(
  "a full inbox refuses bytes of an upload, keeps what it has, and takes on later",
  async (inbox) => {
    const app = await inbox.as("app");
    await inbox.admin.query(`UPDATE omoide.settings SET max_inbox_bytes = ${2 * CHUNK}`);
    const upload = await open(app, 2 * CHUNK);
    await append(app, upload, 0, bytesOf(CHUNK));
    await inbox.admin.query(`UPDATE omoide.settings SET max_inbox_bytes = ${CHUNK}`);
    await refused(
      app,
      "OM001",
      APPEND,
      [upload.key, OWNER, CHUNK, bytesOf(CHUNK), null],
      /is full/,
    );
    assert.equal((await find(app, upload))?.stored_bytes, String(CHUNK));
    await inbox.admin.query(`UPDATE omoide.settings SET max_inbox_bytes = ${2 * CHUNK}`);
    await append(app, upload, CHUNK, bytesOf(CHUNK));
  },
);

inboxTest("other bytes under a name that is taken live beside it", async (inbox) => {
  const app = await inbox.as("app");
  const item = crypto.randomUUID();
  const names = [];
  for (const seed of [1, 2]) {
    const content = bytesOf(CHUNK + 1, seed);
    const { media_id } = await uploadWhole(
      app,
      content,
      CHUNK,
      await open(app, content.length, { item }),
    );
    names.push(
      await valueOf(
        inbox.admin,
        "SELECT omoide.public_name(item_uuid, ext, sha256, has_plain_name) FROM omoide.media WHERE id = $1",
        [media_id],
      ),
    );
  }
  assert.equal(names[0], `${item}.mov`);
  assert.match(String(names[1]), new RegExp(`^${item}~[0-9a-f]{64}\\.mov$`));
});

for (const isolation of ["repeatable read", "serializable"]) {
  inboxTest(`uploads hold under ${isolation} too`, async (inbox) => {
    const app = await inbox.as("app");
    await app.query(`SET default_transaction_isolation = '${isolation}'`);
    const content = bytesOf(3 * CHUNK + 1);
    const { media_id } = await uploadWhole(app, content, CHUNK);
    assert.deepEqual(await contentOf(await inbox.as("hot"), media_id), content);
  });
}

inboxTest("an answer is on stable storage, whatever the role made its default", async (inbox) => {
  const app = await inbox.as("app");
  const upload = await open(app, 10);
  await append(app, upload, 0, bytesOf(10));
  await app.query("SET synchronous_commit = off; BEGIN");
  await finish(app, upload, sha256(bytesOf(10)));
  assert.equal(await valueOf(app, "SHOW synchronous_commit"), "on");
  await app.query("COMMIT");
});

inboxTest(
  "an item's name is kept once, for an item that there is, and listed newest first",
  async (inbox) => {
    const app = await inbox.as("app");
    const record = (item: string, name: string | null, date: string | null = null) =>
      valueOf(app, "SELECT omoide.record_item($1, $2, $3, $4)", [OWNER, item, name, date]);
    assert.equal(await record(crypto.randomUUID(), "nobody's.jpg"), false);
    const items = [];
    for (const name of ["a.jpg", "b ../../日本 \u202e.mov", "c.heic"]) {
      const { item } = await open(app, 1);
      items.unshift(item);
      assert.equal(await record(item, name, "2019-05-04T03:02:01Z"), true);
      assert.equal(await record(item, "another name"), false);
    }
    for (const name of ["", null, "x".repeat(1025)]) {
      await refused(
        app,
        "OM010",
        "SELECT omoide.record_item($1, $1, $2, NULL)",
        [OWNER, name],
      );
    }
    const LIST = "SELECT * FROM omoide.list_items($1, $2, $3)";
    const listed = await rowsOf<{ seq: string; item_uuid: string; file_name: string }>(
      app,
      LIST,
      [OWNER, null, 2],
    );
    assert.deepEqual(listed.map(({ item_uuid }) => item_uuid), items.slice(0, 2));
    const rest = await rowsOf(app, LIST, [OWNER, listed[1]?.seq, 10]);
    assert.deepEqual(rest.map(({ item_uuid }) => item_uuid), items.slice(2));
    assert.deepEqual(await rowsOf(app, LIST, [crypto.randomUUID(), null, 10]), []);
  },
);

inboxTest("where an item's files stand: path, storages, and why one is parked", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const item = crypto.randomUUID();
  const id = await submit(app, "a picture", OWNER, item);
  await submit(app, "a picture", OWNER, crypto.randomUUID());
  const where = async (storage: string | null = null) =>
    (await rowsOf(app, "SELECT * FROM omoide.where_items($1, $2, $3)", [OWNER, [item], storage]))[
      0
    ];
  const path = `content/${OWNER}/${item.slice(0, 2)}/${item}.jpg`;
  const { stored_in, owed_to, parked_in, ...first } = await where() ?? {};
  assert.equal(first.path, path);
  assert.deepEqual({ stored_in, owed_to, parked_in }, {
    stored_in: [],
    // As they were registered.
    owed_to: ["hot", "cold"],
    parked_in: [],
  });
  await acknowledge(hot, [id]);
  await cold.query("SELECT omoide.report_failure($1, 'no such luck', true)", [id]);
  const then = await where("cold");
  assert.deepEqual(
    [then?.stored_in, then?.owed_to, then?.parked_in, then?.parked_reason, then?.path],
    [["hot"], ["cold"], ["cold"], "no such luck", path],
  );
  assert.equal(
    await valueOf(app, "SELECT count(*)::int FROM omoide.where_items($1, $2, NULL)", [
      crypto.randomUUID(),
      [item],
    ]),
    0,
  );
});

inboxTest("a token is its owner's until it is revoked or expires", async (inbox) => {
  const app = await inbox.as("app");
  const ask = (text: string) => valueOf(app, "SELECT omoide.owner_of_token($1)", [sha256(text)]);
  for (const [text, expires] of [["for ever", null], ["gone", "-1 s"], ["still", "1 hour"]]) {
    await inbox.admin.query(
      "INSERT INTO omoide.token (sha256, owner_uuid, label, expires_at) " +
        "VALUES ($1, $2, 'phone', now() + $3::interval)",
      [sha256(text ?? ""), OWNER, expires],
    );
  }
  assert.deepEqual(
    await Promise.all(["for ever", "gone", "still", "unknown"].map(ask)),
    [OWNER, null, OWNER, null],
  );
  await inbox.admin.query("UPDATE omoide.token SET revoked_at = now()");
  assert.equal(await ask("for ever"), null);
});
