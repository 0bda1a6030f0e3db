import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { type DirectoryResult, Journal } from "../../src/storage/admin/journal.ts";
import { NamedFile } from "../../src/storage/admin/named_file.ts";
import { holdStorage } from "../../src/storage/admin/open_for_admin.ts";
import { verify, type VerifyOptions } from "../../src/storage/admin/verify.ts";
import type { StorageIdentity } from "../../src/storage/storage.ts";
import { admin, adminJson } from "./support/run.ts";
import {
  flipBit,
  identityOf,
  makeMedia,
  makeStorage,
  plant,
  type Planted,
} from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-verify-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));

interface Found {
  readonly findings: { kind: string; path: string; detail: string; publicPath?: string }[];
  readonly objects: number;
}

let storages = 0;
function storage(media: number): { root: string; identity: StorageIdentity; planted: Planted[] } {
  const identity = identityOf(`s${++storages}`, randomUUID());
  const root = makeStorage(parent, identity);
  const planted = Array.from({ length: media }, () => plant(root, makeMedia()));
  return { root, identity, planted };
}

const options = (more: Partial<VerifyOptions> = {}): VerifyOptions => ({
  parallel: 2,
  bytesPerSecond: 0,
  fraction: 1,
  journal: null,
  signal: new AbortController().signal,
  progress: () => {},
  ...more,
});

Deno.test("1,000 flipped bits in 1,000 of 1,300 files are all found, and none else", async () => {
  const { root, planted } = storage(1300);
  const bad = planted.filter((_, i) => i % 13 !== 0 && i % 13 !== 5 && i % 13 !== 9).slice(0, 1000);
  for (const [i, media] of bad.entries()) flipBit(`${root}/${media.object}`, i * 7);
  const { code, result } = await adminJson<Found>(["storage", "verify", root]);
  assert.equal(code, 8);
  assert.equal(result.objects, 1300);
  assert.deepEqual(new Set(result.findings.map((finding) => finding.kind)), new Set(["corrupt"]));
  assert.deepEqual(
    result.findings.map(({ path, publicPath }) => `${path} ${publicPath}`).sort(),
    bad.map(({ object, path }) => `${object} ${path}`).sort(),
  );
});

Deno.test("a sound storage is good, with nothing but the permission to read", async () => {
  const { root } = storage(40);
  const main = new URL("../../src/admin/main.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-env", "--allow-sys", "--no-prompt", main]
      .concat([
        "storage",
        "verify",
        root,
      ]),
  }).output();
  const decoder = new TextDecoder();
  assert.equal(code, 0, decoder.decode(stderr));
  assert.match(
    decoder.decode(stdout),
    /^GOOD: .* intact: 40 objects .* read of 40, 40 public files/,
  );
  assert.equal(decoder.decode(stderr), "", "no progress in a pipe");
});

Deno.test("everything that has no place in a storage is reported as what it is", async () => {
  const { root, planted } = storage(12);
  const [a, b, c, d, e, f, g] = planted as [
    Planted,
    Planted,
    Planted,
    Planted,
    Planted,
    Planted,
    Planted,
  ];
  // Its public name is gone.
  Deno.removeSync(`${root}/${a.path}`);
  // Its object is gone: nobody vouches for it.
  Deno.removeSync(`${root}/${b.object}`);
  Deno.writeTextFileSync(`${root}/content/letter.txt`, "mine");
  Deno.chmodSync(`${root}/${c.object}`, 0o644);
  const directory = d.path.slice(0, d.path.lastIndexOf("/"));
  Deno.symlinkSync("/etc/passwd", `${root}/${directory}/${randomUUID()}.jpg`);
  Deno.linkSync(`${root}/${e.object}`, `${root}/.omoide/probe/second`);
  Deno.renameSync(`${root}/${f.path}`, `${root}/${f.path.replace(".jpg", `~${g.sha256}.jpg`)}`);
  Deno.mkdirSync(`${root}/.omoide/objects/zz`);
  const { code, result } = await adminJson<Found>(["storage", "verify", root]);
  assert.equal(code, 8);
  const reported = (kind: string) =>
    result.findings.filter((finding) => finding.kind === kind).map((finding) => finding.path);
  assert.deepEqual(reported("unlinked"), [a.object]);
  assert.deepEqual(reported("unvouched"), [b.path]);
  assert.deepEqual(reported("mode"), [c.object]);
  assert.deepEqual(reported("link"), [e.object]);
  assert.deepEqual(reported("misnamed"), [f.path.replace(".jpg", `~${g.sha256}.jpg`)]);
  assert.equal(reported("unexpected").length, 3, JSON.stringify(reported("unexpected")));
  assert.deepEqual(reported("corrupt"), []);
});

