/** What the READMEs say of codes, options, flags and each other is so. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { SCENARIOS } from "../scripts/bench/scenarios.ts";
import { takeBuildOptions } from "../scripts/lib/compile/build_options.ts";
import { buildProgram } from "../src/admin/program.ts";
import { EXIT } from "../src/exit_codes.ts";
import { SQLSTATE } from "../src/inbox/sqlstates.ts";
import { parseGatewayOptions } from "../src/gateway/options.ts";
import { parseMonitorOptions } from "../src/monitor/options.ts";
import { parseScrubOptions } from "../src/scrub/options.ts";
import { parseWorkerOptions } from "../src/worker/options.ts";
import { permissionFlags, workerNeeds } from "../src/sandbox.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));
const readme = read("../README.md");
const workerReadme = read("../src/worker/README.md");

Deno.test("the README lists every SQLSTATE that an application can meet, and no other", () => {
  const listed = [...readme.matchAll(/^\| `(OM\d{3})` +\|/gm)].map(([, code]) => code);
  const raised = Object.values(SQLSTATE).filter((code) => code < "OM020");
  assert.deepEqual(listed, raised);
});

Deno.test("the README lists every exit status of a worker, and no other", () => {
  const listed = [...readme.matchAll(/^\| (\d) +\| /gm)].map(([, code]) => Number(code));
  const ofWorkers = [EXIT.OK, EXIT.UNEXPECTED, EXIT.USAGE, EXIT.TRY_AGAIN, EXIT.CONFIGURATION];
  assert.deepEqual(listed, [...ofWorkers, EXIT.DISTRUSTED, EXIT.INCOMPLETE]);
});

Deno.test("the worker's README names every option of a worker", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../main.ts", import.meta.url).pathname, "--help"],
  }).output();
  const options = [...new TextDecoder().decode(stdout).matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)]
    .map(([, option]) => option ?? "").filter((option) =>
      !["--version", "--help"].includes(option)
    );
  assert.ok(options.length >= 14, `${options}`);
  assert.deepEqual(options.filter((option) => !workerReadme.includes(`| \`${option}\` `)), []);
});

Deno.test("the worker's README shows the flags that a worker runs with", () => {
  const flags = permissionFlags(
    workerNeeds({ root: "ROOT", database: { hosts: [{ host: "HOST", port: 0 }] } }),
  );
  const shown = workerReadme.replaceAll(/\s+/g, " ");
  for (const flag of flags) assert.ok(shown.includes(flag.replace("HOST:0", "HOST:PORT")), flag);
});

Deno.test("both commands are on the first screen of the README, which is a front door", () => {
  const lines = readme.split("\n");
  for (const task of ["demo", "test"]) {
    const line = lines.indexOf(`    npx -y deno@2.9.6 task ${task}`);
    assert.ok(line >= 0 && line < 40, `${task} is on line ${line + 1}`);
  }
  assert.ok(lines.length <= 185, `${lines.length} lines`);
});

Deno.test("each program's command line in a document is one that the program takes", () => {
  const parsers: Readonly<Record<string, (args: readonly string[]) => unknown>> = {
    worker: parseWorkerOptions,
    scrub: parseScrubOptions,
    monitor: parseMonitorOptions,
    gateway: parseGatewayOptions,
  };
  const tried = new Set<string>();
  for (const document of documentsBelow(".")) {
    const lines = read(`../${document}`).replaceAll(/ \\\n +/g, " ")
      .matchAll(/^(?: {4})?deno task (?:compile-)?(\w+) ([^…\n]+)$/gm);
    for (const [line, task = "", words = ""] of lines) {
      const program = task === "compile" ? "worker" : task;
      const parse = parsers[program];
      if (parse === undefined) continue;
      const args = words.replaceAll("$PWD", "/home/me").split(/ +/);
      assert.doesNotThrow(() => parse(takeBuildOptions(args).rest), line);
      tried.add(line.includes("compile") ? `compile ${program}` : program);
    }
  }
  const programs = Object.keys(parsers);
  assert.deepEqual(
    [...tried].sort(),
    [...programs.map((name) => `compile ${name}`), ...programs].sort(),
  );
});

Deno.test("every link between the documents leads to a file, and to a heading of it", () => {
  const documents = documentsBelow(".");
  assert.ok(documents.length >= 7, `${documents}`);
  for (const document of documents) {
    const links = [
      ...read(`../${document}`).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g),
    ];
    for (const [link, path = "", heading] of links) {
      const target = path === "" ? document : join(dirname(document), path);
      const text = read(`../${target}`);
      if (heading === undefined) continue;
      const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => anchorOf(title));
      assert.ok(anchors.includes(heading), `${document}: ${link} leads nowhere`);
    }
  }
});

Deno.test("CONTRIBUTING lists every task, and no other", () => {
  const rows = read("../CONTRIBUTING.md").matchAll(/^\| (`deno task .*?`) +\| /gm);
  const listed = [...rows].flatMap(([, tasks = ""]) =>
    [...tasks.matchAll(/`(?:deno task )?([\w:-]+)`/g)].map(([, task]) => task)
  );
  const { tasks } = JSON.parse(read("../deno.json")) as { tasks: Record<string, unknown> };
  // The second table has some of them again, with how long they take.
  assert.deepEqual([...new Set(listed)].sort(), Object.keys(tasks).sort());
});

Deno.test("every file that CONTRIBUTING names is there", () => {
  const named = [...read("../CONTRIBUTING.md").matchAll(/`((?:src|scripts|tests)\/[\w./-]*)`/g)]
    .map(([, path = ""]) => path).filter((path) => !path.includes("NNNN"));
  assert.ok(named.length > 20, `${named}`);
  for (const path of named) Deno.statSync(new URL(`../${path}`, import.meta.url));
});

Deno.test("each of the administrator's commands in a document is there, with its options", () => {
  const groups = buildProgram(() => {}).commands;
  const lines = documentsBelow(".").flatMap((document) => [
    ...read(`../${document}`).replaceAll(/ \\\n +/g, " ")
      .matchAll(/^ *(?:deno task admin|omoide-admin) ([a-z]+) ([a-z-]+)([^|>&;#\n]*)/gm),
  ]);
  assert.ok(lines.length >= 40, `${lines.length}`);
  for (const [line, group, name, rest = ""] of lines) {
    const command = groups.find((each) => each.name() === group)?.commands
      .find((each) => each.name() === name);
    assert.ok(command !== undefined, line);
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
      assert.ok(command.options.some(({ long }) => long === option), line);
    }
  }
});

Deno.test("every measurement that a document names is one of the benchmark", () => {
  const named = documentsBelow(".").flatMap((document) =>
    [...read(`../${document}`).matchAll(/deno task bench [^`\n]*--only ([\w,-]+)/g)]
      .flatMap(([, names = ""]) => names.split(","))
  );
  assert.ok(named.length >= 10, `${named}`);
  const scenarios = new Set(SCENARIOS.map(({ name }) => name));
  assert.deepEqual(named.filter((name) => !scenarios.has(name)), []);
});

/** Every Markdown file of the project, relative to its directory. */
function documentsBelow(directory: string): string[] {
  const here = new URL(`../${directory}/`, import.meta.url);
  return [...Deno.readDirSync(here)].flatMap(({ name, isDirectory }) => {
    if (name === "node_modules" || name.startsWith(".")) return [];
    const path = directory === "." ? name : `${directory}/${name}`;
    if (isDirectory) return documentsBelow(path);
    return name.endsWith(".md") ? [path] : [];
  });
}

/** The anchor that GitHub makes of a heading. */
function anchorOf(title: string): string {
  return title.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}
