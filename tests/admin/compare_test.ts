import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { compare, type Compared, Comparison } from "../../src/storage/admin/compare.ts";
import { ExternalSort } from "../../src/storage/admin/external_sort.ts";
import { run } from "../lab/command.ts";
import { unmountAtLast } from "../lab/mount.ts";
import { requireTools } from "../support/require_tool.ts";
import { admin, adminJson } from "./support/run.ts";
import { flipBit, identityOf, makeMedia, makeStorage, plant } from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-compare-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));

let pairs = 0;
function pair(media: number) {
  const inbox = randomUUID(), directory = `${parent}/${++pairs}`;
  const a = makeStorage(directory, identityOf("hot", inbox));
  const b = makeStorage(directory, identityOf("cold", inbox));
  const planted = Array.from({ length: media }, () => makeMedia());
  for (const each of planted) {
    plant(a, each);
    plant(b, each);
  }
  return { a, b, planted, inbox, directory };
}

interface Result extends Comparison {
  readonly differences: { kind: string; path: string; pathInB?: string }[];
}

Deno.test("lines come sorted out of any number of runs, equal ones included", () => {
  const lines = Array.from(
    { length: 5000 },
    (_, i) => `${(i * 7919) % 1000} ${"x".repeat(i % 50)}`,
  );
  for (const count of [0, 1, 99, 100, 101, 5000]) {
    const sort = new ExternalSort(), some = lines.slice(0, count);
    for (const line of some) sort.add(line);
    assert.deepEqual([...sort.sorted()], some.toSorted());
  }
});

/** What `support/sort.ts` prints, run without any permission. */
async function sortElsewhere(temporary: string): Promise<string> {
  const program = new URL("./support/sort.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", program],
    env: { TMPDIR: temporary },
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("more lines than fit in memory are sorted without any permission, and leave no file", async () => {
  const directory = await Deno.makeTempDir({ dir: parent });
  assert.equal(await sortElsewhere(directory), "150000");
  assert.deepEqual([...Deno.readDirSync(directory)], []);
});

Deno.test({
  ...requireTools(["mount", "umount"], { root: true }),
  name: "sorting with no room for temporary files says where it wants more",
  fn: async () => {
    const directory = await Deno.makeTempDir({ dir: parent });
    await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory);
    try {
      assert.match(await sortElsewhere(directory), /^ConfigurationError: .* full; set TMPDIR to /);
    } finally {
      await unmountAtLast(directory);
    }
  },
});

Deno.test("each kind of difference is reported, and the rest is the same", async () => {
  const side = (names: string[]): Compared[] =>
    names.map((name) => {
      const [path = "", sha256 = ""] = name.split(" ");
      return { path, sha256: sha256 === "?" ? null : sha256, size: 1 };
    });
  const renamed = `d~${"e".repeat(64)}.jpg`;
  const count = new Comparison();
  const reported: string[] = [];
  for await (
    const difference of compare(
      side(["a.jpg 1", "b.jpg 2", "c.jpg 3", `d.jpg ${"e".repeat(64)}`, "f.jpg 4", "g.jpg ?"]),
      side(["a.jpg 1", "c.jpg 9", `${renamed} ${"e".repeat(64)}`, "f.jpg 4", "g.jpg 5", "h.jpg 6"]),
      count,
    )
  ) reported.push(`${difference.kind} ${difference.path}`);
  assert.deepEqual(reported.sort(), [
    "different c.jpg",
    "missing in A h.jpg",
    "missing in B b.jpg",
    "renamed d.jpg",
    "unknown g.jpg",
  ]);
  assert.deepEqual({ ...count }, {
    same: 2,
    missingInA: 1,
    missingInB: 1,
    different: 1,
    renamed: 1,
    unknown: 1,
  });
});

