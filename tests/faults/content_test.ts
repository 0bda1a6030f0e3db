/** What is bad in the inbox is never published, is parked with its reason, and holds up nothing else. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { run } from "../lab/command.ts";
import { directoryOf, objectPath, parent, type Submitted } from "../lab/expected.ts";
import { options } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { exists, publicNames, readTree } from "../lab/tree.ts";
import type { World } from "../lab/world.ts";
import { sha256Of } from "../support/media.ts";

const template = sharedTemplate();

const LINUX = requireTools([]);
const CHUNK = 262_144;

interface Damage {
  /** Does it to a media of so many chunks, three at least. */
  readonly sql: (id: bigint, chunks: number) => string;
  /** What its parking tells. */
  readonly reason: (chunks: number) => RegExp;
}

/** What a superuser, a broken restore or a bad disk may do to a media's chunks behind the checks. */
const DAMAGES: Record<string, Damage> = {
  "a chunk with one byte changed": {
    sql: (id) =>
      `UPDATE omoide.media_chunk SET bytes = set_byte(bytes, 7, 255 - get_byte(bytes, 7))
       WHERE media_id = ${id} AND seq = 1`,
    reason: () => /^the inbox holds bytes with SHA-256 [0-9a-f]{64}, the media has/,
  },
  "its first chunk missing": {
    sql: (id) => `DELETE FROM omoide.media_chunk WHERE media_id = ${id} AND seq = 0`,
    reason: () => /^chunk 0 is missing: after it comes 1$/,
  },
  "its last chunk missing": {
    sql: (id, chunks) =>
      `DELETE FROM omoide.media_chunk WHERE media_id = ${id} AND seq = ${chunks - 1}`,
    reason: (chunks) => new RegExp(`^chunks are missing: they have ${(chunks - 1) * CHUNK} bytes`),
  },
  "all chunks missing": {
    sql: (id) => `DELETE FROM omoide.media_chunk WHERE media_id = ${id}`,
    reason: () => /^chunks are missing: they have 0 bytes/,
  },
  "a chunk too many": {
    sql: (id, chunks) =>
      `INSERT INTO omoide.media_chunk SELECT media_id, ${chunks}, bytes, generation FROM omoide.media_chunk
       WHERE media_id = ${id} AND seq = ${chunks - 1}`,
    reason: (chunks) => new RegExp(`^chunk ${chunks} has \\d+ bytes where 0 are due`),
  },
  "a chunk twice": {
    sql: (id) =>
      `INSERT INTO omoide.media_chunk SELECT * FROM omoide.media_chunk
       WHERE media_id = ${id} AND seq = 1`,
    reason: () => /^chunk 1 comes twice$/,
  },
  "its last chunk twice": {
    sql: (id, chunks) =>
      `INSERT INTO omoide.media_chunk SELECT * FROM omoide.media_chunk
       WHERE media_id = ${id} AND seq = ${chunks - 1}`,
    reason: (chunks) => new RegExp(`^chunk ${chunks - 1} comes twice$`),
  },
  "two chunks in each other's place": {
    sql: (id) =>
      `UPDATE omoide.media_chunk c SET bytes = (SELECT bytes FROM omoide.media_chunk o
       WHERE o.media_id = c.media_id AND o.seq = 1 - c.seq) WHERE media_id = ${id} AND seq < 2`,
    reason: () => /^the inbox holds bytes with SHA-256 [0-9a-f]{64}, the media has/,
  },
  "a chunk that is too short": {
    sql: (id) =>
      `UPDATE omoide.media_chunk SET bytes = substring(bytes FROM 1 FOR 100)
       WHERE media_id = ${id} AND seq = 1`,
    reason: () => new RegExp(`^chunk 1 has 100 bytes where ${CHUNK} are due`),
  },
  "a size that is too small": {
    sql: (id) => `UPDATE omoide.media SET size = size - 1 WHERE id = ${id}`,
    reason: (chunks) =>
      new RegExp(`^chunk ${chunks - 1} has (\\d+) bytes where (?!\\1 )\\d+ are due`),
  },
  // Where its last chunk is full already, the byte would have to come in a further one.
  "a size that is too large": {
    sql: (id) => `UPDATE omoide.media SET size = size + 1 WHERE id = ${id}`,
    reason: (chunks) =>
      new RegExp(
        `^chunk ${chunks - 1} has 1000 bytes where 1001 are due` +
          `|^chunks are missing: they have ${chunks * CHUNK} bytes, the media has ${
            chunks * CHUNK + 1
          }$`,
      ),
  },
  "another checksum": {
    sql: (id) => `UPDATE omoide.media SET sha256 = sha256('x') WHERE id = ${id}`,
    reason: () => /^the inbox holds bytes with SHA-256 [0-9a-f]{64}, the media has 2d711642b726/,
  },
};

