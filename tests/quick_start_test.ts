/** The README's quick start, run from it. */
import assert from "node:assert/strict";
import { TOP } from "./support/module_graph.ts";
import { startPostgres } from "./support/postgres.ts";

const readme = Deno.readTextFileSync(`${TOP}README.md`);
const chapter = readme.split("\n## Quick start\n")[1]?.split("\n## ")[0] ?? "";
const commands = [...chapter.matchAll(/^ {4}(.+)$/gm)].map(([, line = ""]) => line);

/** What `deno task` runs, by the task's name: it would run it in the project's directory. */
const { tasks } = JSON.parse(Deno.readTextFileSync(`${TOP}deno.json`)) as {
  tasks: Record<string, { command: string }>;
};
const run = (task: string) =>
  tasks[task]?.command.replace(/^deno run -A /, `"${Deno.execPath()}" run -A --no-check ${TOP}`);

/** Runs lines of the chapter in a directory. @returns what they said */
async function follow(lines: readonly string[], directory: string, database: string) {
  const script = `
    set -e
    deno() { "$@"; }
    task() { "task_$@"; }
    task_admin() { ${run("admin")} "$@"; }
    task_worker() { ${run("worker")} "$@"; }
    ${lines.join("\n")}`;
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: [
      "-c",
      script.replaceAll("/srv/omoide", directory).replaceAll("postgres@db.lan/omoide", database)
        .replaceAll("db.lan/omoide", database.replace(/.*@/, "")),
    ],
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const said = decoder.decode(stdout) + decoder.decode(stderr);
  assert.equal(code, 0, said);
  return said;
}

Deno.test("who follows the quick start has an upload in two storages, and SAFE", async () => {
  await using pg = await startPostgres({ auth: "scram-sha-256" });
  const name = await pg.createDatabase();
  const database = pg.url(name).replace("postgres://", "");
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-quick-start-" }));
  try {
    for (const root of ["hot", "cold"]) await Deno.mkdir(`${directory}/${root}`);
    const worker = commands.findIndex((line) => line.startsWith("deno task worker "));
    assert.ok(worker > 0 && worker < commands.length - 1, commands.join("\n"));
    await follow(commands.slice(0, worker), directory, database);
    const client = await pg.connect(name);
    await client.query(
      "SELECT omoide.submit_media(gen_random_uuid(), gen_random_uuid(), 'content', 'jpg', 'bytes')",
    );
    const hot = commands[worker] ?? "";
    const workers = [hot, hot.replaceAll("hot", "cold")];
    await follow(workers.map((line) => `${line} --check`), directory, database);
    await follow(workers.map((line) => `${line} --once`), directory, database);
    assert.match(
      await follow(commands.slice(worker + 1), directory, database),
      /\nSAFE: every media is in all 2 storages/,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
