/** `storage mounts`, as an administrator runs it. What it tries is tests/storage/admin/two_mounts_test.ts's. */
import assert from "node:assert/strict";
import { initRoot } from "../../src/storage/admin/init_root.ts";
import { UNMEASURED } from "../../src/storage/file_systems.ts";
import { ForeignMount } from "../lab/foreign_mount.ts";
import { FUSEPY } from "../lab/recorded_disk.ts";
import { newIdentity, Scratch } from "../storage/support/roots.ts";
import { requireTools } from "../support/require_tool.ts";
import { admin, adminExits } from "./support/run.ts";

Deno.test("it says what is wrong with two paths that are not one storage mounted twice", async () => {
  using scratch = new Scratch("disk");
  const [one, two] = [`${scratch.path}/one`, `${scratch.path}/two`];
  for (const root of [one, two]) initRoot(root, newIdentity());
  const before = [one, two].map(probesOf);
  const same = await adminExits(4, "storage", "mounts", one, one);
  assert.match(same.stderr, /are one mount, which proves nothing: mount its file system a second/);
  const different = await adminExits(4, "storage", "mounts", one, two);
  assert.match(different.stderr, /are different storages .*; mount one of them twice/);
  assert.deepEqual([one, two].map(probesOf), before, "probes were left all the same");
});

Deno.test({
  ...requireTools([FUSEPY], { root: true }),
  name: "it marks what two machines may not rely on, and exits 8",
  fn: async () => {
    using scratch = new Scratch("disk");
    const [root, second] = [`${scratch.path}/root`, `${scratch.path}/second`];
    initRoot(root, newIdentity(), { mounted: { type: "fuse", accept: UNMEASURED } });
    Deno.mkdirSync(second);
    await using _mount = await ForeignMount.over(
      root,
      second,
      "remote",
      `${scratch.path}/control`,
    );
    const { code, stdout, stderr } = await admin(["storage", "mounts", root, second]);
    assert.equal(code, 8, stderr);
    // FUSE has locks of its own: of all that is tried only this differs between the two.
    assert.match(stdout, /^FAIL {2}flock: .*each machine's own$/m);
    assert.equal(stdout.match(/^ok {4}/gm)?.length, 5, stdout);
    assert.match(stdout, /No two machines may work on this storage: see what is marked FAIL/);
    assert.ok(probesOf(root).length > 200);
  },
});

function probesOf(root: string): string[] {
  return [...Deno.readDirSync(`${root}/.omoide/probe`)].map(({ name }) => name);
}