Deno.test({
  ...LINUX,
  name: "media that are damaged in the inbox are parked with a reason, and the others are stored",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await liftChecks(world);
    const bad: Bad[] = [];
    for (const size of [2 * CHUNK + 1000, 6 * CHUNK, 140 * CHUNK]) {
      const chunks = Math.ceil(size / CHUNK);
      for (const [name, { sql, reason }] of Object.entries(DAMAGES)) {
        // The largest come in several windows: what concerns their ends will do.
        if (size > 100 * CHUNK && !/byte|last|too many/.test(name)) continue;
        await world.submitMany(random, 1);
        const media = await world.submit(random.bytes(size), someName(random));
        await world.query(sql(media.id, chunks));
        bad.push({ media, what: `${name}, of ${size} bytes`, reason: reason(chunks) });
      }
    }
    await world.submitMany(random, 1);
    const { code, output } = await world.drainOnce("hot");
    assert.equal(code, 6, output);
    for (const each of bad) await requireParked(world, each);
    await requireOnlyParkedLeft(world);
  },
});

/** Names put in past the database's own checks, and what their parking tells. */
const NAMES: Record<
  string,
  readonly [change: string | { readonly publicName: string }, reason: RegExp]
> = {
  "an ext that leaves the directory": [
    `ext = '/../../../../../escaped'`,
    /^ext "\/\.\.\/\.\.\/\.\.\/\.\.\/\.\.\/escaped" is not 1 to 16 letters or digits$/,
  ],
  "an ext with a NUL's neighbour": [
    `ext = 'a' || chr(1)`,
    /^ext "a\\u0001" is not 1 to 16 letters or digits$/,
  ],
  "an ext with a separator": [`ext = 'a/b'`, /^ext "a\/b" is not 1 to 16 letters or digits$/],
  "an empty ext": [`ext = ''`, /^ext "" is not 1 to 16 letters or digits$/],
  "a media_type that leaves the root": [
    `media_type = '../escaped'`,
    /^media_type "\.\.\/escaped" is none of content/,
  ],
  "a media_type of the private directory": [
    `media_type = '.omoide/objects'`,
    /^media_type "\.omoide\/objects" is none of content/,
  ],
  "a public_name that leaves the root": [
    { publicName: `'../../../../escaped.jpg'` },
    /^public_name "\.\.\/\.\.\/\.\.\/\.\.\/escaped\.jpg" does not belong to its item and ext$/,
  ],
  "a public_name of another item": [
    { publicName: `gen_random_uuid() || '.jpg'` },
    /^public_name "[0-9a-f-]{36}\.jpg" does not belong to its item and ext$/,
  ],
  "a public_name that is null": [
    { publicName: `NULL` },
    /^public_name null does not belong to its item and ext$/,
  ],
  "a public_name that is empty": [
    { publicName: `''` },
    /^public_name "" does not belong to its item and ext$/,
  ],
  "a size below nothing": [`size = -1`, /^the inbox holds 0 bytes, the media has -1$/],
  "a size beyond all numbers": [
    `size = 9223372036854775807`,
    /^chunk 0 has 1000 bytes where 262144 are due/,
  ],
};

Deno.test({
  ...LINUX,
  name: "names that try to leave the root are parked and make nothing anywhere, others are stored",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await liftChecks(world);
    const bad: Bad[] = [];
    const good: Submitted[] = [];
    const publicNames: string[] = [];
    for (const [what, [change, reason]] of Object.entries(NAMES)) {
      good.push(...await world.submitMany(random, 1));
      const media = await world.submit(random.bytes(1000), someName(random));
      if (typeof change === "string") {
        await world.query(`UPDATE omoide.media SET ${change} WHERE id = ${media.id}`);
      } else publicNames.push(`WHEN p_item = '${media.itemUuid}' THEN ${change.publicName}`);
      bad.push({ media, what, reason });
    }
    // No column has it: a database whose function lies.
    await world.query(
      `ALTER FUNCTION omoide.public_name RENAME TO true_name;
      CREATE FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_is_plain boolean)
      RETURNS text LANGUAGE sql AS $$
        SELECT CASE ${publicNames.join(" ")}
          ELSE omoide.true_name(p_item, p_ext, p_sha256, p_is_plain) END
      $$`,
    );
    good.push(...await world.submitMany(random, 1));
    // Holds both roots: what leaves one of them by a few levels is found here.
    const around = join(world.root("hot"), "..");
    const before = await readTree(around);
    const { code, output } = await world.drainOnce("hot");
    assert.equal(code, 6, output);
    for (const each of bad) await requireParked(world, each);
    await requireOnlyParkedLeft(world);
    const made = [...(await readTree(around)).keys()].filter((path) => !before.has(path)).sort();
    assert.deepEqual(made, pathsOf(good).map((path) => `hot/${path}`));
  },
});

