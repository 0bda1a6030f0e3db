import assert from "node:assert/strict";
import { ConfigurationError } from "../../../src/errors.ts";
import { readIdentity } from "../../../src/storage/identity.ts";
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { SKELETON } from "../../lab/first_format.ts";
import { openStorage } from "../../../src/storage/open_storage.ts";
import type { StorageIdentity } from "../../../src/storage/storage.ts";
import { run } from "../../lab/command.ts";
import { requireTools } from "../../support/require_tool.ts";
import { describeTree, newIdentity, Scratch } from "../support/roots.ts";

const IDENTITY = ".omoide/storage.json";

function requireWhole(root: string): void {
  for (const { path, mode } of SKELETON) {
    const found = Deno.lstatSync(`${root}/${path}`);
    assert.ok(found.isDirectory, path);
    assert.equal((found.mode ?? 0) & 0o777, mode, path);
  }
  assert.equal((Deno.lstatSync(`${root}/${IDENTITY}`).mode ?? 0) & 0o777, 0o440);
}

Deno.test("a new root gets the whole skeleton and an identity that a worker can open", async () => {
  using scratch = new Scratch();
  const root = `${scratch.path}/root`;
  const identity = newIdentity();
  assert.deepEqual(initRoot(root, identity), { created: true });
  requireWhole(root);
  assert.deepEqual(readIdentity(root), identity);
  (await openStorage(root, { storage: "hot" })).close();
});

Deno.test("a second run with the same identity changes nothing, and fixes what is missing", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  const identity = newIdentity();
  initRoot(root, identity);
  // An administrator's own wish, which is left alone.
  Deno.chmodSync(`${root}/content`, 0o755);
  const before = describeTree(root);
  assert.deepEqual(initRoot(root, identity), { created: false });
  assert.deepEqual(describeTree(root), before);
  Deno.removeSync(`${root}/.omoide/objects/a7`);
  assert.deepEqual(initRoot(root, identity), { created: false });
  assert.deepEqual(describeTree(root), before);
});

Deno.test("a root of another storage, inbox, uuid or prefix size is refused and left alone", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  const identity = newIdentity();
  initRoot(root, identity);
  const before = describeTree(root);
  for (
    const other of [
      { ...identity, storage: "cold" },
      { ...identity, uuid: crypto.randomUUID() },
      { ...identity, inbox: crypto.randomUUID() },
      { ...identity, prefixSize: 3 },
    ]
  ) {
    assert.throws(() => initRoot(root, other), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.ok(
        error.message.includes(identity.uuid) && error.message.includes("another directory"),
      );
      return true;
    });
  }
  assert.deepEqual(describeTree(root), before);
});

Deno.test("a run that died at any step is completed by the next", () => {
  const steps = [0, 1, 2, 3, 4, 100, 258, 259, 260, 261, 262];
  for (const step of steps) {
    using scratch = new Scratch("memory");
    const root = `${scratch.path}/root`;
    Deno.mkdirSync(root);
    // As it looks when the process died right after making one directory: its mode is not set yet.
    for (const { path } of SKELETON.slice(0, step)) {
      Deno.mkdirSync(`${root}/${path}`, { mode: 0o700 });
    }
    // A draft of the identity may be there as well, whole or not.
    if (step > 2) Deno.writeTextFileSync(`${root}/.omoide/probe/storage.json-x`, '{"form');
    assert.deepEqual(initRoot(root, newIdentity()), { created: true }, `step ${step}`);
    requireWhole(root);
  }
});

/** Runs `initRoot` in a process of its own. Returns whether it was not refused. */
async function initElsewhere(
  root: string,
  identity: StorageIdentity,
  umask = "022",
): Promise<boolean> {
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const module = import.meta.resolve("../../../src/storage/admin/init_root.ts");
  const program = `import { initRoot } from ${JSON.stringify(module)};
    initRoot(${JSON.stringify(root)}, ${JSON.stringify(identity)});`;
  const script = `${root}-${crypto.randomUUID()}.ts`;
  Deno.writeTextFileSync(script, program);
  const deno = [Deno.execPath(), "run", "-A", "--no-check", "--config", config, script];
  try {
    await run("sh", "-c", `umask ${umask}; exec "$@"`, "sh", ...deno);
    return true;
  } catch (error) {
    if (String(error).includes("ConfigurationError")) return false;
    throw error;
  }
}

Deno.test("the modes do not depend on the umask", async () => {
  using scratch = new Scratch("memory");
  assert.ok(await initElsewhere(`${scratch.path}/root`, newIdentity(), "077"));
  requireWhole(`${scratch.path}/root`);
});

Deno.test("two runs at the same moment agree, or one is refused", async () => {
  using scratch = new Scratch("memory");
  const same = newIdentity();
  const one = `${scratch.path}/one`;
  const agreed = await Promise.all([initElsewhere(one, same), initElsewhere(one, same)]);
  assert.deepEqual(agreed, [true, true]);
  requireWhole(one);

  const two = `${scratch.path}/two`;
  const others = [newIdentity(), newIdentity()];
  const won = await Promise.all(others.map((identity) => initElsewhere(two, identity)));
  assert.equal(won.filter((each) => each).length, 1);
  assert.deepEqual(readIdentity(two), others[won.indexOf(true)]);
});

