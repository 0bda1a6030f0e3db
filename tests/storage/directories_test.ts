import assert from "node:assert/strict";
import { Directories, DirectoryError } from "../../src/storage/directories.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { withAncestors } from "../../src/storage/layout.ts";
import { Scratch } from "./support/roots.ts";

function directoriesIn(scratch: Scratch, mostKnown?: number): Directories {
  return new Directories(scratch.path, Deno.lstatSync(scratch.path).dev, fileCalls, mostKnown);
}

async function sync(directories: Directories, path: string): Promise<void> {
  const { file, synced } = await directories.open(path);
  await fileCalls.sync(file);
  fileCalls.close(file);
  synced();
}

Deno.test("a path's ancestors end with the root", () => {
  assert.deepEqual(withAncestors("a/b/c"), ["a/b/c", "a/b", "a", ""]);
  assert.deepEqual(withAncestors("a"), ["a", ""]);
});

Deno.test("a directory counts as synced until an entry is made in it", async () => {
  using scratch = new Scratch("memory");
  const directories = directoriesIn(scratch);
  assert.ok(!directories.isSynced(""));
  await sync(directories, "");
  assert.ok(directories.isSynced(""));
  await directories.make("a", "", 0o750);
  assert.ok(!directories.isSynced(""));
  await sync(directories, "");
  assert.ok(directories.isSynced(""));
  assert.ok(!directories.isSynced("a"));
});

Deno.test("a fsync covers what was there when it began, not what came after", async () => {
  using scratch = new Scratch("memory");
  const directories = directoriesIn(scratch);
  const { file, synced } = await directories.open("");
  await directories.make("a", "", 0o750);
  await fileCalls.sync(file);
  fileCalls.close(file);
  synced();
  assert.ok(!directories.isSynced(""));
});

Deno.test("a directory that was replaced counts as never synced, and is not synced in its stead", async () => {
  using scratch = new Scratch("memory");
  const directories = directoriesIn(scratch);
  await directories.make("a", "", 0o750);
  assert.ok(await directories.verify("a") !== null);
  await sync(directories, "a");
  Deno.renameSync(`${scratch.path}/a`, `${scratch.path}/b`);
  assert.equal(await directories.verify("a"), null);
  Deno.mkdirSync(`${scratch.path}/a`);
  await assert.rejects(directories.open("a"), DirectoryError);
  assert.ok(await directories.verify("a") !== null);
  assert.ok(!directories.isSynced("a"));
});

Deno.test("what is forgotten is synced again, and what has unsynced entries is not forgotten", async () => {
  using scratch = new Scratch("memory");
  const directories = directoriesIn(scratch, 3);
  await directories.make("dirty", "", 0o750);
  await directories.verify("dirty");
  directories.entryMade("dirty");
  for (const name of ["a", "b", "c", "d"]) {
    await directories.make(name, "", 0o750);
    await directories.verify(name);
    await sync(directories, name);
  }
  assert.ok(directories.isSynced("d"));
  assert.ok(!directories.isSynced("a"));
  // Replaced, it would be noticed: so its inode is still known.
  Deno.renameSync(`${scratch.path}/dirty`, `${scratch.path}/moved`);
  Deno.mkdirSync(`${scratch.path}/dirty`);
  await assert.rejects(directories.open("dirty"), DirectoryError);
});

Deno.test("links, files and other devices are no directories", async () => {
  using scratch = new Scratch("memory");
  const directories = directoriesIn(scratch);
  Deno.mkdirSync(`${scratch.path}/real`);
  Deno.symlinkSync(`${scratch.path}/real`, `${scratch.path}/link`);
  Deno.writeTextFileSync(`${scratch.path}/file`, "");
  await assert.rejects(directories.verify("link"), /is a symbolic link/);
  await assert.rejects(directories.verify("file"), /is no directory/);
  const elsewhere = new Directories(scratch.path, -1, fileCalls);
  await assert.rejects(elsewhere.verify("real"), /another file system/);
});
