/** How many media go together: by how long the last ones took. */
import assert from "node:assert/strict";
import { GroupSize } from "../../src/worker/group_size.ts";

const MOST = { files: 1024, bytes: 32 * 1024 * 1024 };

/** The sizes of groups on a storage that takes a media in so many seconds, one after the other. */
function sizes(size: GroupSize, secondsOf: (files: number) => number, groups: number): number[] {
  return Array.from({ length: groups }, () => {
    const { files } = size;
    size.took(files, secondsOf(files));
    return files;
  });
}

Deno.test("on a disk that takes a hundred in a second, groups stay as large as they may be", () => {
  const size = new GroupSize(MOST, false);
  assert.deepEqual(sizes(size, (files) => files / 110, 4), [1024, 1024, 1024, 1024]);
});

Deno.test("on a slow file system no group takes much longer than ten seconds", () => {
  const local = new GroupSize(MOST, false);
  assert.deepEqual(sizes(local, (files) => files / 8, 4), [1024, 80, 80, 80]);
  const remote = new GroupSize(MOST, true);
  assert.deepEqual(sizes(remote, (files) => files / 8, 4), [64, 64, 64, 64]);
  // 100 s for each: one at a time, and no fewer.
  assert.deepEqual(sizes(remote, (files) => files * 100, 3), [64, 1, 1]);
});

Deno.test("a storage that is quick again gets larger groups, up to the most", () => {
  const size = new GroupSize(MOST, true);
  assert.deepEqual(sizes(size, () => 0.1, 6), [64, 128, 256, 512, 1024, 1024]);
  size.took(1024, 100);
  assert.equal(size.files, 102);
  // Few that were there to be stored prove nothing.
  size.took(10, 0.1);
  assert.equal(size.files, 102);
});

Deno.test("a film that takes long says nothing of pictures", () => {
  const size = new GroupSize(MOST, false);
  size.took(1, 600);
  assert.equal(size.files, 1024);
});

Deno.test("what an administrator allows is the most, over a network too", () => {
  assert.equal(new GroupSize({ ...MOST, files: 8 }, true).files, 8);
  const size = new GroupSize({ ...MOST, files: 100 }, true);
  assert.deepEqual(sizes(size, () => 1, 3), [64, 100, 100]);
});
