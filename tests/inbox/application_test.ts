import assert from "node:assert/strict";
import type { Connection } from "../../src/inbox/connect.ts";
import { EVERY_SERVER } from "../support/postgres.ts";
import {
  inboxTestOn,
  pendingIds,
  refused,
  rowsOf,
  sha256,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const inboxTest = inboxTestOn(EVERY_SERVER);

const OWNER = "00000000-0000-4000-8000-0000000000aa";
const ITEM = "00000000-0000-4000-8000-0000000000bb";
const CHUNK = 262_144;

async function open(app: Connection, mediaType = "content", ext = "jpg"): Promise<string> {
  return await valueOf(app, "SELECT omoide.open_media($1, $2, $3, $4)", [
    OWNER,
    ITEM,
    mediaType,
    ext,
  ]) as string;
}

const APPEND = "SELECT omoide.append_chunk($1, $2, $3)";
const SEAL = "SELECT omoide.seal_media($1, $2, $3)";

inboxTest(
  "submitted content comes back byte for byte, at every size around a chunk's",
  async (inbox) => {
    const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
    for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7]) {
      const content = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
      const bytes = new Uint8Array(size).map((_, at) => content[at % content.length] ?? 0);
      const id = await submit(app, bytes);
      const chunks = await rowsOf<{ seq: number; bytes: Uint8Array }>(
        hot,
        "SELECT seq, bytes FROM omoide.my_chunk WHERE media_id = $1 ORDER BY seq",
        [id],
      );
      assert.deepEqual(chunks.map(({ seq }) => seq), [...chunks.keys()]);
      assert.ok(chunks.slice(0, -1).every((chunk) => chunk.bytes.length === CHUNK));
      const [media] = await rowsOf<{ size: string; sha256: Uint8Array }>(
        hot,
        "SELECT size, sha256 FROM omoide.pending($1::int8 - 1, 1)",
        [id],
      );
      assert.equal(media?.size, String(size));
      assert.equal(chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0), size);
      assert.ok(Buffer.concat(chunks.map((chunk) => chunk.bytes)).equals(bytes));
      assert.deepEqual(new Uint8Array(media?.sha256 ?? []), new Uint8Array(sha256(bytes)));
    }
  },
);

inboxTest("a media in chunks is owed to every storage once it is sealed", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const bytes = new Uint8Array(CHUNK + 5).fill(7);
  await app.query("BEGIN");
  const id = await open(app);
  await app.query(APPEND, [id, 1, bytes.slice(CHUNK)]);
  await app.query(APPEND, [id, 0, bytes.slice(0, CHUNK)]);
  await app.query(SEAL, [id, bytes.length, sha256(bytes)]);
  assert.deepEqual(await pendingIds(hot), []);
  await app.query("COMMIT");
  for (const worker of [hot, cold]) assert.deepEqual(await pendingIds(worker), [id]);
});

inboxTest("sealing notifies a worker that sleeps", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  await hot.query("LISTEN omoide_sealed");
  assert.equal(await valueOf(hot, "SELECT omoide.fall_asleep()"), true);
  const told = new Promise((resolve) => hot.once("notification", resolve));
  await submit(app);
  await told;
});

inboxTest("a media that is not whole is not sealed", async (inbox) => {
  const app = await inbox.as("app");
  const full = new Uint8Array(CHUNK);
  const cases: [string, [number, Uint8Array][], number, Uint8Array, RegExp][] = [
    ["missing first", [[1, full]], CHUNK, sha256(full), /missing/],
    ["missing middle", [[0, full], [2, full]], 2 * CHUNK, sha256(full), /missing/],
    ["short middle", [[0, full.slice(1)], [1, full]], 2 * CHUNK - 1, sha256(full), /shorter/],
    ["too small", [[0, full]], CHUNK + 1, sha256(full), /bytes/],
    ["too large", [[0, full]], CHUNK - 1, sha256(full), /bytes/],
    ["nothing there", [], 5, sha256("abcde"), /bytes/],
    ["other checksum", [[0, full]], CHUNK, sha256("other"), /sha256/],
    ["other checksum of nothing", [], 0, sha256("other"), /sha256/],
    ["no checksum", [[0, full]], CHUNK, new Uint8Array(31), /sha256/],
    ["negative size", [], -1, sha256(""), /size/],
  ];
  for (const [, chunks, size, checksum, message] of cases) {
    await app.query("BEGIN");
    const id = await open(app);
    for (const [seq, bytes] of chunks) await app.query(APPEND, [id, seq, bytes]);
    await refused(app, "OM011", SEAL, [id, size, checksum], message);
    await app.query("ROLLBACK");
  }
  assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media"), "0");
  assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media_chunk"), "0");
});

