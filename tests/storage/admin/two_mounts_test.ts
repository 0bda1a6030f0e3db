/** What workers on two machines rely on, tried from two mounts of one directory. */
import assert from "node:assert/strict";
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { tryTwoMounts } from "../../../src/storage/admin/two_mounts.ts";
import { UNMEASURED } from "../../../src/storage/file_systems.ts";
import { ForeignMount, type Manner } from "../../lab/foreign_mount.ts";
import { FUSEPY } from "../../lab/recorded_disk.ts";
import { requireTools } from "../../support/require_tool.ts";
import { newIdentity, Scratch } from "../support/roots.ts";

const NEEDS = requireTools([FUSEPY], { root: true });

/** What is found by two mounts of one root; the second of this kind. */
async function tryOn(manner: Manner): Promise<Record<string, { ok: boolean; detail: string }>> {
  using scratch = new Scratch("memory");
  const at = (name: string) => `${scratch.path}/${name}`;
  const mounted = { type: "fuse", accept: UNMEASURED };
  initRoot(at("root"), newIdentity(), { mounted });
  for (const name of ["a", "b"]) Deno.mkdirSync(at(name));
  await using a = await ForeignMount.over(at("root"), at("a"), "remote", at("control.a"));
  await using b = await ForeignMount.over(at("root"), at("b"), manner, at("control.b"));
  const results = await tryTwoMounts(a.path, b.path);
  return Object.fromEntries(results.map(({ name, ...found }) => [name, found]));
}

Deno.test({
  ...NEEDS,
  name: "names are won once, and locks that each machine has for itself are found out",
  fn: async () => {
    const { flock, ...others } = await tryOn("remote");
    for (const [name, { ok, detail }] of Object.entries(others)) {
      assert.ok(ok, `${name}: ${detail}`);
    }
    assert.match(others["race of creates"]?.detail ?? "", /^\d+ and \d+ of 200 names won$/);
    // FUSE locks in the kernel, mount by mount, where its daemon does not.
    assert.equal(flock?.ok, false);
    assert.match(flock.detail, /each machine's own/);
  },
});

Deno.test({
  ...NEEDS,
  name: "a mount that creates what it does not see yet is found out",
  fn: async () => {
    const found = await tryOn("late");
    for (const name of ["exclusive create", "race of creates"]) {
      assert.equal(found[name]?.ok, false, JSON.stringify(found));
    }
  },
});

Deno.test("one mount, or two storages, prove nothing", async () => {
  using scratch = new Scratch("memory");
  const [one, two] = [`${scratch.path}/one`, `${scratch.path}/two`];
  for (const root of [one, two]) initRoot(root, newIdentity());
  await assert.rejects(tryTwoMounts(one, one), /are one mount, which proves nothing/);
  await assert.rejects(tryTwoMounts(one, two), /are different storages/);
});
