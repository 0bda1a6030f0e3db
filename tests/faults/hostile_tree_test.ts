/**
 * The administrator's tools, run as root, on the tree of somebody who wants to get from there to root:
 * every command that works on a tree, with a link, a FIFO, a device or another file system at every level
 * of it, there before and swapped in while the command runs. Nothing outside may change, and each command
 * must end by itself with a sentence. Two mechanisms see to that, each with its own test: root's rights are
 * given up before the tree is touched, and the guard stays in the tree. Each test has its control, without
 * the mechanism. `tests/admin/guarded_tree_test.ts` has them for each action of the guard.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { GROUPS } from "../../src/admin/program.ts";
import { flipBit } from "../admin/support/tree.ts";
import { run, until } from "../lab/command.ts";
import { isDeepStrictEqual } from "node:util";
import {
  CommandRunner,
  copyTree,
  type Ended,
  Memory,
  OWNER,
  type Plant,
  PLANTS,
  snapshot,
  Swapper,
} from "../lab/hostile_tree.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";

const MAIN = fileURLToPath(new URL("../../src/admin/main.ts", import.meta.url));
const template = sharedTemplate();
const NEEDS = requireTools(["perl", "setpriv", "mknod", "timeout"], { root: true });
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
  /** What is there. */
  readonly before: readonly string[];
  /** Makes it again as it was. */
  readonly renewOutside: () => Promise<void>;
  /** Gives what is outside, and the other storage, to the tree's owner. */
  readonly giveAll: () => Promise<void>;
  /** Where another file system is mounted. */
  readonly other: string;
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
  WHERE name = 'hot'; INSERT INTO omoide.waiting SELECT id, size, 0 FROM omoide.media`;

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
  name:
    "what is planted, or swapped in meanwhile, leads no command of root's outside, and hangs none",
  fn: async (t) => {
    await using scene = await makeScene();
    const random = new Random(options.seed);

    await t.step("planted", async () => {
      for (const [c, [name, command]] of Object.entries(COMMANDS).entries()) {
        // A process for each attempt: what tries every place in one is the test below.
        const step = options.long || isServer(name) ? 1 : PLACES.length;
        for (let p = c % step; p < PLACES.length; p += step) {
          const plant = plantAt(c + p);
          await using place = await placeFor(scene, command, PLACES[p], plant);
          if (place === null) continue;
          await attempt(scene, name, place, () => runAlone(scene, name, command));
        }
      }
    });

    await t.step("swapped in", async () => {
      for (const [name, command] of Object.entries(COMMANDS)) {
        for (let round = 0; round < times(2, 40); round++) {
          await using place = await placeFor(scene, command, random.pick(PLACES), null);
          if (place === null) continue;
          const kind = random.pick(["a link", "a FIFO"] as const);
          await using _swapper = await Swapper.start(place.path, kind, place.target);
          await attempt(
            scene,
            name,
            { ...place, plant: `${kind} swapped in` },
            () => runAlone(scene, name, command),
          );
        }
      }
    });

    await t.step(
      "each of both mechanisms holds a link alone, and without both it leads out",
      async () => {
        const sweep = COMMANDS["storage sweep"];
        assert.ok(sweep);
        for (const without of [["guard"], ["drop"], ["guard", "drop"]] as const) {
          await using place = await placeFor(
            scene,
            sweep,
            () => ".omoide/probe",
            plantNamed("a link"),
          );
          assert.ok(place);
          await using runner = CommandRunner.start(...without);
          await runner.run(commandLine(scene, "storage sweep", sweep));
          assert.equal(isOutsideSame(scene), without.length === 1, `without ${without}`);
        }
        await scene.renewOutside();
      },
    );

    await t.step("without both, what is swapped in leads out, too", async () => {
      const sweep = COMMANDS["storage sweep"];
      assert.ok(sweep);
      await using runner = CommandRunner.start("guard", "drop");
      for (const [kind, where] of [["a link", "probe"], ["a FIFO", "record.jsonl"]] as const) {
        await until(`${kind} has been met`, async () => {
          await using place = await placeFor(scene, sweep, () => `.omoide/${where}`, null);
          assert.ok(place);
          await using _swapper = await Swapper.start(place.path, kind, place.target);
          let hasEnded = false;
          const ended = runner.run(commandLine(scene, "storage sweep", sweep))
            .then(() => hasEnded = true, () => {});
          const isHanging = () => kind === "a FIFO" && runner.waitsForFifo();
          await until("it has ended, or hangs", () => hasEnded || isHanging());
          if (hasEnded) await ended;
          return kind === "a FIFO" ? !hasEnded : !isOutsideSame(scene);
        });
      }
    });
  },
});

Deno.test({
  ...NEEDS,
  name: "what is planted leads no command outside even where its user could write",
  fn: async (t) => {
    await using scene = await makeScene();
    await scene.giveAll();

    await t.step("planted at every level", async () => {
      let tried = 0;
      for (const [c, [name, command]] of Object.entries(COMMANDS).entries()) {
        // It speaks over standard input; above, it is tried at every place.
        if (isServer(name)) continue;
        await using runner = CommandRunner.start();
        for (const [p, at] of PLACES.entries()) {
          // The short form tries each command at each place, with each plant in turn; the long one all.
          for (const plant of options.long ? PLANTS : [plantAt(c + p)]) {
            await using place = await placeFor(scene, command, at, plant);
            if (place === null) continue;
            await attempt(
              scene,
              name,
              place,
              () => inTime(runner.run(commandLine(scene, name, command))),
            );
            tried++;
          }
        }
      }
      assert.ok(tried > 150, `${tried} tried`);
    });

    for (const { name, at, isMet } of CONTROLS) {
      await t.step(`${name}: the control without the guard does fail`, async () => {
        const sweep = COMMANDS["storage sweep"];
        assert.ok(sweep);
        for (const without of [[], ["guard"]] as const) {
          await using place = await placeFor(scene, sweep, () => at, plantNamed(name));
          assert.ok(place);
          const before = snapshot(scene.other);
          await using runner = CommandRunner.start(...without);
          let ended: Ended | null = null;
          const running = runner.run(commandLine(scene, "storage sweep", sweep))
            .then((end) => ended = end, () => {});
          await until("it has ended, or hangs", () => ended !== null || runner.waitsForFifo());
          if (ended !== null) await running;
          const hasChanged = !isDeepStrictEqual(snapshot(scene.other), before);
          const met = isMet({ scene, ended, hasChanged });
          assert.equal(met, without.length === 1, JSON.stringify(ended));
        }
      });
    }
  },
});

interface Outcome {
  readonly scene: Scene;
  /** Null where it hangs. */
  readonly ended: Ended | null;
  /** Of the other file system. */
  readonly hasChanged: boolean;
}

interface Control {
  readonly name: string;
  readonly at: string;
  /** Whether that is what the plant was for. */
  readonly isMet: (outcome: Outcome) => boolean;
}

/** For each plant a place at which `storage sweep` does harm, or hangs, without the guard. */
const CONTROLS: readonly Control[] = [
  { name: "a link", at: ".omoide/probe", isMet: ({ scene }) => !isOutsideSame(scene) },
  { name: "a FIFO", at: ".omoide/record.jsonl", isMet: ({ ended }) => ended === null },
  {
    name: "a device",
    at: ".omoide/record.jsonl",
    // It is opened and written to; only the fsync after that fails.
    isMet: ({ ended }) => ended !== null && !ended.said.includes("is a special file, not a file"),
  },
  { name: "another file system", at: ".omoide/probe", isMet: ({ hasChanged }) => hasChanged },
];

function plantAt(n: number): Plant {
  const plant = PLANTS[Math.floor(n) % PLANTS.length];
  assert.ok(plant);
  return plant;
}

function plantNamed(name: string): Plant {
  const plant = PLANTS.find((each) => each.name === name);
  assert.ok(plant);
  return plant;
}

const isServer = (name: string) => name === "storage serve";

function isOutsideSame(scene: Scene): boolean {
  return isDeepStrictEqual(snapshot(scene.outside), scene.before);
}

/** A command that does not end is a hang. */
async function inTime<T>(running: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), TIMEOUT_S * 1000);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A place of the tree where something is planted. */
interface Place extends AsyncDisposable {
  /** Relative to the root. */
  readonly name: string;
  readonly path: string;
  /** Its like outside. */
  readonly target: string;
  readonly plant: string;
}

/**
 * Makes tree and database as they were, and plants something.
 *
 * @returns null where this tree has no such place
 */
async function placeFor(
  scene: Scene,
  command: Case,
  at: ((scene: Scene) => string) | undefined,
  plant: Plant | null,
): Promise<Place | null> {
  const name = at?.(scene) ?? "";
  if (!await reset(scene, command, name)) return null;
  const [path, target] = [`${scene.root}/${name}`, `${scene.outside}/${name}`];
  const env = { P: path, V: target, OTHER: scene.other };
  if (plant !== null) await shell(plant.make, env);
  return {
    ...{ name, path, target, plant: plant?.name ?? "nothing" },
    [Symbol.asyncDispose]: async () => {
      if (plant?.undo !== undefined) await shell(plant.undo, env);
    },
  };
}

async function shell(script: string, env: Record<string, string>): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-ec", script],
    env,
    stdin: "null",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** Makes tree and database as they were. @returns whether that place exists there */
async function reset(scene: Scene, command: Case, place: string): Promise<boolean> {
  await copyTree(command.begun ? scene.begun : scene.model, scene.root);
  await scene.world.query(`
    UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL,
      identity = (SELECT identity FROM public.saved WHERE id = omoide.storage.id);
    DELETE FROM omoide.waiting;
    DELETE FROM omoide.delivery;
    DELETE FROM omoide.stored;
    INSERT INTO omoide.stored SELECT * FROM public.saved_stored;
    ${command.sql ?? ""}`);
  return exists(`${scene.root}/${place}`);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Runs one command with one plant; nothing outside may be another afterwards. */
async function attempt(
  scene: Scene,
  command: string,
  { name, plant }: Pick<Place, "name" | "plant">,
  runIt: () => Promise<Ended>,
): Promise<void> {
  const before = snapshot(scene.other);
  const { code, said } = await runIt();
  const what = `${command} with ${plant} at ${name} exits ${code}: ${said}`;
  assert.deepEqual(snapshot(scene.outside), scene.before, what);
  assert.deepEqual(snapshot(scene.other), before, what);
  assert.ok([0, 2, 3, 4, 5, 6, 8].includes(code), what);
  assert.ok(said.trim() !== "" && !/^ {4}at /m.test(said), what);
}

function commandLine(scene: Scene, name: string, command: Case): string[] {
  return [...name.replace(/ \(.*/, "").split(" "), ...command.args(scene)];
}

/** A process of root's for one command. */
async function runAlone(scene: Scene, name: string, command: Case): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: [
      ...["-k", "5", String(TIMEOUT_S), Deno.execPath(), "run", "-A", "--no-check", MAIN],
      ...commandLine(scene, name, command),
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

/**
 * On a file system in memory: each attempt has a fresh copy of the tree, 300 directories, which took more
 * time on a disk than the command.
 */
async function makeScene(): Promise<Scene & AsyncDisposable> {
  const memory = await Memory.mount();
  const world = await template().world({
    hot: `${memory.path}/hot`,
    cold: `${memory.path}/cold`,
  });
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
  const [model, begun, outside] = ["-model", "-begun", "-outside"]
    .map((name) => root + name) as [string, string, string];
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
  const other = `${root}-other`;
  Deno.mkdirSync(other);
  const kept = `${root}-kept`;
  await copyTree(outside, kept);
  let before = snapshot(outside);
  await world.query(`
    CREATE TABLE public.saved AS SELECT id, identity FROM omoide.storage;
    CREATE TABLE public.saved_stored AS SELECT * FROM omoide.stored`);
  const database = ["--database", world.server.url(world.database)];
  return {
    ...{ world, root, model, begun, outside, other, cold, manifest, others, database, ...row },
    get before() {
      return before;
    },
    renewOutside: async () => {
      await copyTree(kept, outside);
      before = snapshot(outside);
    },
    giveAll: async () => {
      await run("chown", "-R", `${OWNER}:${OWNER}`, outside, cold);
      before = snapshot(outside);
    },
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]();
      await memory[Symbol.asyncDispose]();
    },
  };
}
