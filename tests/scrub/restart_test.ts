/** A scrub that ends in the middle of a look goes on where it was, and says nothing of a disk that is away. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { adminExits, databaseOf } from "../admin/support/run.ts";
import { flipBit } from "../admin/support/tree.ts";
import { until } from "../lab/command.ts";
import { KILLED } from "../lab/program_process.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { parentOf } from "../../src/storage/layout.ts";
import { parseStrace, quoted, succeeded } from "../lab/strace.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";
import { openFindings, scrubOnce, startScrub } from "./support/scrub_process.ts";
import { store } from "./support/stored.ts";

const template = sharedTemplate();

const COUNT = 24;
/** 0.1 s for each object. */
const SLOWLY = ["--rate", "32KiB"];

/** Where a look is, as the inbox knows. */
async function lookOf(world: World, depth: "shallow" | "deep") {
  const [look] = await world.query<
    {
      position: string | null;
      under_way: boolean;
      finished_at: string | null;
      files: number;
      findings: number;
    }
  >(
    "SELECT position, started_at IS NOT NULL AS under_way, finished_at::text, finished_files::int AS files, " +
      "finished_findings::int AS findings FROM omoide.look WHERE depth = $1",
    [depth],
  );
  return look ??
    { position: null, under_way: false, finished_at: null, files: null, findings: null };
}

/** The objects that a traced scrub has opened so far, each as often as it was. */
async function opened(log: string): Promise<string[]> {
  return parseStrace(await Deno.readTextFile(log)).filter(succeeded).flatMap(quoted)
    .filter((path) => /\/objects\/..\/[0-9a-f]{64}-/.test(path))
    .map((path) => path.slice(path.indexOf(".omoide")));
}

async function startSlowly(world: World) {
  const log = await world.temporaryFile();
  const scrub = await startScrub(world, { args: SLOWLY, trace: { log, calls: ["openat"] } });
  return { log, scrub };
}