inboxTest(
  "a chunk is refused when it is doubled, empty, too large or of a media not open",
  async (inbox) => {
    const app = await inbox.as("app");
    const steps: [(id: string) => [unknown, unknown, unknown], RegExp][] = [
      [(id) => [id, 0, "again"], /already/],
      [(id) => [id, 1, ""], /262144/],
      [(id) => [id, 1, null], /262144/],
      [(id) => [id, 1, new Uint8Array(CHUNK + 1)], /262144/],
      [(id) => [id, -1, "x"], /counts from 0/],
      [(id) => [id, null, "x"], /counts from 0/],
      [() => [999_999, 0, "x"], /not open/],
      [() => [null, 0, "x"], /not open/],
    ];
    for (const [values, message] of steps) {
      await app.query("BEGIN");
      const id = await open(app);
      await app.query(APPEND, [id, 0, "first"]);
      await refused(app, "OM011", APPEND, values(id), message);
      await app.query("ROLLBACK");
    }
  },
);

inboxTest(
  "nobody adds to another transaction's media, nor to one that is sealed",
  async (inbox) => {
    const [app, other] = [await inbox.as("app"), await inbox.as("app")];
    await app.query("BEGIN");
    const id = await open(app);
    await refused(other, "OM011", APPEND, [id, 0, "x"], /not open/);
    await refused(other, "OM011", SEAL, [id, 0, sha256("")], /not open/);
    await app.query(SEAL, [id, 0, sha256("")]);
    await app.query("SAVEPOINT s");
    await refused(app, "OM011", SEAL, [id, 0, sha256("")], /sealed already/);
    await app.query("ROLLBACK TO s");
    await refused(app, "OM011", APPEND, [id, 0, "x"], /not open/);
    await app.query("ROLLBACK");
  },
);

inboxTest("a transaction that leaves a media unsealed cannot commit", async (inbox) => {
  const app = await inbox.as("app");
  await refused(app, "OM012", "SELECT omoide.open_media($1, $2, 'content', 'jpg')", [OWNER, ITEM]);
  await app.query("BEGIN");
  const kept = await open(app, "preview");
  await app.query(SEAL, [kept, 0, sha256("")]);
  await open(app);
  await refused(app, "OM012", "COMMIT");
  await app.query("BEGIN");
  await app.query("SET CONSTRAINTS ALL IMMEDIATE");
  await refused(app, "OM012", "SELECT omoide.open_media($1, $2, 'content', 'jpg')", [OWNER, ITEM]);
  await app.query("ROLLBACK");
  assert.equal(await valueOf(inbox.admin, "SELECT count(*) FROM omoide.media"), "0");
});

inboxTest("a media that cannot become a path is refused", async (inbox) => {
  const app = await inbox.as("app");
  const bad: [unknown, unknown, unknown, unknown, RegExp][] = [
    [null, ITEM, "content", "jpg", /owner/],
    ["00000000-0000-0000-0000-000000000000", ITEM, "content", "jpg", /owner/],
    ["ffffffff-ffff-ffff-ffff-ffffffffffff", ITEM, "content", "jpg", /owner/],
    [OWNER, null, "content", "jpg", /item/],
    [OWNER, ITEM, "../content", "jpg", /media_type/],
    [OWNER, ITEM, "Content", "jpg", /media_type/],
    [OWNER, ITEM, null, "jpg", /media_type/],
    ...[
      "",
      ".",
      "..",
      "a/b",
      "jp g",
      "j\n",
      "é",
      "ｊｐｇ",
      "a.b",
      "a\\b",
      "12345678901234567",
      null,
    ].map(
      (ext): [unknown, unknown, unknown, unknown, RegExp] => [OWNER, ITEM, "content", ext, /ext/],
    ),
  ];
  for (const [owner, item, mediaType, ext, message] of bad) {
    const values = [owner, item, mediaType, ext];
    await refused(app, "OM010", "SELECT omoide.open_media($1, $2, $3, $4)", values, message);
    await refused(app, "OM010", "SELECT omoide.submit_media($1, $2, $3, $4, 'x')", values, message);
  }
  await refused(app, "OM010", "SELECT omoide.submit_media($1, $2, 'content', 'jpg', NULL)", [
    OWNER,
    ITEM,
  ]);
});

