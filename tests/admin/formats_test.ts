/** Worker, scrub and every tool on a storage of many files (`storage init --large`) beside one of few. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denoArguments } from "../../scripts/lib/program_command.ts";
import { scrubProgram } from "../../scripts/lib/programs.ts";
import { ObjectLayout } from "../../src/storage/layout.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { adminExits, databaseOf } from "./support/run.ts";
import { flipBit } from "./support/tree.ts";

const FORMATS = { hot: 2, cold: 1 } as const;
const template = sharedTemplate({ formats: FORMATS });

interface File {
  readonly path: string;
  /** Its object in each storage. */
  readonly objects: Readonly<Record<keyof typeof FORMATS, string>>;
}

async function filesOf(world: World): Promise<File[]> {
  const rows = await world.query<{ id: string; path: string; sha256: string }>(
    "SELECT media_id AS id, path, encode(sha256, 'hex') AS sha256 FROM omoide.receipt " +
      "WHERE storage = 'hot' ORDER BY media_id",
  );
  return rows.map(({ id, path, sha256 }) => {
    const object = (digits: number) => `.omoide/objects/${sha256.slice(0, digits)}/${sha256}-${id}`;
    return { path, objects: { hot: object(3), cold: object(2) } };
  });
}

async function scrubOnce(world: World, storage: string): Promise<number> {
  await world.query(`ALTER ROLE omoide_${storage}_scrub PASSWORD 'secret'`);
  const program = scrubProgram([
    ...["--storage", storage, "--root", world.root(storage), "--once"],
    ...["--database", `postgres://127.0.0.1:${world.server.port}/${world.database}`],
    ...["--password-file", world.plan(storage).passwordFile ?? ""],
  ]);
  const { code } = await new Deno.Command(Deno.execPath(), { args: denoArguments(program) })
    .output();
  return code;
}

Deno.test("storages of both forms hold, show and repair the same", async () => {
  await using world = await template().world();
  const [hot, cold] = [world.root("hot"), world.root("cold")];
  await world.submitMany(new Random(1), 6);
  await world.drainAll();
  await world.requireInvariants();
  const files = await filesOf(world);
  assert.equal(files.length, 6);
  for (const { objects } of files) {
    for (const name of ["hot", "cold"] as const) {
      assert.equal(Deno.lstatSync(join(world.root(name), objects[name])).nlink, 2, objects[name]);
    }
  }
  await adminExits(0, "storage", "compare", hot, cold);

  const [corrupt, lost, kept] = files as [File, File, File];
  flipBit(join(hot, corrupt.objects.hot));
  await adminExits(8, "storage", "verify", hot);
  assert.equal(await scrubOnce(world, "hot"), 8);
  await adminExits(0, "storage", "repair", hot, "--from", cold);
  // Name and object gone: sync brings both, from a storage of the other form.
  for (const path of [lost.path, lost.objects.hot]) Deno.removeSync(join(hot, path));
  await adminExits(0, "storage", "sync", "--from", cold, "--to", hot);
  assert.equal(Deno.lstatSync(join(hot, lost.path)).nlink, 2);
  // Left by an attempt that died.
  const orphan = join(hot, `${kept.objects.hot}.2`);
  Deno.writeFileSync(orphan, new Uint8Array(3), { mode: 0o440 });
  Deno.utimeSync(orphan, 0, 0);
  await adminExits(0, "storage", "sweep", hot, "--yes", ...databaseOf(world));
  assert.throws(() => Deno.lstatSync(orphan), Deno.errors.NotFound);
  await adminExits(0, "storage", "rebuild", hot, ...databaseOf(world));
  await adminExits(0, "storage", "verify", hot);
  assert.equal(await scrubOnce(world, "hot"), 0);
  await adminExits(0, "storage", "compare", hot, ...databaseOf(world));
});

Deno.test("the form of a storage is chosen once", async () => {
  await using world = await template().world();
  const root = join(world.root("hot"), "..", "third");
  const init = ["storage", "init", "third", root, ...databaseOf(world)];
  await adminExits(0, ...init, "--large");
  try {
    assert.equal([...Deno.readDirSync(join(root, ".omoide/objects"))].length, 4096);
    assert.deepEqual(
      JSON.parse(Deno.readTextFileSync(join(root, ".omoide/storage.json"))).format,
      2,
    );
    assert.equal(ObjectLayout.of(2).directories.length, 4096);
    // Run again without it: it is what it is.
    await adminExits(0, ...init);
    const small = ["storage", "init", "cold", world.root("cold"), ...databaseOf(world)];
    const refused = await adminExits(4, ...small, "--large");
    assert.match(refused.stderr, /made without --large/);
  } finally {
    // Roles are the cluster's, and other tests share it.
    await world.query(
      "DROP OWNED BY omoide_third, omoide_third_scrub; DROP ROLE omoide_third, omoide_third_scrub",
    );
  }
});