/** All that the storing of these media makes, relative to the root. */
function pathsOf(media: readonly Submitted[]): string[] {
  const paths = media.flatMap((one) => [
    parent(directoryOf(one)),
    directoryOf(one),
    `${directoryOf(one)}/${one.itemUuid}.${one.ext}`,
    objectPath(one),
  ]);
  return [...new Set(paths)].sort();
}

const BIND = "import os, socket, sys; os.chdir(sys.argv[1]); " +
  "socket.socket(socket.AF_UNIX).bind(sys.argv[2])";

/** Who stands where a media's public name, or one of its directories, should be. */
const SQUATTERS: Record<string, (path: string) => Promise<unknown>> = {
  "a directory": (path) => Deno.mkdir(path),
  "an empty file": (path) => Deno.writeTextFile(path, ""),
  "a FIFO": (path) => run("mkfifo", path),
  "a symbolic link to a file outside": (path) => Deno.symlink("/etc/hostname", path),
  "a dangling symbolic link out of the root": (path) => Deno.symlink("/tmp/omoide-escaped", path),
  // The whole path would be longer than a socket's address may be.
  "a socket": (path) =>
    run(
      "python3",
      "-c",
      BIND,
      path.slice(0, path.lastIndexOf("/")),
      path.slice(path.lastIndexOf("/") + 1),
    ),
};

Deno.test({
  ...LINUX,
  name: "whatever has a media's public name stays, and the media is stored beside it",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const root = world.root("hot");
    const planted: string[] = [];
    const media: Submitted[] = [];
    const plant = async (put: (path: string, bytes: Uint8Array) => Promise<unknown>) => {
      const bytes = random.bytes(5_000);
      const one = await world.submit(bytes, someName(random));
      const directory = join(root, directoryOf(one));
      await Deno.mkdir(directory, { recursive: true });
      const path = join(directory, `${one.itemUuid}.jpg`);
      await put(path, bytes);
      planted.push(path);
      media.push(one);
    };
    for (const put of Object.values(SQUATTERS)) await plant(put);
    await plant((path, bytes) => Deno.writeFile(path, bytes.subarray(0, 4_000)));
    await plant((path, bytes) => Deno.writeFile(path, bytes.map((byte) => byte ^ 1)));
    const before = await Promise.all(planted.map((path) => Deno.lstat(path)));
    const { code, output } = await world.drainOnce("hot");
    assert.equal(code, 0, output);
    const after = await Promise.all(planted.map((path) => Deno.lstat(path)));
    assert.deepEqual(after.map(identityOf), before.map(identityOf));
    for (const one of media) {
      const [receipt] = await world.query<{ outcome: string; path: string }>(
        "SELECT outcome, path FROM omoide.receipt WHERE media_id = $1",
        [one.id],
      );
      assert.equal(receipt?.outcome, "renamed");
      assert.equal(sha256Of(await Deno.readFile(join(root, receipt.path))), one.sha256);
    }
    assert.ok(!await exists("/tmp/omoide-escaped"));
  },
});

Deno.test({
  ...LINUX,
  name: "a file with a media's bytes under its name is taken for it, and stays as it is",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const bytes = random.bytes(700_000);
    const media = await world.submit(bytes, someName(random));
    const directory = join(world.root("hot"), directoryOf(media));
    await Deno.mkdir(directory, { recursive: true });
    const path = join(directory, `${media.itemUuid}.jpg`);
    await Deno.writeFile(path, bytes);
    const before = await world.trees();
    await world.drainAll();
    const [receipt] = await world.query("SELECT outcome FROM omoide.receipt WHERE storage = 'hot'");
    assert.deepEqual(receipt, { outcome: "present" });
    await world.requireInvariants({ before });
  },
});

