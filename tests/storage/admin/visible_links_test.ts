/** Inode numbers that fit and still do not say which names are one file. */
import assert from "node:assert/strict";
import { entriesOf } from "../../../src/storage/admin/entries.ts";
import { GuardedTree } from "../../../src/storage/admin/guarded_tree.ts";
import { requireVisibleLinks } from "../../../src/storage/admin/visible_links.ts";
import { ONE_MACHINE } from "../../../src/storage/file_systems.ts";
import { makeRoot, newIdentity, Scratch } from "../support/roots.ts";

const { signal } = new AbortController();
const accepted = { words: ONE_MACHINE, at: new Date().toISOString() };

/** A storage that was noted to lie on this kind of mount, with one media in it. */
function storageOn(root: string, type: string): { tree: GuardedTree; path: string } {
  makeRoot(root, newIdentity({ mount: { type, accepted } }));
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const [owner, item] = [crypto.randomUUID(), crypto.randomUUID()];
  const object = `${root}/.omoide/objects/2c/${sha256}-7`;
  Deno.writeTextFileSync(object, "hello", { mode: 0o440 });
  const directory = `content/${owner}/${item.slice(0, 2)}`;
  Deno.mkdirSync(`${root}/${directory}`, { recursive: true });
  Deno.linkSync(object, `${root}/${directory}/${item}.jpg`);
  return { tree: new GuardedTree(root, 1), path: `${directory}/${item}.jpg` };
}

Deno.test("where inode numbers are hashes, what changes anything refuses, and what reads goes by bytes", async () => {
  using scratch = new Scratch();
  const { tree, path } = storageOn(`${scratch.path}/hashed`, "fuse.glusterfs");
  const refusal = /numbers its files by hashes.*: run this on the machine that has the disk/;
  await assert.rejects(requireVisibleLinks(tree, 2, signal), refusal);
  await assert.rejects(Array.fromAsync(entriesOf(tree, 2, { signal })), refusal);
  const said: string[] = [];
  const entries = await Array.fromAsync(
    entriesOf(tree, 2, { signal, onHiddenLinks: (why) => said.push(why) }),
  );
  assert.deepEqual(entries.map((entry) => [entry.path, entry.mediaId]), [[path, 7n]]);
  assert.match(said.join(), /by hashes.*found out by reading every file/);
});

Deno.test("on any other mount the links are followed", async () => {
  using scratch = new Scratch();
  const { tree, path } = storageOn(`${scratch.path}/plain`, "fuse.ceph-fuse");
  await requireVisibleLinks(tree, 2, signal);
  const entries = await Array.fromAsync(entriesOf(tree, 2, { signal }));
  assert.deepEqual(entries.map((entry) => [entry.path, entry.mediaId]), [[path, 7n]]);
});