Deno.test("ten times as many names are compared in less than three times the memory, below 256 MiB", async () => {
  const program = new URL("./support/million.ts", import.meta.url).pathname;
  const [few, many] = await Promise.all([1e5, 1e6].map(async (names) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program, String(names)],
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  }));
  assert.equal(many.differences, 235665);
  assert.equal(many.same, 755244);
  console.log(
    `peak memory: ${few.peakMiB} MiB for 100,000 names, ${many.peakMiB} MiB for 1,000,000`,
  );
  // 1.8 times seen, Deno's own memory included in both.
  assert.ok(many.peakMiB < 3 * few.peakMiB, `${many.peakMiB} MiB against ${few.peakMiB} MiB`);
  assert.ok(many.peakMiB < 256, `${many.peakMiB} MiB`);
});

Deno.test("two storages that hold the same are the same, also through a manifest", async () => {
  const { a, b, directory } = pair(30);
  assert.equal((await admin(["storage", "compare", a, b])).code, 0);
  const listed = await admin(["storage", "manifest", b]);
  assert.equal(listed.code, 0);
  Deno.writeTextFileSync(`${directory}/cold.manifest`, listed.stdout);
  const ran = await admin(["storage", "compare", a, `${directory}/cold.manifest`]);
  assert.equal(ran.code, 0, ran.stdout);
  assert.match(ran.stdout, /SAME: hot and cold have the same: 30 files the same/);
});

Deno.test("a manifest can be checked with sha256sum alone", async () => {
  const { a } = pair(10);
  const { stdout } = await admin(["storage", "manifest", a]);
  const sums = stdout.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split("\t")).map(([sha256, , , , path]) => `${sha256}  ${path}\n`).join("");
  const child = new Deno.Command("sha256sum", {
    args: ["--check", "--quiet"],
    cwd: a,
    stdin: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(sums));
  await writer.close();
  assert.equal((await child.status).code, 0);
});

Deno.test("missing, different and renamed files of two trees are reported", async () => {
  const { a, b, planted } = pair(20);
  const [one, two, three] = planted;
  assert.ok(one && two && three);
  Deno.removeSync(`${b}/${one.path}`);
  Deno.removeSync(`${a}/${two.path}`);
  Deno.renameSync(
    `${b}/${three.path}`,
    `${b}/${three.path.replace(".jpg", `~${three.sha256}.jpg`)}`,
  );
  const { code, result } = await adminJson<Result>(["storage", "compare", a, b]);
  assert.equal(code, 8);
  assert.deepEqual(result.differences.map(({ kind, path }) => `${kind} ${path}`).sort(), [
    `missing in A ${two.path}`,
    `missing in B ${one.path}`,
    `renamed ${three.path}`,
  ]);
});

