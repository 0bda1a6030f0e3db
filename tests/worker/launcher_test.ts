/** `deno task worker`: what stands between a worker from source and whoever started it. */
import assert from "node:assert/strict";
import { run, until } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();
const LAUNCHER = new URL("../../scripts/worker.ts", import.meta.url).pathname;

function launch(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", LAUNCHER, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

function argumentsOf(world: World): string[] {
  const { storage, root, database, passwordFile } = world.plan("hot");
  return [
    ...["--storage", storage, "--root", root, "--password-file", passwordFile],
    ...["--database", `postgres://127.0.0.1:${database.port}/${database.name}`],
  ];
}

/** The worker that a launcher started. */
async function workerOf(launcher: Deno.ChildProcess): Promise<number> {
  return Number(await Deno.readTextFile(`/proc/${launcher.pid}/task/${launcher.pid}/children`));
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`the launcher passes ${signal} on, and ends as its worker does`, async () => {
    await using world = await template().world();
    const launcher = launch([...argumentsOf(world), "--poll-interval", "3600"]);
    let over = false;
    const ended = launcher.output().finally(() => over = true);
    await world.becomes("hot", "idle");
    const worker = await workerOf(launcher);
    try {
      launcher.kill(signal);
      await until("it has ended", () => over);
      const { code, stderr } = await ended;
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      // Only a worker that heard it itself can have said so.
      assert.equal((await world.state("hot")).state, "stopped");
      assert.throws(() => Deno.statSync(`/proc/${worker}`), Deno.errors.NotFound);
    } finally {
      if (!over) await run("kill", "-KILL", String(launcher.pid), String(worker));
    }
  });
}

Deno.test("the launcher passes on with which status its worker ended", async (t) => {
  await using world = await template().world();
  const status = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await launch(args).output();
    return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  await t.step("0 where all is stored", async () => {
    const { code, output } = await status([...argumentsOf(world), "--once"]);
    assert.equal(code, 0, output);
  });
  await t.step("2 for a command line that no worker is started with", async () => {
    const { code, output } = await status([...argumentsOf(world), "--writers", "none"]);
    assert.equal(code, 2, output);
    assert.match(output, /^omoide-worker: .*--writers/m);
  });
  await t.step("5 where the storage is distrusted", async () => {
    await world.query(
      "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' " +
        "WHERE name = 'hot'",
    );
    const { code, output } = await status([...argumentsOf(world), "--once"]);
    assert.equal(code, 5, output);
    assert.match(output, /storage trust hot/);
  });
});