for (const level of ["content", "content/OWNER", "content/OWNER/PREFIX"]) {
  Deno.test({
    ...LINUX,
    name: `a symbolic link planted as ${level} is not followed, and harms no other media`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const outside = await Deno.makeTempDir({ prefix: "omoide-faults-" });
      const bad = await world.submit(random.bytes(1000), someName(random));
      const good = await world.submit(random.bytes(1000), {
        ...someName(random),
        mediaType: "preview",
      });
      const path = join(
        world.root("hot"),
        level.replace("OWNER", bad.ownerUuid).replace("PREFIX", bad.itemUuid.slice(0, 2)),
      );
      await Deno.mkdir(join(path, ".."), { recursive: true });
      if (level === "content") await Deno.remove(path);
      await Deno.symlink(outside, path);
      const { code, output } = await world.drainOnce("hot");
      assert.deepEqual([...Deno.readDirSync(outside)], []);
      assert.match(output, /symbolic link/);
      // The skeleton's own directories concern every media: then the worker stores nothing.
      assert.equal(code, level === "content" ? 4 : 6);
      if (code === 6) {
        const [left] = await world.query<{ last_error: string }>(
          "SELECT last_error FROM omoide.owed WHERE storage = 'hot' AND media_id = $1",
          [bad.id],
        );
        assert.match(left?.last_error ?? "", /symbolic link/);
        const receipts = await world.query("SELECT FROM omoide.receipt WHERE media_id = $1", [
          good.id,
        ]);
        assert.equal(receipts.length, 1);
      }
      await Deno.remove(outside, { recursive: true });
    },
  });
}

Deno.test({
  ...LINUX,
  name: "orphans under a media's object name are neither used nor touched",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    const root = world.root("hot");
    const before = new Map<string, Deno.FileInfo>();
    const plants = [
      (path: string) => Deno.writeTextFile(path, ""),
      (path: string) => run("mkfifo", path),
      (path: string) => Deno.mkdir(path),
      (path: string) => Deno.symlink("/etc/hostname", path),
    ];
    for (const plant of plants) {
      const media = await world.submit(random.bytes(3_000), someName(random));
      const name = `${media.sha256}-${media.id}`;
      const path = join(root, ".omoide/objects", media.sha256.slice(0, 2), name);
      await plant(path);
      before.set(path, await Deno.lstat(path));
    }
    await world.drainAll();
    for (const [path, was] of before) {
      assert.deepEqual(identityOf(await Deno.lstat(path)), identityOf(was));
      assert.ok((await Deno.lstat(`${path}.2`)).isFile);
    }
    await world.requireInvariants();
  },
});

function someName(random: Random): { ownerUuid: string; itemUuid: string } {
  return { ownerUuid: random.uuid(), itemUuid: random.uuid() };
}

function identityOf(info: Deno.FileInfo) {
  const { ino, size, mode, isFile, isDirectory, isSymlink, isFifo, isSocket } = info;
  return { ino, size, mode, isFile, isDirectory, isSymlink, isFifo, isSocket, mtime: info.mtime };
}

/** As a superuser might: no constraint stands in the way of what is put in. */
async function liftChecks(world: World): Promise<void> {
  const constraints = await world.query<{ table: string; name: string }>(
    `SELECT conrelid::regclass::text AS table, conname AS name FROM pg_constraint
     WHERE conrelid IN ('omoide.media'::regclass, 'omoide.media_chunk'::regclass) AND contype = 'c'
       OR conname = 'media_chunk_pkey'`,
  );
  for (const { table, name } of constraints) {
    await world.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
  }
  for (const type of ["../escaped", ".omoide/objects"]) {
    await world.query(`ALTER TYPE omoide.media_type ADD VALUE '${type}'`);
  }
}

/** A media that must not be stored. */
interface Bad {
  readonly media: Submitted;
  readonly what: string;
  readonly reason: RegExp;
}

async function requireParked(world: World, { media, what, reason }: Bad): Promise<void> {
  const [row] = await world.query<{ parked: boolean; last_error: string }>(
    `SELECT parked_at IS NOT NULL AS parked, last_error FROM omoide.owed
     WHERE storage = 'hot' AND media_id = $1`,
    [media.id],
  );
  assert.ok(row?.parked, `${what}: ${row?.last_error ?? "is owed no longer"}`);
  assert.match(row.last_error, reason, `${what}: ${row.last_error}`);
  const names = (await publicNames(world.root("hot"))).filter((name) =>
    name.includes(media.itemUuid)
  );
  assert.deepEqual(names, [], what);
}

async function requireOnlyParkedLeft(world: World): Promise<void> {
  const [row] = await world.query(
    "SELECT count(*)::int AS left FROM omoide.owed WHERE storage = 'hot' AND parked_at IS NULL",
  );
  assert.deepEqual(row, { left: 0 });
}