Deno.test("an object without a public name is never corrupt: a worker may be writing it", async () => {
  const { root } = storage(3);
  const media = makeMedia();
  Deno.writeFileSync(`${root}/${media.object}`, media.bytes.subarray(0, 10), { mode: 0o440 });
  const ran = await admin(["storage", "verify", root]);
  assert.equal(ran.code, 0, ran.stdout);
  assert.match(ran.stdout, /orphan: .*\nGOOD: .*; 1 orphan for `storage sweep`/);
});

Deno.test("a whole object without a public name is missed, unless a worker may be about to give it one", async () => {
  const { root, identity } = storage(2);
  const media = plant(root, makeMedia());
  Deno.removeSync(`${root}/${media.path}`);
  const kinds = async () =>
    (await verify(root, identity, options())).findings.map((finding) => finding.kind);
  assert.deepEqual(await kinds(), ["unlinked"]);
  {
    using _worker = await holdStorage(root);
    assert.deepEqual(await kinds(), ["orphan"]);
  }
  // The same bytes are published by another attempt.
  plant(root, { ...media, object: `${media.object}.2` });
  assert.deepEqual(await kinds(), ["orphan"]);
});

Deno.test("a verification that is stopped goes on where it was, and forgets nothing it found", async () => {
  const { root, identity, planted } = storage(600);
  for (const media of planted) flipBit(`${root}/${media.object}`);
  const file = `${parent}/state`;
  const stop = new AbortController();
  const journal = Journal.of(NamedFile.toAppend(file), identity, 1);
  let directories = 0;
  const add = (result: DirectoryResult) => {
    journal.add(result);
    if (++directories === 100) stop.abort();
  };
  const first = await verify(
    root,
    identity,
    options({ journal: { done: journal.done, add }, signal: stop.signal }),
  );
  journal.close();
  assert.equal(first.interrupted, true);
  // What a process that died has not finished writing.
  Deno.writeTextFileSync(file, '{"directory":"half a li', { append: true });
  const again = Journal.of(NamedFile.toAppend(file), identity, 1);
  assert.ok(again.done.size >= 100 && again.done.size < 250, String(again.done.size));
  const second = await verify(root, identity, options({ journal: again }));
  again.close();
  assert.equal(second.interrupted, false);
  assert.equal(second.findings.filter((finding) => finding.kind === "corrupt").length, 600);
  assert.equal(second.findings.filter((finding) => finding.publicPath !== undefined).length, 600);

  const other = storage(1);
  const refused = await admin(["storage", "verify", other.root, "--resume", file]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /is not the state of this verification/);
});

Deno.test("a share of the objects is drawn by chance", async () => {
  const { root } = storage(400);
  const { result, code } = await adminJson<Found>(["storage", "verify", root, "--fraction", "0.5"]);
  assert.equal(code, 0);
  assert.ok(result.objects > 100 && result.objects < 300, String(result.objects));
  for (const wrong of ["0", "1.1", "x"]) {
    assert.equal((await admin(["storage", "verify", root, "--fraction", wrong])).code, 2);
  }
});

Deno.test("reading keeps below its limit", async () => {
  const { root } = storage(0);
  for (let i = 0; i < 4; i++) plant(root, makeMedia({ bytes: randomBytes(1024 * 1024) }));
  const secondsOf = async (...limit: string[]) => {
    const startedAt = performance.now();
    const ran = await admin(["storage", "verify", root, ...limit]);
    assert.equal(ran.code, 0, ran.stderr);
    return (performance.now() - startedAt) / 1000;
  };
  // Measured by what the same takes without a limit on this machine now: most of that is starting Deno.
  const unlimited = await secondsOf();
  const limited = await secondsOf("--rate", String(Math.floor(4 * 1024 * 1024 / (4 * unlimited))));
  assert.ok(limited >= 4 * unlimited, `${limited} s with a limit, ${unlimited} s without`);
});

Deno.test("a root that is no storage gets one clear line", async () => {
  for (
    const [root, message] of [[parent, /There is no storage at/], [
      `${parent}/x`,
      /does not exist/,
    ]] as const
  ) {
    const ran = await admin(["storage", "verify", root]);
    assert.equal(ran.code, 4);
    assert.match(ran.stderr, message);
    assert.equal(ran.stderr.trimEnd().split("\n").length, 1);
  }
});
