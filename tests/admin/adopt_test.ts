/** `storage adopt` of trees as people have them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { run } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";
import { admin } from "./support/run.ts";

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
