/**
 * The administrator's tools, run as root, on the tree of somebody who wants to get from there to root:
 * every command that works on a tree, with a link, a FIFO, a device or another file system at every level
 * of it, there before and swapped in while the command runs. Nothing outside may change, and each command
 * must end by itself with a sentence. `tests/admin/guarded_tree_test.ts` has the control: the same actions
 * without the guard do change what is outside.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { GROUPS } from "../../src/admin/program.ts";
import { flipBit } from "../admin/support/tree.ts";
import { run } from "../lab/command.ts";
import { copyTree, OWNER, PLANTS, snapshot, Swapper } from "../lab/hostile_tree.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";

const MAIN = fileURLToPath(new URL("../../src/admin/main.ts", import.meta.url));
const template = sharedTemplate();
const NEEDS = requireTools(["perl", "setpriv", "unshare", "mknod", "timeout"], { root: true });
/** Far above what any of these commands takes, and far below a hang. */
const TIMEOUT_S = 60;

/** A storage to which all of this is done. */
interface Scene {
  readonly world: World;
  /** The tree that its owner makes a trap of, and how it was. */
  readonly root: string;
  readonly model: string;
  /** A storage that was begun and has no identity yet, as `init` and `replace` take it up. */
  readonly begun: string;
  /** A copy of the tree that belongs to root: whatever leads outside leads to its like here. */
  readonly outside: string;
  readonly cold: string;
  readonly manifest: string;
  /** Of the cold storage. */
  readonly others: string;
  readonly database: readonly string[];
  /** Of one media: where its public file and its object are. */
  readonly path: string;
  readonly object: string;
}

interface Case {
  readonly args: (scene: Scene) => readonly string[];
  /** Whether the tree is one that is only begun. */
  readonly begun?: true;
  /** What makes the database fit for it. */
  readonly sql?: string;
}

const DISTRUST = `UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO'
  WHERE name = 'hot'; UPDATE omoide.media SET released_at = NULL`;

const COMMANDS: Readonly<Record<string, Case>> = {
  "storage init": { begun: true, args: (s) => ["hot", s.root, ...s.database] },
  "storage manifest": { args: (s) => [s.root] },
  "storage verify": { args: (s) => [s.root] },
  "storage compare": { args: (s) => [s.root, s.cold] },
  "storage compare (as the second)": { args: (s) => [s.cold, s.root] },
  "storage sync": { args: (s) => ["--from", s.cold, "--to", s.root] },
  "storage sync (as the source)": { args: (s) => ["--from", s.root, "--to", s.cold] },
  "storage repair": { args: (s) => [s.root, "--from", s.cold] },
  "storage repair (as the source)": { args: (s) => [s.cold, "--from", s.root] },
  "storage rebuild": { args: (s) => [s.root, ...s.database] },
  "storage replace": { begun: true, args: (s) => ["hot", s.root, "--yes", ...s.database] },
  "storage adopt": { args: (s) => [s.root, ...s.database] },
  "storage trust": {
    args: (s) => ["hot", "--root", s.root, "--remounted", "--redeliver", ...s.database],
    sql: DISTRUST,
  },
  "storage sweep": { args: (s) => [s.root, "--unknown", "--yes", ...s.database] },
  "storage purge": {
    args: (s) => [s.root, "--manifest", s.manifest, "--count", "6", "--yes", ...s.database],
  },
  "storage prove": { args: (s) => [s.root, "--manifest", s.others] },
  "storage mounts": { args: (s) => [s.root, s.root] },
  "storage serve": { args: (s) => [s.root] },
};

/** Every level of a tree, from the top. */
const PLACES: readonly ((scene: Scene) => string)[] = [
  () => ".omoide",
  () => ".omoide/storage.json",
  () => ".omoide/record.jsonl",
  () => ".omoide/probe",
  () => ".omoide/quarantine",
  () => ".omoide/objects",
  ({ object }) => object.slice(0, ".omoide/objects/00".length),
  ({ object }) => object,
  ({ path }) => path.split("/").slice(0, 1).join("/"),
  ({ path }) => path.split("/").slice(0, 2).join("/"),
  ({ path }) => path.split("/").slice(0, 3).join("/"),
  ({ path }) => path,
];