Deno.test("comparing a storage with itself, another inbox's or a damaged manifest is refused", async () => {
  const { a, directory } = pair(3), other = pair(1);
  const { stdout } = await admin(["storage", "manifest", a]);
  const lines = stdout.split("\n");
  const file = `${directory}/m`;
  const refusals: [string, string, RegExp][] = [
    [a, stdout, /are the same storage/],
    [other.b, stdout, /belong to different inboxes/],
    [other.b, "hello", /is not a manifest/],
    [`${directory}/cold`, [lines[0], lines[4], lines[2]].join("\n"), /line 3: is out of order/],
    [
      `${directory}/cold`,
      stdout.replace(/\n[0-9a-f]{64}/, `\n${"0".repeat(64)}`),
      /is not its object/,
    ],
    [`${directory}/cold`, stdout.replace(/content\//, "content/../"), /is not the path of a media/],
  ];
  for (const [root, text, message] of refusals) {
    Deno.writeTextFileSync(file, text);
    const ran = await admin(["storage", "compare", root, file]);
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(ran.stderr, message);
  }
});

Deno.test("sync copies what is missing, and only once; nothing that exists is touched", async () => {
  const { a, b, planted } = pair(10);
  const fresh = Array.from({ length: 30 }, () => plant(a, makeMedia()));
  const big = plant(a, makeMedia({ bytes: new Uint8Array(3_000_000).fill(7) }));
  const inodes = planted.map(({ path }) => Deno.lstatSync(`${b}/${path}`).ino);
  const sync = ["storage", "sync", "--from", a, "--to", b];
  assert.match((await admin([...sync, "--dry-run"])).stdout, /31 files .* would be copied to cold/);
  assert.throws(() => Deno.statSync(`${b}/${big.path}`), Deno.errors.NotFound);
  const ran = await admin(sync);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.deepEqual(planted.map(({ path }) => Deno.lstatSync(`${b}/${path}`).ino), inodes);
  for (const media of [...fresh, big]) {
    assert.deepEqual(Deno.readFileSync(`${b}/${media.path}`), new Uint8Array(media.bytes));
    const info = Deno.lstatSync(`${b}/${media.path}`);
    assert.equal((info.mode ?? 0) & 0o777, 0o440);
    assert.equal(info.nlink, 2);
  }
  assert.match((await admin(sync)).stdout, /DONE: 0 files \(0 B\) copied/);
  assert.equal((await admin(["storage", "verify", b])).code, 0);
});

Deno.test("sync never copies corrupt bytes, and says which they are", async () => {
  const { a, b } = pair(3);
  const good = plant(a, makeMedia()), bad = plant(a, makeMedia());
  const large = plant(a, makeMedia({ bytes: new Uint8Array(2_000_000).fill(9) }));
  flipBit(`${a}/${bad.object}`);
  flipBit(`${a}/${large.object}`, 8_000_000);
  const ran = await admin(["storage", "sync", "--from", a, "--to", b]);
  assert.equal(ran.code, 6, ran.stderr);
  assert.match(ran.stdout, new RegExp(`failed: ${bad.path} is corrupt in`));
  assert.ok(Deno.statSync(`${b}/${good.path}`).isFile);
  for (const { path } of [bad, large]) {
    assert.throws(() => Deno.statSync(`${b}/${path}`), Deno.errors.NotFound);
  }
});

Deno.test({
  ...requireTools([], { root: true }),
  name: "what is written as root belongs to the root's owner",
  fn: async () => {
    const { a, b, directory } = pair(2);
    // The owner, as whom the tools work, must get there.
    for (const path of [parent, directory]) Deno.chmodSync(path, 0o711);
    for (const path of ["", ...[...walk(b)]]) Deno.chownSync(`${b}/${path}`, 4321, 4322);
    const media = plant(a, makeMedia());
    plant(a, makeMedia({ bytes: randomBytes(5_000_000) }));
    const ran = await admin(["storage", "sync", "--from", a, "--to", b]);
    assert.equal(ran.code, 0, ran.stderr);
    const unexpected = [...walk(b)].filter((path) => {
      const { uid, gid } = Deno.lstatSync(`${b}/${path}`);
      return uid !== 4321 || gid !== 4322;
    });
    assert.deepEqual(unexpected, []);
    assert.ok(Deno.statSync(`${b}/${media.path}`).isFile);
    const said = "omoide-admin: gave up root's rights: working as uid 4321, gid 4322, who owns";
    assert.equal(ran.stderr, `${said} ${b}\n`);
    // Each of the two trees is read by its own user, root's by root.
    for (const sides of [[a, b], [b, a]]) {
      const compared = await admin(["storage", "compare", ...sides]);
      assert.equal(compared.code, 0, compared.stdout + compared.stderr);
      assert.match(compared.stdout, /SAME: .* 4 files the same/);
    }
  },
});

function* walk(root: string, path = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${path}`)) {
    const inside = path === "" ? name : `${path}/${name}`;
    yield inside;
    if (isDirectory) yield* walk(root, inside);
  }
}

Deno.test("storages with prefixes of different sizes are compared and synced all the same", async () => {
  const { a, inbox, directory } = pair(20);
  const wide = makeStorage(directory, identityOf("wide", inbox, { prefixSize: 4 }));
  assert.equal((await admin(["storage", "sync", "--from", a, "--to", wide])).code, 0);
  assert.equal((await admin(["storage", "verify", wide])).code, 0);
  const ran = await admin(["storage", "compare", wide, a]);
  assert.equal(ran.code, 0, ran.stdout);
  assert.match(ran.stdout, /20 files the same/);
});
