import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { findingsOf } from "../../src/admin/verify_report.ts";
import { adopt, type AdoptReport } from "../../src/storage/admin/adopt.ts";
import { GuardedTree } from "../../src/storage/admin/guarded_tree.ts";
import { run, until } from "../lab/command.ts";
import { OWNER, snapshot } from "../lab/hostile_tree.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";
import { admin, type Ran } from "./support/run.ts";
import { flipBit, identityOf, makeMedia, makeStorage, plant } from "./support/tree.ts";

const MAIN = fileURLToPath(new URL("../../src/admin/main.ts", import.meta.url));
const NEEDS = requireTools(["setpriv"], { root: true });
const parent = await Deno.makeTempDir({ prefix: "omoide-rights-" });
Deno.chmodSync(parent, 0o711);
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));
const template = sharedTemplate();

let places = 0;
/** A directory that every user can pass, and one that only root can. */
function makePlace(): { open: string; secret: string } {
  const open = `${parent}/${++places}`, secret = `${open}/secret`;
  Deno.mkdirSync(open);
  Deno.chmodSync(open, 0o711);
  Deno.mkdirSync(secret, { mode: 0o700 });
  return { open, secret };
}

async function give(root: string, user = OWNER): Promise<void> {
  await run("chown", "-R", `${user}:${user}`, root);
}

/** Adopts a tree in which something changes after everything was hashed. */
async function adoptMeanwhile(root: string, change: () => void): Promise<AdoptReport> {
  const { uid, gid } = Deno.lstatSync(root);
  return await adopt(new GuardedTree(root, 1), {
    owner: { uid: uid ?? 0, gid: gid ?? 0 },
    prefixSize: 2,
    parallel: 1,
    signal: new AbortController().signal,
    mediaIds: (adoptable) => {
      assert.ok(adoptable.length > 0);
      change();
      return Promise.resolve(adoptable.map((_, i) => BigInt(i + 1)));
    },
    progress: () => {},
  });
}

function refused(ran: Ran, code: number, message: RegExp): void {
  assert.equal(ran.code, code, ran.stdout + ran.stderr);
  assert.match(ran.stdout + ran.stderr, message);
}