Deno.test("every command that works on a tree is tried", () => {
  const all = GROUPS.flatMap(({ name, commands }) =>
    commands.filter((command) => command.worksOnTree)
      .map(({ description }) => `${name} ${description.usage.split(" ")[0]}`)
  );
  const tried = new Set(Object.keys(COMMANDS).map((name) => name.replace(/ \(.*/, "")));
  assert.deepEqual([...tried].sort(), all.sort());
});

Deno.test({
  ...NEEDS,
  name: "whatever is planted in a tree leads no command outside, and hangs none",
  fn: async () => {
    await using scene = await makeScene();
    let tried = 0;
    for (const [c, [name, command]] of Object.entries(COMMANDS).entries()) {
      for (const [p, place] of PLACES.entries()) {
        // The short form tries each command at each place, with each plant in turn; the long one all.
        const plants = options.long ? PLANTS : [PLANTS[(c + p) % PLANTS.length]];
        for (const plant of plants) {
          assert.ok(plant);
          if (!await reset(scene, command, place(scene))) continue;
          await attempt(scene, name, command, place(scene), plant.make, plant.name);
          tried++;
        }
      }
    }
    assert.ok(tried > 150, `${tried} tried`);
  },
});

Deno.test({
  ...NEEDS,
  name: "whatever is swapped in while a command runs leads it nowhere either",
  fn: async () => {
    await using scene = await makeScene();
    const random = new Random(options.seed);
    for (const [name, command] of Object.entries(COMMANDS)) {
      for (let round = 0; round < times(3, 40); round++) {
        const place = random.pick(PLACES)(scene);
        if (!await reset(scene, command, place)) continue;
        const kind = random.pick(["a link", "a FIFO"] as const);
        const [path, target] = [`${scene.root}/${place}`, `${scene.outside}/${place}`];
        await using _swapper = await Swapper.start(path, kind, target);
        await attempt(scene, name, command, place, ":", `${kind} swapped in`);
      }
    }
  },
});

/** Makes tree and database as they were. @returns whether that place exists there */
async function reset(scene: Scene, command: Case, place: string): Promise<boolean> {
  await copyTree(command.begun ? scene.begun : scene.model, scene.root);
  await scene.world.query(`
    UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL,
      identity = (SELECT identity FROM public.saved WHERE id = omoide.storage.id);
    UPDATE omoide.media SET released_at = now();
    DELETE FROM omoide.delivery;
    DELETE FROM omoide.stored;
    INSERT INTO omoide.stored SELECT * FROM public.saved_stored;
    ${command.sql ?? ""}`);
  try {
    Deno.lstatSync(`${scene.root}/${place}`);
    return true;
  } catch {
    return false;
  }
}

/** Runs one command as root with one plant; nothing outside may be another afterwards. */
async function attempt(
  scene: Scene,
  name: string,
  command: Case,
  place: string,
  make: string,
  plant: string,
): Promise<void> {
  const before = snapshot(scene.outside);
  const group = name.replace(/ \(.*/, "").split(" ");
  // What is on the other file system is compared in there: its mounts are this shell's alone.
  const script = `set -e
    list() { find "$OTHER" -printf '%p %U %G %m %s %n %T@ %C@\\n' | sort; }
    ${make}
    list >"$OTHER.before"
    code=0
    timeout -k 5 ${TIMEOUT_S} "$@" || code=$?
    list | cmp - "$OTHER.before" >&2 || echo CHANGED >&2
    exit $code`;
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      // Follows what other tests unmount meanwhile, see first_process.sh.
      ...["--mount", "--propagation=slave"],
      ...["sh", "-c", script, "sh", Deno.execPath(), "run", "-A", "--no-check", MAIN],
      ...[...group, ...command.args(scene)],
    ],
    env: {
      NO_COLOR: "1",
      P: `${scene.root}/${place}`,
      V: `${scene.outside}/${place}`,
      OTHER: `${scene.root}-other`,
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const said = decoder.decode(stdout) + decoder.decode(stderr);
  const what = `${name} with ${plant} at ${place} exits ${code}: ${said}`;
  assert.deepEqual(snapshot(scene.outside), before, what);
  assert.ok(!said.includes("CHANGED"), what);
  assert.ok([0, 2, 3, 4, 5, 6, 8].includes(code), what);
  assert.ok(said.trim() !== "" && !/^ {4}at /m.test(said), what);
}

async function makeScene(): Promise<Scene & AsyncDisposable> {
  const world = await template().world();
  await world.submitMany(new Random(options.seed), 6);
  await world.drainAll();
  const [root, cold] = [world.root("hot"), world.root("cold")];
  const [row] = await world.query<{ path: string; object: string }>(
    `SELECT path, '.omoide/objects/' || left(encode(sha256, 'hex'), 2) || '/' ||
      encode(sha256, 'hex') || '-' || media_id AS object
    FROM omoide.receipt WHERE storage = 'hot' ORDER BY size DESC LIMIT 1`,
  );
  assert.ok(row);
  const [manifest, others] = [`${root}.manifest`, `${cold}.manifest`];
  for (const [file, tree] of [[manifest, root], [others, cold]] as const) {
    await Deno.writeTextFile(
      file,
      await run(Deno.execPath(), "run", "-A", "--no-check", MAIN, "storage", "manifest", tree),
    );
  }
  // Something to do for each of them: a corrupt object, orphans, a file that is only in the other.
  flipBit(`${root}/${row.object}`);
  const [old, model, begun, outside] = ["-old", "-model", "-begun", "-outside"]
    .map((name) => root + name) as [string, string, string, string];
  Deno.mkdirSync(`${root}/.omoide/quarantine`, { mode: 0o700 });
  for (
    const path of [
      ".omoide/probe/old",
      ".omoide/quarantine/draft-old",
      `.omoide/objects/ab/${"ab".repeat(32)}-999999`,
      ".omoide/record.jsonl",
    ]
  ) {
    Deno.writeTextFileSync(`${root}/${path}`, "", { mode: 0o600 });
    Deno.utimeSync(`${root}/${path}`, 1000, 1000);
  }
  await copyTree(root, outside);
  await run("sh", "-c", `find "$1" -type f -exec touch -d @1000 {} +`, "sh", outside);
  await copyTree(root, begun);
  await run(
    "sh",
    "-ec",
    `rm "$1/.omoide/storage.json"; rm -rf "$1/.omoide/quarantine" "$1/.omoide/record.jsonl" "$1"/[cpt]*/*
    find "$1/.omoide" -type f -delete`,
    "sh",
    begun,
  );
  await copyTree(root, model);
  await run("chown", "-R", `${OWNER}:${OWNER}`, model, begun);
  Deno.mkdirSync(`${root}-other`);
  await world.query(`
    CREATE TABLE public.saved AS SELECT id, identity FROM omoide.storage;
    CREATE TABLE public.saved_stored AS SELECT * FROM omoide.stored`);
  const database = ["--database", world.server.url(world.database)];
  return {
    ...{ world, root, model, begun, outside, cold, manifest, others, database, ...row },
    [Symbol.asyncDispose]: async () => {
      for (const path of [old, model, begun, outside, `${root}-other`, `${root}-other.before`]) {
        await run("rm", "-rf", path);
      }
      await world[Symbol.asyncDispose]();
    },
  };
}