inboxTest(
  "other bytes of an item get a name of their own, the same bytes share it",
  async (inbox) => {
    const app = await inbox.as("app");
    await submit(app, "first", OWNER, ITEM);
    await submit(app, "second", OWNER, ITEM);
    await submit(app, "first", OWNER, ITEM);
    await submit(app, "second", OWNER, ITEM, "preview");
    await submit(app, "second", OWNER, ITEM, "content", "png");
    await submit(app, "second", crypto.randomUUID(), ITEM);
    const hex = Buffer.from(sha256("second")).toString("hex");
    const rows = await rowsOf<{ public_name: string }>(
      inbox.admin,
      "SELECT omoide.public_name(item_uuid, ext, sha256, has_plain_name) FROM omoide.media ORDER BY id",
    );
    assert.deepEqual(rows.map((row) => row.public_name), [
      `${ITEM}.jpg`,
      `${ITEM}~${hex}.jpg`,
      `${ITEM}.jpg`,
      `${ITEM}.jpg`,
      `${ITEM}.png`,
      `${ITEM}.jpg`,
    ]);
  },
);

for (const how of ["submit_media", "seal_media"]) {
  inboxTest(
    `of two transactions that ${how} other bytes at once one gets the name`,
    async (inbox) => {
      const clients = [await inbox.as("app"), await inbox.as("app")];
      for (let round = 0; round < 25; round++) {
        const item = crypto.randomUUID();
        await Promise.all(clients.map(async (client, index) => {
          const content = `content ${index}`;
          await client.query("BEGIN");
          if (how === "submit_media") {
            await submit(client, content, OWNER, item);
          } else {
            const id = await valueOf(client, "SELECT omoide.open_media($1, $2, 'content', 'jpg')", [
              OWNER,
              item,
            ]);
            await client.query(APPEND, [id, 0, content]);
            await client.query(SEAL, [id, content.length, sha256(content)]);
          }
          await client.query("COMMIT");
        }));
        const [row] = await rowsOf(
          inbox.admin,
          "SELECT count(*)::int AS media, " +
            "count(DISTINCT omoide.public_name(item_uuid, ext, sha256, has_plain_name))::int AS names, " +
            "count(*) FILTER (WHERE has_plain_name)::int AS usual " +
            "FROM omoide.media WHERE item_uuid = $1",
          [item],
        );
        assert.deepEqual(row, { media: 2, names: 2, usual: 1 });
      }
    },
  );
}

inboxTest(
  "a name taken outside the snapshot is a serialization failure, and works when tried again",
  async (inbox) => {
    const [app, other] = [await inbox.as("app"), await inbox.as("app")];
    for (const level of ["REPEATABLE READ", "SERIALIZABLE"]) {
      const item = crypto.randomUUID();
      await app.query(`BEGIN ISOLATION LEVEL ${level}`);
      await app.query("SELECT * FROM omoide.find_media($1, $2)", [OWNER, item]);
      await submit(other, "theirs", OWNER, item);
      await refused(app, "40001", "SELECT omoide.submit_media($1, $2, 'content', 'jpg', 'mine')", [
        OWNER,
        item,
      ]);
      await app.query("ROLLBACK");
      await app.query(`BEGIN ISOLATION LEVEL ${level}`);
      await submit(app, "mine", OWNER, item);
      await app.query("COMMIT");
    }
  },
);

inboxTest("an answer that was lost may be asked for again", async (inbox) => {
  const app = await inbox.as("app");
  const first = await submit(app, "a picture", OWNER, ITEM);
  const again = await submit(app, "a picture", OWNER, ITEM);
  assert.notEqual(first, again);
  const rows = await rowsOf<{ media_id: string; public_name: string; owed_to: string[] }>(
    app,
    "SELECT media_id, public_name, owed_to FROM omoide.find_media($1, $2)",
    [OWNER, ITEM],
  );
  assert.deepEqual(rows, [
    { media_id: first, public_name: `${ITEM}.jpg`, owed_to: ["cold", "hot"] },
    { media_id: again, public_name: `${ITEM}.jpg`, owed_to: ["cold", "hot"] },
  ]);
});

inboxTest("find_media shows the earliest first and nobody else's", async (inbox) => {
  const app = await inbox.as("app");
  const earliest = await submit(app, "mine", OWNER, ITEM);
  await submit(app, "shadow", OWNER, ITEM);
  await submit(app, "other owner", crypto.randomUUID(), ITEM);
  await submit(app, "other item", OWNER, crypto.randomUUID());
  const rows = await rowsOf<{ media_id: string; stored_in: string[]; released_at: unknown }>(
    app,
    "SELECT * FROM omoide.find_media($1, $2)",
    [OWNER, ITEM],
  );
  assert.equal(rows.length, 2);
  assert.equal(rows[0]?.media_id, earliest);
  assert.deepEqual(rows[0]?.stored_in, []);
  assert.equal(rows[0]?.released_at, null);
});
