/** Mounts that do not show which names are one file: sshfs, and inode numbers that JavaScript rounds. */
import assert from "node:assert/strict";
import { ForeignMount, type Manner } from "../lab/foreign_mount.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY } from "../lab/recorded_disk.ts";
import { sharedTemplate } from "../lab/template.ts";
import { initRoot } from "../../src/storage/admin/init_root.ts";
import { UNMEASURED } from "../../src/storage/file_systems.ts";
import { readIdentity } from "../../src/storage/identity.ts";
import { requireTools } from "../support/require_tool.ts";
import { admin } from "./support/run.ts";

const template = sharedTemplate();
const NEEDS = requireTools([FUSEPY], { root: true });
const SAYS: Record<Extract<Manner, "large-inodes" | "no-links">, RegExp> = {
  "no-links": /shows no hard links, as sshfs does/,
  "large-inodes": /numbers its files above 2\^53/,
};

for (const manner of ["no-links", "large-inodes"] as const) {
  Deno.test({
    ...NEEDS,
    name:
      `what only reads finds out by reading what a mount hides, the rest refuses it (${manner})`,
    fn: (t) => onSuch(t, manner),
  });
}

async function onSuch(t: Deno.TestContext, manner: keyof typeof SAYS): Promise<void> {
  await using world = await template().world();
  await world.submitMany(new Random(1), 40, () => 500);
  await world.drainAll();
  const hot = world.root("hot"), cold = world.root("cold");
  const seen = `${hot}-seen`;
  await Deno.mkdir(seen);
  const database = ["--database", world.server.url(world.database)];
  // What the mount must not change.
  const before = await admin(["storage", "manifest", hot]);
  const lines = (text: string) => text.split("\n").filter((line) => !line.startsWith("#"));
  initRoot(hot, readIdentity(hot), { mounted: { type: "fuse", accept: UNMEASURED } });
  await using _mount = await ForeignMount.over(hot, seen, manner);

  await t.step("a manifest is the same, and says why it took longer", async () => {
    const { code, stdout, stderr } = await admin(["storage", "manifest", seen]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, SAYS[manner]);
    assert.match(stderr, /found out by reading every file\n$/);
    assert.deepEqual(lines(stdout), lines(before.stdout));
  });
  await t.step("two identical storages are the same", async () => {
    const { code, stdout } = await admin(["storage", "compare", seen, cold]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /SAME: .* 40 files the same/);
  });
  await t.step("a lost storage is restored from it", async () => {
    const empty = `${hot}-empty`;
    await Deno.mkdir(empty, { mode: 0o750 });
    const steps = [
      ["storage", "replace", "cold", empty, "--yes", ...database],
      ["storage", "sync", "--from", seen, "--to", empty],
      ["storage", "rebuild", empty, ...database],
      ["storage", "verify", empty],
      ["storage", "compare", hot, empty],
    ];
    for (const args of steps) {
      const ran = await admin(args);
      assert.equal(ran.code, 0, `${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
    }
  });
  await t.step(
    "whatever goes by links refuses it in one sentence, and has done nothing",
    async () => {
      const manifest = `${hot}.manifest`;
      await Deno.writeTextFile(manifest, before.stdout);
      const receipts = await world.query("SELECT * FROM omoide.receipt ORDER BY media_id, storage");
      for (
        const args of [
          ["verify", seen],
          ["rebuild", seen, ...database],
          ["sweep", seen, "--yes", ...database],
          ["purge", seen, "--manifest", manifest, "--count", "40", "--yes", ...database],
          ["repair", seen, "--from", cold],
          ["sync", "--from", cold, "--to", seen],
          ["adopt", seen, ...database],
        ]
      ) {
        const { code, stdout, stderr } = await admin(["storage", ...args]);
        assert.equal(code, 4, `${args[0]}: ${stdout}${stderr}`);
        assert.match(stderr, SAYS[manner], args[0] ?? "");
        assert.match(stderr, /: run this on the machine that has the disk/);
        assert.doesNotMatch(stdout + stderr, /HARM|^ {4}at /m);
      }
      assert.deepEqual(
        await world.query("SELECT * FROM omoide.receipt ORDER BY media_id, storage"),
        receipts,
      );
      assert.deepEqual(
        lines((await admin(["storage", "manifest", hot])).stdout),
        lines(before.stdout),
      );
    },
  );
  await t.step("--check refuses it for a worker", async () => {
    const { code, output } = await world.check("hot", { root: seen });
    assert.equal(code, 4, output);
    assert.match(output, /^FAIL {2}hard link: /m);
  });
}
