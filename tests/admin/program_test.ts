import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import type { Command } from "commander";
import { Console } from "../../src/admin/console.ts";
import { buildProgram } from "../../src/admin/program.ts";
import { parseSize, showBytes, showDuration } from "../../src/units.ts";
import { admin } from "./support/run.ts";
import { identityOf, makeMedia, makeStorage, plant } from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-program-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));

Deno.test("every command has help with examples and exit statuses, and --json", () => {
  const program = buildProgram(() => {});
  const commands = program.commands.flatMap((group) => group.commands);
  const shown = commands.filter((command) => command.name() !== "serve");
  assert.ok(shown.length >= 25, `${shown.length}`);
  for (const command of shown) {
    const help = helpOf(command);
    for (const part of ["Examples:\n  ", "Exit status:\n    0  ", "  130  ", "--json"]) {
      assert.ok(help.includes(part), `${command.name()} has no ${JSON.stringify(part)}:\n${help}`);
    }
  }
});

Deno.test("the README has a row for every command, and no other", async () => {
  const readme = await Deno.readTextFile(new URL("../../src/admin/README.md", import.meta.url));
  const rows = [...readme.matchAll(/^\| `(\w+ [\w-]+)` +\| /gm)].map(([, command]) => command);
  const commands = buildProgram(() => {}).commands.flatMap((group) =>
    group.commands.map((command) => `${group.name()} ${command.name()}`)
  ).filter((command) => command !== "storage serve");
  assert.deepEqual(rows.sort(), commands.sort());
});

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (more) => text += more });
  command.outputHelp();
  return text;
}

Deno.test("a wrong command line is one line and exit status 2", async () => {
  for (
    const args of [["nope"], ["storage", "verify"], ["storage", "verify", "/", "--nope"], [
      "inbox",
      "status",
    ]]
  ) {
    const ran = await admin(args);
    assert.equal(ran.code, 2, args.join(" "));
    assert.match(ran.stderr, /^omoide-admin: .*; see --help\n$/);
    assert.equal(ran.stdout, "");
  }
});

Deno.test("nothing but src/storage/admin can remove, rename or overwrite a file", async () => {
  const calls = /\b(unlink|rename|rm|rmdir|remove|truncate|ftruncate)(Sync)?\(/;
  const source = new URL("../../src/", import.meta.url).pathname;
  const found: string[] = [];
  async function look(directory: string): Promise<void> {
    for await (const { name, isDirectory } of Deno.readDir(directory)) {
      const path = `${directory}${name}`;
      if (isDirectory) await look(`${path}/`);
      else if (name.endsWith(".ts") && calls.test(await Deno.readTextFile(path))) {
        found.push(path.slice(source.length));
      }
    }
  }
  await look(source);
  assert.deepEqual(found.filter((path) => !path.startsWith("storage/admin/")), []);
  assert.deepEqual(found.sort(), [
    "storage/admin/forget_timelines.ts",
    "storage/admin/guarded_tree.ts",
    // storage.json, which says what is mounted there.
    "storage/admin/init_root.ts",
    "storage/admin/journal.ts",
    "storage/admin/purge.ts",
    "storage/admin/quarantine.ts",
    "storage/admin/sweep.ts",
  ]);
});

Deno.test("Ctrl-C ends a verification with what it has found, and it goes on from there", async () => {
  const root = makeStorage(parent, identityOf("slow", randomUUID()));
  for (let i = 0; i < 400; i++) plant(root, makeMedia({ bytes: randomBytes(10_000) }));
  const state = `${parent}/state`;
  const verify = ["storage", "verify", root, "--resume", state];
  const watcher = Deno.watchFs(parent, { recursive: false });
  const main = new URL("../../src/admin/main.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, ...verify, "--rate", "1M"],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  for await (const event of watcher) {
    if (event.paths.includes(state) && lines(state) > 3) break;
  }
  child.kill("SIGINT");
  const { code, stdout } = await child.output();
  assert.equal(code, 130);
  assert.match(
    new TextDecoder().decode(stdout),
    /^STOPPED after \d+ objects .*; run it again to continue\.\n$/,
  );
  const done = lines(state);
  const ran = await admin(verify);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /GOOD: slow is intact: 400 objects/);
  assert.ok(lines(state) > done);
});

function lines(file: string): number {
  try {
    return Deno.readTextFileSync(file).split("\n").length;
  } catch {
    return 0;
  }
}

Deno.test("a reader that goes ends a command quietly, as any filter", async () => {
  const root = makeStorage(parent, identityOf("read", randomUUID()));
  // More than a pipe holds, so that the command is still writing when its reader has gone.
  for (let i = 0; i < 1000; i++) plant(root, makeMedia({ bytes: randomBytes(10) }));
  const main = new URL("../../src/admin/main.ts", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: [
      ...[
        "-c",
        '"$1" run -A --no-check "$2" storage manifest "$3" | head -1; echo ${PIPESTATUS[0]}',
      ],
      ...["bash", Deno.execPath(), main, root],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assert.match(decoder.decode(stdout), /^# omoide manifest 1 .*\n141\n$/);
  assert.equal(decoder.decode(stderr), "");
});

Deno.test("progress with rate and time left is drawn on a terminal only", () => {
  const drawn: string[] = [];
  const write = Deno.stderr.writeSync;
  Deno.stderr.writeSync = (bytes) => {
    drawn.push(new TextDecoder().decode(bytes));
    return bytes.length;
  };
  try {
    new Console(false, false).progress("verifying", 5, 10, "bytes");
    assert.deepEqual(drawn, []);
    new Console(false, true).progress("verifying", 512 * 1024, 1024 * 1024, "bytes");
  } finally {
    Deno.stderr.writeSync = write;
  }
  assert.match(drawn.join(""), /^\rverifying: 512 KiB, [\d.]+ [KMGTP]iB\/s, 50 %, 0 s left/);
});

Deno.test("sizes and times are read and shown as people write them", () => {
  for (
    const [text, bytes] of [
      ["0", 0],
      ["4096", 4096],
      ["200K", 200_000],
      ["1.5GiB", 1_610_612_736],
      ["5 GiB", 5 * 1024 ** 3],
      ["7mb", 7_000_000],
    ] as const
  ) assert.equal(parseSize(text), bytes);
  for (const text of ["", "-1", "1X", "GiB", "1e3"]) assert.equal(parseSize(text), null);
  assert.equal(showBytes(999), "999 B");
  assert.equal(showBytes(1_610_612_736), "1.5 GiB");
  assert.equal(showDuration(59.6), "60 s");
  assert.equal(showDuration(3 * 3600 + 600), "3 h 10 min");
  assert.equal(showDuration(3 * 86400 + 7200), "3 d 2 h");
});