Deno.test({
  ...requireTools(["strace"]),
  name: "interrupted, a scrub reads again no more than it had not told, and misses nothing",
  async fn(t) {
    await using world = await template().world();
    const objects = (await store(world, COUNT)).map(({ object }) => object).sort();
    const wrong = objects[8] ?? "", further = objects[11] ?? "";
    flipBit(join(world.root("hot"), wrong));

    await t.step("by SIGKILL", async () => {
      const first = await startSlowly(world);
      // What it finds it tells at once, and so how far it is.
      await until(
        "it has found what is wrong",
        async () => (await lookOf(world, "deep")).position === wrong,
      );
      await until("it is further", async () => (await opened(first.log)).includes(further));
      await first.scrub.kill();
      const { position } = await lookOf(world, "deep");
      assert.ok(position !== null && position >= wrong && position < further);

      const second = await startSlowly(world);
      await until("the look is at its end", async () => !(await lookOf(world, "deep")).under_way);
      assert.equal((await second.scrub.stop()).code, 0);
      const [before, after] = [await opened(first.log), await opened(second.log)];
      assert.deepEqual(before, objects.slice(0, before.length), "once each, in their order");
      assert.deepEqual(after, objects.filter((object) => object > position));
      const { files, findings } = await lookOf(world, "deep");
      assert.deepEqual({ files, findings }, { files: COUNT, findings: 1 });
      assert.deepEqual(await openFindings(world), [`corrupt: ${wrong}`]);
    });

    await t.step("by SIGTERM, which lets it tell where it is", async () => {
      await world.query(
        "UPDATE omoide.look SET last_started_at = now() - interval '40 days' WHERE depth = 'deep'",
      );
      const first = await startSlowly(world);
      await until("it is further", async () => (await opened(first.log)).includes(further));
      assert.equal((await first.scrub.stop()).code, 0, first.scrub.output);
      const second = await startSlowly(world);
      await until("the look is at its end", async () => !(await lookOf(world, "deep")).under_way);
      assert.equal((await second.scrub.stop()).code, 0);
      const [before, after] = [await opened(first.log), await opened(second.log)];
      assert.deepEqual([...before, ...after], objects);
    });

    await t.step("by SIGHUP, which has it look at every name first", async () => {
      await world.query(
        "UPDATE omoide.look SET last_started_at = now() - interval '40 days' WHERE depth = 'deep'",
      );
      const looks = async () => (await lookOf(world, "shallow")).finished_at;
      const before = await looks();
      const { log, scrub } = await startSlowly(world);
      await until("it is further", async () => (await opened(log)).includes(further));
      scrub.signal("SIGHUP");
      await until("it has looked at every name", async () => await looks() !== before);
      assert.ok((await lookOf(world, "deep")).under_way);
      await until("the look is at its end", async () => !(await lookOf(world, "deep")).under_way);
      assert.equal((await scrub.stop()).code, 0);
      // The corrupt one once more with the names: whether it was repaired.
      const all = await opened(log);
      assert.deepEqual([...new Set(all)], objects);
      assert.equal(all.length, COUNT + 1);
    });

    await t.step("by SIGKILL, before it has heard that its finding is kept", async () => {
      await world.query(
        "UPDATE omoide.look SET last_started_at = now() - interval '40 days' WHERE depth = 'deep'",
      );
      await using wire = FaultyProxy.before(world.server.port);
      const isLost = wire.swallowAnswerTo("omoide.report_findings");
      await using first = await startScrub(world, { port: wire.port });
      await isLost;
      await first.kill();
      const { position } = await lookOf(world, "deep");
      await using second = await startScrub(world);
      await until("the look is at its end", async () => !(await lookOf(world, "deep")).under_way);
      assert.equal((await second.stop()).code, 0);
      const { files, findings } = await lookOf(world, "deep");
      assert.deepEqual({ files, findings }, { files: COUNT, findings: 1 });
      assert.equal(position, wrong);
    });

    await t.step("`--once` whose look `storage verify` has ended begins it again", async () => {
      await using scrub = await startScrub(world, { args: ["--once", ...SLOWLY] });
      await until("it is at it", async () => (await lookOf(world, "deep")).position === wrong);
      await adminExits(8, "storage", "verify", world.root("hot"), ...databaseOf(world));
      assert.equal((await lookOf(world, "deep")).under_way, false);
      assert.equal((await scrub.ended).code, 8, scrub.output);
    });

    await t.step("`--once` begins anew, whatever was under way", async () => {
      await world.query(
        "UPDATE omoide.look SET started_at = now(), position = $1, files = 20",
        [objects[20]],
      );
      assert.equal((await scrubOnce(world)).code, 8);
      assert.equal((await lookOf(world, "deep")).files, COUNT);
    });
  },
});

/** The objects that a traced shallow look has asked for: a receipt's, and not a name's. */
async function asked(log: string): Promise<string[]> {
  const calls = parseStrace(await Deno.readTextFile(log)).filter(succeeded).flatMap(quoted);
  return calls.filter((path) => /\/objects\/..\/[0-9a-f]{64}-/.test(path))
    .map((path) => path.slice(path.indexOf(".omoide")));
}