Deno.test("an empty disk's lost+found is expected", () => {
  using scratch = new Scratch("memory");
  Deno.mkdirSync(`${scratch.path}/root/lost+found`, { recursive: true });
  initRoot(`${scratch.path}/root`, newIdentity());
  requireWhole(`${scratch.path}/root`);
});

Deno.test("a directory that holds anything else is refused, by name", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  Deno.mkdirSync(root);
  Deno.writeTextFileSync(`${root}/holiday.jpg`, "x");
  assert.throws(() => initRoot(root, newIdentity()), /holds holiday\.jpg; give an empty directory/);
  Deno.mkdirSync(`${root}/.omoide`);
  assert.throws(() => initRoot(root, newIdentity()), /holds holiday\.jpg/);
  assert.deepEqual(describeTree(root).length, 2);
});

Deno.test("an existing Omoide tree is refused with a hint, and taken over when that is asked for", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  Deno.mkdirSync(`${root}/content/x`, { recursive: true });
  Deno.mkdirSync(`${root}/preview`);
  assert.throws(() => initRoot(root, newIdentity()), /content, preview.*`storage adopt`/);
  // Also where a run to take it over died.
  Deno.mkdirSync(`${root}/.omoide`);
  assert.throws(() => initRoot(root, newIdentity()), /content\).*`storage adopt`/);
  assert.deepEqual(initRoot(root, newIdentity(), { adopt: true }), { created: true });
  requireWhole(root);
  assert.ok(Deno.lstatSync(`${root}/content/x`).isDirectory);
});

Deno.test("a storage that lost its identity is not given another", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  initRoot(root, newIdentity());
  Deno.writeTextFileSync(`${root}/.omoide/objects/5a/something`, "x");
  Deno.removeSync(`${root}/${IDENTITY}`);
  for (const adopt of [false, true]) {
    assert.throws(() => initRoot(root, newIdentity(), { adopt }), /storage\.json is lost; restore/);
  }
});

Deno.test("a root that is unfit, not real, or has no parent is refused before anything is made", () => {
  using scratch = new Scratch("memory");
  const { path } = scratch;
  Deno.mkdirSync(`${path}/real`);
  Deno.symlinkSync(`${path}/real`, `${path}/link`);
  Deno.writeTextFileSync(`${path}/file`, "");
  const before = describeTree(path);
  const refused: [string, RegExp][] = [
    ["/", /directory of its own/],
    ["relative", /not absolute/],
    [`${path}/a,b`, /comma/],
    [`${path}/real/`, /plain form/],
    [`${path}/real/../real`, /plain form/],
    [`${path}/link`, /symbolic link in it; give .*\/real instead/],
    [`${path}/link/new`, /symbolic link in it; give .*\/real\/… instead/],
    [`${path}/file`, /not a directory/],
    [`${path}/none/new`, /none does not exist/],
  ];
  for (const [root, reason] of refused) {
    assert.throws(() => initRoot(root, newIdentity()), (error) => {
      assert.ok(error instanceof ConfigurationError, root);
      assert.ok(reason.test(error.message), error.message);
      return true;
    });
  }
  assert.deepEqual(describeTree(path), before);
});

Deno.test("a link in the skeleton's place is not followed", () => {
  for (const planted of [".omoide", ".omoide/objects", ".omoide/objects/00", "content"]) {
    using scratch = new Scratch("memory");
    const root = `${scratch.path}/root`;
    const elsewhere = `${scratch.path}/elsewhere`;
    Deno.mkdirSync(elsewhere);
    Deno.mkdirSync(root);
    const above = planted.split("/").slice(0, -1).join("/");
    if (above !== "") Deno.mkdirSync(`${root}/${above}`, { recursive: true });
    Deno.symlinkSync(elsewhere, `${root}/${planted}`);
    assert.throws(() => initRoot(root, newIdentity()), ConfigurationError, planted);
    assert.deepEqual(describeTree(elsewhere), [], planted);
  }
});

Deno.test({
  ...requireTools([], { root: true }),
  name: "what root makes belongs to the root directory's owner and group",
  fn() {
    using scratch = new Scratch("memory");
    const root = `${scratch.path}/root`;
    Deno.mkdirSync(root);
    Deno.chownSync(root, 12345, 54321);
    initRoot(root, newIdentity());
    for (const path of [...SKELETON.map(({ path }) => path), IDENTITY, ".omoide/probe"]) {
      const { uid, gid } = Deno.lstatSync(`${root}/${path}`);
      assert.deepEqual([uid, gid], [12345, 54321], path);
    }
    requireWhole(root);
  },
});

Deno.test("somebody who neither owns the root nor is root is told who should run it", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  Deno.mkdirSync(root);
  const { uid } = Deno;
  const other = (uid() ?? 0) + 1;
  Deno.uid = () => other;
  try {
    assert.throws(() => initRoot(root, newIdentity()), /run this as its owner or as root/);
  } finally {
    Deno.uid = uid;
  }
  assert.deepEqual(describeTree(root), []);
});
