import assert from "node:assert/strict";
import { type CheckResult, checkRoot } from "../../src/storage/check_root.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { Fault, maskedCalls } from "./support/calls.ts";
import { describeTree, Scratch, TestStorage } from "./support/roots.ts";

const NAMES = [
  "identity",
  "user",
  "file system",
  "skeleton",
  "names",
  "exclusive create",
  "mode bits",
  "device",
  "fdatasync",
  "hard link",
  "directory fsync",
  "free space",
  "lock",
];

function failed(results: readonly CheckResult[]): string[] {
  for (const { ok: held, fix, name } of results) assert.equal(fix === null, held, name);
  return results.filter((result) => !result.ok).map(({ name }) => name);
}

function detail(results: readonly CheckResult[], name: string): string {
  return results.find((result) => result.name === name)?.detail ?? "";
}

Deno.test("a sound root passes every proof, and keeps a probe pair and a probe of modes", async () => {
  using test = new TestStorage();
  const before = describeTree(test.root);
  const results = await checkRoot(test.root, { storage: "hot" });
  assert.deepEqual(results.map(({ name }) => name), NAMES);
  assert.deepEqual(failed(results), []);
  const more = describeTree(test.root).filter((line) => !before.includes(line));
  assert.equal(more.length, 3);
  assert.ok(more.every((line) => line.startsWith(".omoide/probe/")));
});

Deno.test("a root can be checked while a worker holds it, which keeps it", async () => {
  using test = new TestStorage();
  await test.open();
  const results = await checkRoot(test.root, { storage: "hot" });
  assert.deepEqual(failed(results), []);
  assert.equal(detail(results, "lock"), "a worker holds the storage");
});

Deno.test("a root that is none, or another's, is told at once and left alone", async () => {
  using test = new TestStorage();
  using scratch = new Scratch("memory");
  Deno.symlinkSync(test.root, `${scratch.path}/link`);
  const before = describeTree(test.root);
  for (
    const [root, storage] of [
      [`${test.root}/none`, "hot"],
      [test.root, "cold"],
      ["relative", "hot"],
      [`${scratch.path}/link`, "hot"],
      ["/a,b", "hot"],
    ] as const
  ) assert.deepEqual(failed(await checkRoot(root, { storage })), ["identity"], root);
  assert.deepEqual(describeTree(test.root), before);
});

Deno.test("a skeleton that is not whole is told, with what is missing", async () => {
  using test = new TestStorage();
  Deno.removeSync(test.at("preview"));
  const results = await checkRoot(test.root, { storage: "hot" });
  assert.deepEqual(failed(results), ["skeleton"]);
  assert.ok(detail(results, "skeleton").startsWith("preview missing"));
});

Deno.test("each thing that a file system lacks is told by its own proof", async () => {
  const lacks: Record<string, string[]> = {
    openNew: ["exclusive create"],
    syncData: ["fdatasync"],
    sync: ["directory fsync"],
    link: ["names", "hard link"],
    tryLock: ["lock"],
  };
  for (const [name, expected] of Object.entries(lacks)) {
    using test = new TestStorage();
    const fault = new Fault();
    fault.set((call) => call.name === name ? "ENOTSUP" : null);
    assert.deepEqual(failed(await checkRoot(test.root, { storage: "hot" }, fault)), expected, name);
  }
});

Deno.test("a read-only or foreign place for public names is told, though nothing is made there", async () => {
  for (const code of ["EROFS", "EXDEV", "EACCES"]) {
    using test = new TestStorage();
    const fault = new Fault();
    fault.set(({ name, path }) =>
      name === "link" && path === test.at("thumbnail/never") ? code : null
    );
    assert.deepEqual(failed(await checkRoot(test.root, { storage: "hot" }, fault)), ["names"]);
  }
});

Deno.test("a file system that overwrites what exists is refused", async () => {
  using test = new TestStorage();
  const results = await checkRoot(test.root, { storage: "hot" }, {
    calls: {
      ...fileCalls,
      openNew: (path, mode) =>
        Deno.openSync(path, { write: true, create: true, truncate: true, mode }),
    },
  });
  assert.deepEqual(failed(results), ["exclusive create"]);
});

Deno.test("a umask that takes what readers need is told", async () => {
  // Of these only the first takes anything from a file: the others lock readers out of directories alone.
  for (const umask of [0o077, 0o037, 0o050, 0o010]) {
    using test = new TestStorage();
    const results = await checkRoot(test.root, { storage: "hot" }, { calls: maskedCalls(umask) });
    assert.deepEqual(failed(results), ["mode bits"], umask.toString(8));
  }
  using test = new TestStorage();
  const fine = await checkRoot(test.root, { storage: "hot" }, { calls: maskedCalls(0o027) });
  assert.deepEqual(failed(fine), []);
});

Deno.test("a disk that is fuller than its reserve allows is told with figures", async () => {
  using test = new TestStorage();
  const results = await checkRoot(test.root, { storage: "hot" }, { reserve: { bytes: 2 ** 60 } });
  assert.deepEqual(failed(results), ["free space"]);
  assert.ok(/are free, 1024 PiB .* reserve/.test(detail(results, "free space")));
});

Deno.test("another user than the owner is told so", async () => {
  using test = new TestStorage();
  const { uid } = Deno;
  Deno.uid = () => 12345;
  try {
    assert.deepEqual(failed(await checkRoot(test.root, { storage: "hot" })), ["user"]);
  } finally {
    Deno.uid = uid;
  }
});
