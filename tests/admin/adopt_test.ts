/** `storage adopt` of trees as people have them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { run } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";
import { Random } from "../lab/random.ts";
import { admin, adminExits, databaseOf } from "./support/run.ts";
import { objectsOf } from "./support/tree.ts";

const template = sharedTemplate();

/** A tree of an earlier installation below a root; the paths of its files. */
function oldTree(root: string, files: number): string[] {
  return Array.from({ length: files }, (_, i) => {
    const item = randomUUID();
    const path = `content/${randomUUID()}/${item.slice(0, 2)}/${item}.jpg`;
    Deno.mkdirSync(`${root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeTextFileSync(`${root}/${path}`, `picture ${i}`);
    return path;
  });
}

Deno.test("a file that a file manager left at the top is named, with what to do", async () => {
  await using world = await template().world();
  const root = `${world.root("hot")}-mac`;
  oldTree(root, 2);
  Deno.writeTextFileSync(`${root}/.DS_Store`, "x");
  const { code, stderr } = await admin([
    ...["storage", "adopt", root, "--name", "mac"],
    ...["--database", world.server.url(world.database)],
  ]);
  assert.equal(code, 4);
  assert.match(stderr, /it holds \.DS_Store; move that away, and adopt it again/);
});

Deno.test({
  ...requireTools(["chattr"], { root: true }),
  name: "a file that cannot be linked is named and left, and the rest is adopted",
  fn: async () => {
    await using world = await template().world();
    const root = `${world.root("hot")}-immutable`;
    const [immutable = ""] = oldTree(root, 5);
    const adopt = [
      ...["storage", "adopt", root, "--name", "immutable"],
      ...["--database", world.server.url(world.database)],
    ];
    try {
      await run("chattr", "+i", `${root}/${immutable}`);
      try {
        const { code, stdout, stderr } = await admin(adopt);
        assert.equal(code, 6, stderr);
        assert.match(stdout, /INCOMPLETE: 4 files .* adopted/);
        const left = stdout.split("\n").find((line) => line.startsWith("left: ")) ?? "";
        assert.ok(left.startsWith(`left: ${immutable} cannot be made the worker's`), left);
        assert.match(left, /is it immutable\? See lsattr, and chattr -i/);
      } finally {
        await run("chattr", "-i", `${root}/${immutable}`);
      }
      const again = await admin(adopt);
      assert.equal(again.code, 0, again.stdout + again.stderr);
      assert.match(again.stdout, /DONE: 1 file .*, 4 were before/);
    } finally {
      await world.query("DROP OWNED BY omoide_immutable; DROP ROLE omoide_immutable");
    }
  },
});

Deno.test("an existing tree becomes a storage without a byte copied, and a stopped run goes on", async () => {
  await using world = await template().world();
  const root = `${world.root("hot")}-old`;
  const random = new Random(6);
  const files = Array.from({ length: 40 }, (_, i) => {
    const item = random.uuid(), owner = random.uuid();
    const type = ["content", "preview", "thumbnail"][i % 3];
    return {
      path: `${type}/${owner}/${item.slice(0, 2)}/${item}.JPG`,
      bytes: random.bytes(500 + i),
    };
  });
  for (const { path, bytes } of files) {
    Deno.mkdirSync(`${root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    Deno.writeFileSync(`${root}/${path}`, bytes, { mode: 0o644 });
  }
  const stray = `${files[0]?.path.slice(0, files[0]?.path.lastIndexOf("/"))}/notes.txt`;
  Deno.writeTextFileSync(`${root}/${stray}`, "mine");
  const inodes = files.map(({ path }) => Deno.lstatSync(`${root}/${path}`).ino);
  const adopt = ["storage", "adopt", root, ...databaseOf(world)];
  try {
    await adminExits(2, ...adopt);
    const ran = await adminExits(6, ...adopt, "--name", "old");
    assert.match(ran.stdout, new RegExp(`left: ${stray} `));
    assert.match(
      ran.stdout,
      /INCOMPLETE: 40 files .* adopted by old, 0 were before, 40 receipts made/,
    );
    assert.deepEqual(files.map(({ path }) => Deno.lstatSync(`${root}/${path}`).ino), inodes);
    Deno.removeSync(`${root}/${stray}`);
    // As a run leaves it that was killed between an object and its receipt, and before an object.
    await world.query(
      "DELETE FROM omoide.stored WHERE media_id IN (SELECT max(id) FROM omoide.media)",
    );
    for (const name of objectsOf(root).slice(0, 5)) {
      Deno.removeSync(`${root}/.omoide/objects/${name}`);
    }
    assert.match(
      (await adminExits(0, ...adopt)).stdout,
      /DONE: 5 files .*, 35 were before, 1 receipt made/,
    );
    await adminExits(0, "storage", "verify", root);
    await adminExits(0, "storage", "compare", root, ...databaseOf(world));
    const receipts = await world.query("SELECT FROM omoide.receipt WHERE storage = 'old'");
    assert.equal(receipts.length, 40);

    // The backup of the same installation: the same media.
    const backup = `${root}-backup`;
    for (const { path, bytes } of files) {
      Deno.mkdirSync(`${backup}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.writeFileSync(`${backup}/${path}`, bytes);
    }
    await adminExits(0, "storage", "adopt", backup, "--name", "older", ...databaseOf(world));
    await adminExits(0, "storage", "compare", root, backup);
    const [media] = await world.query<{ n: string }>("SELECT count(*) AS n FROM omoide.media");
    assert.equal(media?.n, "40");
  } finally {
    for (const role of ["omoide_old", "omoide_older"]) {
      await world.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).catch(() => {});
    }
  }
});