/** Runs something as the tree's owner. @returns whether it succeeded */
async function asOwner(...command: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("setpriv", {
    args: [`--reuid=${OWNER}`, `--regid=${OWNER}`, "--clear-groups", ...command],
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

Deno.test({
  ...NEEDS,
  name: "files that only root can read are read and kept all the same",
  fn: async () => {
    const { open, secret } = makePlace(), inbox = randomUUID();
    const [hot, cold] = ["hot", "cold"].map((name) => makeStorage(open, identityOf(name, inbox)));
    assert.ok(hot && cold);
    const media = [makeMedia(), makeMedia()];
    for (const each of media) for (const root of [hot, cold]) plant(root, each);
    flipBit(`${hot}/${media[0]?.object}`);
    await give(hot);
    await give(cold, OWNER + 1);
    const verified = await admin(["storage", "verify", hot, "--json"]);
    assert.equal(verified.code, 8, verified.stderr);
    Deno.writeTextFileSync(`${secret}/report`, verified.stdout);
    const { stdout } = await admin(["storage", "manifest", cold]);
    Deno.writeTextFileSync(`${secret}/manifest`, stdout);
    for (
      const args of [
        ["repair", hot, "--from", cold, "--report", `${secret}/report`],
        ["compare", hot, `${secret}/manifest`],
        ["verify", hot, "--resume", `${secret}/state`],
      ]
    ) {
      const ran = await admin(["storage", ...args]);
      assert.equal(ran.code, 0, ran.stdout + ran.stderr);
      assert.match(ran.stderr, /gave up root's rights: working as uid 4321, gid 4321, who owns/);
    }
    assert.ok(Deno.readTextFileSync(`${secret}/state`).split("\n").length > 2);
    // The audit log says who started it, and belongs to who did it.
    const log = `${hot}/.omoide/record.jsonl`;
    assert.equal(JSON.parse(Deno.readTextFileSync(log).split("\n")[0] ?? "").by, 0);
    assert.equal(Deno.lstatSync(log).uid, OWNER);
  },
});

Deno.test({
  ...requireTools(["unshare"], { root: true }),
  name: "the tools work from source that lies where only root can read it",
  fn: async () => {
    const { open, secret } = makePlace(), root = makeStorage(open, identityOf("hot", randomUUID()));
    plant(root, makeMedia());
    await give(root);
    const project = fileURLToPath(new URL("../../", import.meta.url));
    Deno.mkdirSync(`${secret}/project`);
    // The mount is this shell's alone.
    const said = await run(
      ...["unshare", "--mount", "--propagation=slave", "sh", "-ec"] as const,
      'mount --bind "$1" "$2"; exec "$3" run -A --no-check "$2/src/admin/main.ts" storage verify "$4"',
      ...["sh", project, `${secret}/project`, Deno.execPath(), root],
    );
    assert.match(said, /GOOD: hot is intact: 1 object/);
  },
});

Deno.test({
  ...NEEDS,
  name: "the owner of a tree cannot look into the tool that works on it",
  fn: async () => {
    const { open } = makePlace(), root = makeStorage(open, identityOf("hot", randomUUID()));
    for (let i = 0; i < 50; i++) plant(root, makeMedia({ bytes: new Random(i).bytes(100_000) }));
    await give(root);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", MAIN, "storage", "verify", root, "--rate", "1K"],
      env: { PGPASSWORD: "secret" },
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const status = (pid: number) => Deno.readTextFileSync(`/proc/${pid}/status`);
    await until("each of its threads has changed its user", () => {
      const threads = [...Deno.readDirSync(`/proc/${child.pid}/task`)];
      return threads.every(({ name }) =>
        /^Uid:\t4321\t4321\t4321\t4321$/m.test(status(Number(name)))
      );
    });
    assert.match(status(child.pid), /^Groups:\s*$/m);
    assert.match(status(child.pid), /^CapPrm:\t0+$/m);
    // A process of that user's own, in which it can look: so these are the right questions.
    const own = new Deno.Command("setpriv", {
      args: [`--reuid=${OWNER}`, `--regid=${OWNER}`, "--clear-groups", "sleep", "60"],
    }).spawn();
    await until("it has changed its user", () => /^Name:\tsleep$/m.test(status(own.pid)));
    for (const file of ["environ", "maps", "fd/1"]) {
      const look = (pid: number) => asOwner("readlink", `/proc/${pid}/${file}`);
      const read = (pid: number) => asOwner("head", "-c", "1", `/proc/${pid}/${file}`);
      const ask = file === "fd/1" ? look : read;
      assert.ok(await ask(own.pid), `its own ${file}`);
      assert.ok(!await ask(child.pid), `the tool's ${file}`);
    }
    own.kill("SIGKILL");
    await own.status;
    child.kill("SIGTERM");
    assert.equal((await child.output()).signal, "SIGTERM");
  },
});

Deno.test({
  ...NEEDS,
  name: "root works on nothing that others could put something else in the place of",
  fn: async () => {
    const { open, secret } = makePlace(), root = makeStorage(open, identityOf("hot", randomUUID()));
    plant(root, makeMedia());
    Deno.chmodSync(root, 0o777);
    refused(await admin(["storage", "verify", root]), 4, /can be written to by others than root/);
    Deno.chmodSync(root, 0o750);
    assert.equal((await admin(["storage", "verify", root])).code, 0);
    await give(root);
    Deno.chmodSync(open, 0o777);
    refused(await admin(["storage", "verify", root]), 4, /could put anything in the tree's place/);
    Deno.chownSync(open, OWNER + 1, 0);
    Deno.chmodSync(open, 0o755);
    refused(await admin(["storage", "verify", root]), 4, /could put anything in the tree's place/);
    // Others cannot rename what is in a sticky directory.
    Deno.chownSync(open, 0, 0);
    Deno.chmodSync(open, 0o1777);
    assert.equal((await admin(["storage", "verify", root])).code, 0);
    Deno.chmodSync(open, 0o700);
    refused(await admin(["storage", "verify", root]), 4, /must let that user pass.*allow_other/);
    assert.deepEqual([...Deno.readDirSync(secret)], []);
  },
});

Deno.test({
  ...NEEDS,
  name: "a named file that is a FIFO does not hang a tool, and no state is kept through a link",
  fn: async () => {
    const { open, secret } = makePlace(), inbox = randomUUID();
    const hot = makeStorage(open, identityOf("hot", inbox));
    const cold = makeStorage(open, identityOf("cold", inbox));
    await run("mkfifo", `${secret}/fifo`);
    Deno.writeTextFileSync(`${secret}/mine`, "");
    Deno.symlinkSync(`${secret}/mine`, `${open}/state`);
    const regular = /it is not a regular file/;
    for (
      const args of [
        ["repair", hot, "--from", cold, "--report", `${secret}/fifo`],
        ["purge", hot, "--manifest", `${secret}/fifo`],
        ["verify", hot, "--resume", `${secret}/fifo`],
      ]
    ) refused(await admin(["storage", ...args]), 4, regular);
    refused(
      await admin(["storage", "verify", hot, "--resume", `${open}/state`]),
      4,
      /symbolic link/,
    );
    assert.equal(Deno.readTextFileSync(`${secret}/mine`), "");
  },
});

Deno.test({
  ...NEEDS,
  name: "what belongs to another user is named with its chown, and not given away",
  fn: async () => {
    const { open } = makePlace(), inbox = randomUUID();
    const hot = makeStorage(open, identityOf("hot", inbox));
    const cold = makeStorage(open, identityOf("cold", inbox));
    const media = plant(hot, makeMedia());
    await give(hot);
    Deno.chownSync(`${hot}/${media.object}`, 0, 0);
    const ran = await admin(["storage", "repair", hot, "--from", cold]);
    refused(ran, 6, /belongs to uid 0; give it to the worker's user first.*chown -h 4321:4321/);
    assert.equal(Deno.lstatSync(`${hot}/${media.object}`).uid, 0);
  },
});

Deno.test("what took a file's place after it was hashed is not adopted", async () => {
  const { open } = makePlace(), root = makeStorage(open, identityOf("hot", randomUUID()));
  const outside = `${open}/outside`;
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${outside}/file`, "not theirs", { mode: 0o600 });
  const files = [makeMedia(), makeMedia(), makeMedia(), makeMedia()];
  for (const each of files) {
    plant(root, each);
    Deno.removeSync(`${root}/${each.object}`);
  }
  const [linked, replaced, touched, left] = files.map(({ path }) => `${root}/${path}`);
  assert.ok(linked && replaced && touched && left);
  const before = snapshot(outside);
  const report = await adoptMeanwhile(root, () => {
    Deno.removeSync(linked);
    Deno.symlinkSync(`${outside}/file`, linked);
    Deno.writeTextFileSync(`${root}/content/new`, "x");
    Deno.renameSync(`${root}/content/new`, replaced);
    Deno.utimeSync(touched, 1, 1);
  });
  assert.equal(report.adopted, 1);
  assert.deepEqual(
    report.unfit.map(({ path }) => `${root}/${path}`).sort(),
    [linked, replaced, touched].sort(),
  );
  assert.equal(Deno.lstatSync(left).nlink, 2);
  assert.deepEqual(snapshot(outside), before);
});

Deno.test("what took a file's place with its size and its times is not adopted: it is another file", async () => {
  const { open } = makePlace(), root = makeStorage(open, identityOf("hot", randomUUID()));
  const media = plant(root, makeMedia());
  Deno.removeSync(`${root}/${media.object}`);
  const file = `${root}/${media.path}`, directory = file.slice(0, file.lastIndexOf("/"));
  const twin = `${open}/twin/${file.slice(directory.length + 1)}`;
  Deno.mkdirSync(`${open}/twin`);
  Deno.writeFileSync(twin, media.bytes.map((byte) => byte ^ 1), { mode: 0o600 });
  // The times of change cannot be set, but two changes in a row mostly have the same, to the millisecond.
  const changed = (path: string) => Deno.lstatSync(path).ctime?.getTime();
  for (let tries = 0; tries === 0 || changed(file) !== changed(twin); tries++) {
    assert.ok(tries < 1000, "this file system gives no two changes in a row the same time");
    for (const path of [file, twin]) Deno.utimeSync(path, 1000, 1000);
  }
  const report = await adoptMeanwhile(root, () => {
    // Renaming a directory changes no time of what is in it.
    Deno.renameSync(directory, `${open}/aside`);
    Deno.renameSync(`${open}/twin`, directory);
    assert.equal(changed(file), changed(`${open}/aside/${file.slice(directory.length + 1)}`));
  });
  assert.match(report.unfit.map(({ why }) => why).join(), /it changed after it was read; run this/);
  const { mode, nlink } = Deno.lstatSync(file);
  assert.deepEqual({ mode: (mode ?? 0) & 0o777, nlink, adopted: report.adopted }, {
    mode: 0o600,
    nlink: 1,
    adopted: 0,
  });
});

Deno.test("a report is taken only with paths that verify could have reported", () => {
  const identity = identityOf("hot", randomUUID()), media = makeMedia();
  const read = (finding: object) =>
    findingsOf(
      { file: "report", uuid: identity.uuid, findings: [{ detail: "", ...finding }] },
      identity,
    );
  for (
    const finding of [
      { kind: "corrupt", path: media.object, publicPath: media.path },
      { kind: "unvouched", path: media.path },
      { kind: "mode", path: ".omoide/objects/00" },
      { kind: "owner", path: media.path.split("/").slice(0, 3).join("/") },
      { kind: "unexpected", path: "content/notes.txt" },
    ]
  ) assert.equal(read(finding).length, 1);
  for (
    const finding of [
      { kind: "mode", path: "content/../../etc" },
      { kind: "mode", path: "/etc" },
      { kind: "mode", path: "" },
      { kind: "mode", path: ".omoide/storage.json" },
      { kind: "mode", path: "content/a/b/c" },
      { kind: "owner", path: "content//a" },
      { kind: "corrupt", path: media.path },
      { kind: "corrupt", path: `.omoide/objects/zz/${media.object.slice(-70)}` },
      { kind: "corrupt", path: media.object, publicPath: "content/../../etc/passwd" },
      { kind: "unvouched", path: "content/v/passwd" },
      { kind: "toString", path: media.object },
    ]
  ) assert.throws(() => read(finding), /has a finding that is none/, JSON.stringify(finding));
});

Deno.test("a receipt whose path is another media's makes trust take nothing away", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(11), 3);
  await world.drainOnce("hot");
  const hot = world.root("hot");
  const rows = await world.query<{ path: string }>(
    "SELECT path FROM omoide.receipt WHERE storage = 'hot' ORDER BY media_id",
  );
  const other = rows[1]?.path ?? "";
  await world.query("UPDATE omoide.stored SET path = $1, outcome = 'renamed' WHERE media_id = 1", [
    other,
  ]);
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
  );
  const before = snapshot(`${hot}/content`).concat(snapshot(`${hot}/preview`));
  const ran = await admin([
    ...["storage", "trust", "hot", "--root", hot, "--remounted", "--redeliver", "--json"],
    ...["--database", world.server.url(world.database)],
  ]);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const { redelivered, bad } = JSON.parse(ran.stdout);
  assert.equal(redelivered, 1);
  assert.match(bad[0].why, /is not a path of this media/);
  assert.deepEqual(snapshot(`${hot}/content`).concat(snapshot(`${hot}/preview`)), before);
  await world.drainAll();
  await world.requireInvariants();
});

Deno.test("an object with the highest id of all leaves ids for every upload to come", async () => {
  await using world = await template().world();
  const [first] = await world.submitMany(new Random(12), 3);
  await world.drainAll();
  assert.ok(first);
  const highest = 2n ** 63n - 1n;
  for (const name of ["hot", "cold"]) {
    const directory = `${world.root(name)}/.omoide/objects/${first.sha256.slice(0, 2)}`;
    Deno.renameSync(
      `${directory}/${first.sha256}-${first.id}`,
      `${directory}/${first.sha256}-${highest}`,
    );
  }
  await world.query("TRUNCATE omoide.media, omoide.stored, omoide.delivery RESTART IDENTITY");
  for (const name of ["hot", "cold"]) {
    const database = ["--database", world.server.url(world.database)];
    const rebuilt = await admin(["storage", "rebuild", world.root(name), ...database]);
    assert.equal(rebuilt.code, 0, rebuilt.stdout + rebuilt.stderr);
    assert.match(rebuilt.stdout, /3 files .* 3 receipts made/);
  }
  const [later] = await world.submitMany(new Random(13), 1);
  // A claim leaves a gap for what is uploaded meanwhile.
  assert.ok(later && later.id < 10_000n, `the next id is ${later?.id}`);
  await world.drainAll();
  assert.equal(await world.receipts("hot"), 4);
});