Deno.test({
  ...requireTools(["strace"]),
  name:
    "ended in the middle of its look at the names, a scrub goes on there and not at the beginning",
  async fn(t) {
    await using world = await template().world();
    const media = await store(world, COUNT);
    assert.equal((await scrubOnce(world)).code, 0);
    const root = world.root("hot"), path = media[12]?.path ?? "";
    const due = (shallow: string) =>
      world.query(
        "UPDATE omoide.look SET position = NULL, started_at = NULL, last_started_at = " +
          "CASE WHEN depth = 'deep' THEN now() ELSE now() - $1::interval END",
        [shallow],
      );
    // The signal comes with the call that looks at this file, for the first or the second time.
    const endedBy = async (signal: "TERM" | "KILL", when: number, at = path) => {
      const inject = [`statx:signal=${signal}:when=${when}`];
      const paths = [join(root, at)];
      const trace = { log: await world.temporaryFile(), calls: ["statx"], inject, paths };
      await using scrub = await startScrub(world, { trace });
      return (await scrub.ended).code;
    };
    const goesOn = async () => {
      const log = await world.temporaryFile();
      await using scrub = await startScrub(world, { trace: { log, calls: ["statx"] } });
      await until("it is at its end", async () => !(await lookOf(world, "shallow")).under_way);
      assert.equal((await scrub.stop()).code, 0, scrub.output);
      return await asked(log);
    };

    await t.step("by SIGTERM, among the receipts", async () => {
      await due("2 days");
      assert.equal(await endedBy("TERM", 1), 0);
      const { position, under_way } = await lookOf(world, "shallow");
      assert.ok(under_way);
      const told = BigInt(/^receipts (\d+)$/.exec(position ?? "")?.[1] ?? 0);
      assert.ok(told >= (media[12]?.id ?? 0n) && told < (media.at(-1)?.id ?? 0n), String(position));
      assert.deepEqual(
        await goesOn(),
        media.filter(({ id }) => id > told).map(({ object }) => object),
      );
      assert.equal((await lookOf(world, "shallow")).files, COUNT, "all of them, over both");
    });

    await t.step("by SIGKILL, among the files", async () => {
      await due("2 days");
      // What it finds it tells at once, and so that it is through with the receipts.
      await Deno.writeTextFile(join(root, "notes.txt"), "a note");
      assert.equal(await endedBy("KILL", 2), KILLED);
      assert.equal((await lookOf(world, "shallow")).position, "names .");
      assert.deepEqual(await goesOn(), []);
      const { files, findings } = await lookOf(world, "shallow");
      assert.deepEqual({ files, findings }, { files: COUNT, findings: 1 });
      assert.deepEqual(await openFindings(world), ["unexpected: notes.txt"]);
      await Deno.remove(join(root, "notes.txt"));
    });

    await t.step("by SIGKILL, in the middle of an owner's directory", async () => {
      await due("2 days");
      // Before all else of that owner, and an owner whose name goes on as no directory in the first one's.
      const owner = path.split("/").slice(0, 2).join("/");
      const strange = [`${owner}!/a/one`, `${owner}/-a/two`, `${owner}/-b/three`];
      for (const each of strange) {
        await Deno.mkdir(join(root, parentOf(each)), { recursive: true });
        await Deno.writeTextFile(join(root, each), "a note");
      }
      assert.equal(await endedBy("KILL", 1, strange[2]), KILLED);
      const { position } = await lookOf(world, "shallow");
      await goesOn();
      assert.equal((await lookOf(world, "shallow")).findings, strange.length, "each counted once");
      assert.deepEqual(await openFindings(world), strange.map((each) => `unexpected: ${each}`));
      assert.equal(position, `names ${owner}/-a`);
    });
  },
});

const VANISHES = [
  { what: "a look at every byte", depth: "deep", call: "begin_look" },
  { what: "a look at the names", depth: "shallow", call: "begin_look" },
  { what: "another look at what was found", depth: "shallow", call: "open_findings" },
] as const;

Deno.test("a disk that vanishes under a scrub ends it, and nothing is found or closed", async (t) => {
  await using world = await template().world();
  const [first] = await store(world, 3);
  assert.ok(first !== undefined);
  const root = world.root("hot");
  flipBit(join(root, first.object));
  assert.equal((await scrubOnce(world)).code, 8);
  const found = await openFindings(world);
  for (const { what, depth, call } of VANISHES) {
    await t.step(`during ${what}`, async () => {
      await world.query(
        "UPDATE omoide.look SET started_at = NULL, last_started_at = now() - " +
          "CASE WHEN depth = $1 THEN interval '40 days' ELSE '0' END",
        [depth],
      );
      await using wire = FaultyProxy.before(world.server.port);
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      wire.onClient = (bytes) => {
        if (!new TextDecoder().decode(bytes).includes(`omoide.${call}`)) return;
        wire.freeze();
        resolve();
      };
      await using scrub = await startScrub(world, { port: wire.port });
      await asked;
      await Deno.rename(root, `${root}.away`);
      await Deno.mkdir(root);
      wire.onClient = () => {};
      wire.thaw();
      await scrub.says(/storage\.json is gone: the disk was unmounted/);
      assert.equal((await scrub.ended).code, 4, scrub.output);
      assert.deepEqual(await openFindings(world), found);
      await Deno.remove(root);
      await Deno.rename(`${root}.away`, root);
    });
  }
});
