/** The scrub as it is started, in its sandbox, as its own role: what it finds, keeps, and sees mended. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denoArguments } from "../../scripts/lib/program_command.ts";
import { scrubProgram } from "../../scripts/lib/programs.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

interface Item {
  readonly id: bigint;
  readonly path: string;
  readonly object: string;
}

/** Some media, stored in both storages. */
async function stored(world: World, count: number): Promise<Item[]> {
  const random = new Random(7);
  for (let i = 0; i < count; i++) {
    const [ownerUuid, itemUuid] = [random.uuid(), random.uuid()];
    await world.submit(random.bytes(3000 + i), { ownerUuid, itemUuid });
  }
  await world.drainAll();
  const rows = await world.query<{ id: string; path: string; sha256: string }>(
    "SELECT media_id AS id, path, encode(sha256, 'hex') AS sha256 FROM omoide.receipt " +
      "WHERE storage = 'hot' ORDER BY media_id",
  );
  return rows.map(({ id, path, sha256 }) => ({
    ...{ id: BigInt(id), path },
    object: `.omoide/objects/${sha256.slice(0, 2)}/${sha256}-${id}`,
  }));
}

async function scrubOnce(world: World, storage = "hot") {
  const { server, database } = world;
  const url = `postgres://127.0.0.1:${server.port}/${database}`;
  await world.query(`ALTER ROLE omoide_${storage}_scrub PASSWORD 'secret'`);
  const passwordFile = world.plan(storage).passwordFile ?? "";
  const program = scrubProgram([
    ...["--storage", storage, "--root", world.root(storage), "--database", url],
    ...["--password-file", passwordFile, "--once"],
  ]);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: denoArguments(program),
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stderr) };
}

async function open(world: World): Promise<string[]> {
  const rows = await world.query<{ kind: string; path: string }>(
    "SELECT kind, path FROM omoide.finding WHERE storage = 'hot' AND closed_at IS NULL",
  );
  return rows.map(({ kind, path }) => `${kind}: ${path}`).sort();
}

Deno.test("a sound storage is looked at to its end, and nothing is found", async () => {
  await using world = await template().world();
  await stored(world, 5);
  const { code, output } = await scrubOnce(world);
  assert.equal(code, 0, output);
  const looks = await world.query<{ depth: string; files: string; bytes: string }>(
    "SELECT depth, finished_files AS files, finished_bytes AS bytes FROM omoide.look_status " +
      "WHERE storage = 'hot' ORDER BY depth",
  );
  assert.deepEqual(looks, [
    { depth: "deep", files: "5", bytes: String(5 * 3000 + 10) },
    { depth: "shallow", files: "5", bytes: "0" },
  ]);
});

Deno.test("what is wrong is found, kept once, and closed when it is well again", async () => {
  await using world = await template().world();
  const root = world.root("hot");
  const [flipped, unnamed, gone, cut, sound] = await stored(world, 5) as [
    ...[Item, Item, Item, Item, Item],
  ];
  const bytes = await Deno.readFile(join(root, flipped.object));
  const spoiled = bytes.slice();
  spoiled[1000] = (spoiled[1000] ?? 0) ^ 1;
  await overwrite(join(root, flipped.object), spoiled);
  await Deno.remove(join(root, unnamed.path));
  await Deno.remove(join(root, gone.path));
  await Deno.remove(join(root, gone.object));
  await Deno.chmod(join(root, cut.path), 0o640);
  await Deno.truncate(join(root, cut.path), 10);
  const foreign = sound.path.replace(/[^/]+$/, "notes.txt");
  await Deno.writeTextFile(join(root, foreign), "a note");
  const expected = [
    `corrupt: ${flipped.object}`,
    `corrupt: ${cut.object}`,
    `missing: ${unnamed.path}`,
    `receipt without file: ${gone.path}`,
    `unexpected: ${foreign}`,
    `wrong size: ${cut.path}`,
  ].sort();

  for (let i = 0; i < 2; i++) {
    const { code, output } = await scrubOnce(world);
    assert.equal(code, 8, output);
    assert.deepEqual(await open(world), expected);
  }

  await overwrite(join(root, flipped.object), bytes);
  await Deno.remove(join(root, foreign));
  await Deno.link(join(root, unnamed.object), join(root, unnamed.path));
  assert.equal((await scrubOnce(world)).code, 8);
  assert.deepEqual(
    await open(world),
    expected.filter((each) => [cut.path, cut.object, gone.path].some((p) => each.endsWith(p))),
  );
});

Deno.test("an owner's directory that is gone, and receipts that a storage lied about, are found", async () => {
  await using world = await template().world();
  const items = await stored(world, 3);
  const first = items[0] as Item;
  await Deno.remove(join(world.root("hot"), first.path.split("/").slice(0, 2).join("/")), {
    recursive: true,
  });
  const lie = items[1] as Item;
  await Deno.remove(join(world.root("hot"), lie.path));
  await Deno.remove(join(world.root("hot"), lie.object));
  const { code, output } = await scrubOnce(world);
  assert.equal(code, 8, output);
  assert.deepEqual(await open(world), [
    `missing: ${first.path}`,
    `receipt without file: ${lie.path}`,
  ]);
});

async function overwrite(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.chmod(path, 0o640);
  await Deno.writeFile(path, bytes);
  await Deno.chmod(path, 0o440);
}
