/** Text that others have written (names in a tree, heartbeats, errors, arguments) in every program's output. */
import assert from "node:assert/strict";
import { buildProgram } from "../../src/admin/program.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { admin } from "./support/run.ts";

const template = sharedTemplate();
/** Clears the screen, fills the clipboard, both once more as C1, turns text around, and adds a verdict. */
const HOSTILE = "\x1b[2J\x1b]52;c;QQ==\x07\x9b2J\u202e\u2028\r\nSAFE: every media is in all 2 " +
  "storages (at least 2 are required).";

/** As much of it as a token's label takes. */
const LABEL = HOSTILE.slice(0, 100);

/** A world in which whatever can be written by others is hostile. */
async function hostileWorld(): Promise<World> {
  const world = await template().world();
  await world.submitMany(new Random(1), 4);
  await world.drainAll();
  await world.submitMany(new Random(2), 1);
  await world.query(
    "UPDATE omoide.worker SET last_error = $1, reason = $1, version = $1, state = 'paused'",
    [HOSTILE],
  );
  await world.query("UPDATE omoide.delivery SET last_error = $1, parked_at = now()", [HOSTILE]);
  await world.query(
    "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = $1 WHERE name = 'hot'",
    [HOSTILE],
  );
  await world.query(
    "INSERT INTO omoide.found (storage_id, kind, depth, path, detail) " +
      "SELECT id, 'unexpected', 'shallow', $1, $1 FROM omoide.storage",
    [HOSTILE],
  );
  for (const place of [".omoide", ".omoide/objects/00", "content"]) {
    await Deno.writeTextFile(`${world.root("hot")}/${place}/${HOSTILE}`, "x");
  }
  return world;
}

/** @throws unless the text is shown, and nothing in it acts */
function requireHarmless(what: string, output: string): void {
  assert.match(output, /\\x1b|\\u001b/, `${what} does not show the text at all: ${output}`);
  const acting = /[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u.exec(output);
  assert.equal(acting, null, `${what} prints ${JSON.stringify(acting?.[0])}`);
  assert.doesNotMatch(output, /^SAFE/m, what);
}

Deno.test("no command of the administrator's lets what others wrote act on the terminal", async (t) => {
  await using world = await hostileWorld();
  const database = ["--database", world.server.url(world.database)];
  const hot = world.root("hot"), cold = world.root("cold");
  const identity = JSON.parse(await Deno.readTextFile(`${hot}/.omoide/storage.json`)) as {
    uuid: string;
  };
  const report = `${hot}.report`;
  const findings = [{ kind: "mode", path: `content/${HOSTILE}-gone`, detail: HOSTILE }];
  await Deno.writeTextFile(report, JSON.stringify({ uuid: identity.uuid, findings }));
  const fleet = `${hot}.fleet`;
  await Deno.writeTextFile(fleet, `home ${world.server.url(world.database)}\n`);
  const commands: Record<string, string[]> = {
    "fleet status": ["--list", fleet],
    "inbox init": ["--uuid", HOSTILE, ...database],
    "inbox status": database,
    // The command ends who runs it, once that has said why.
    "inbox watch": ["--on-change", "kill -INT $PPID", "--every", "1s", ...database],
    "inbox findings": database,
    "inbox parked": database,
    "inbox recount": ["--database", `postgres://${HOSTILE}@127.0.0.1/x`],
    "inbox retry": [HOSTILE, ...database],
    "inbox limits": ["--max-inbox-bytes", HOSTILE, ...database],
    "owner freeze": [HOSTILE, ...database],
    "owner show": [HOSTILE, ...database],
    "owner hand-over": [HOSTILE, ...database, "--to", database[1] ?? ""],
    "storage init": [HOSTILE, `${hot}-new`, ...database],
    "storage list": database,
    "storage retire": [HOSTILE, ...database],
    "storage lanes": [HOSTILE, "2", ...database],
    "storage mounts": [hot, `/nowhere/${HOSTILE}`],
    "storage prove": [hot, "--manifest", `/nowhere/${HOSTILE}`],
    "storage manifest": [hot],
    "storage verify": [hot],
    "storage compare": [hot, cold],
    "storage sync": ["--from", hot, "--to", cold, "--owner", HOSTILE],
    "storage repair": [hot, "--from", cold, "--report", report],
    "storage rebuild": [`/nowhere/${HOSTILE}`, ...database],
    "storage replace": [HOSTILE, `${hot}-new`, ...database],
    "storage adopt": [hot, ...database],
    "storage trust": ["hot", "--root", hot, ...database],
    "storage sweep": [`/nowhere/${HOSTILE}`],
    "storage purge": [hot, "--manifest", `/nowhere/${HOSTILE}`],
    "token add": [crypto.randomUUID(), "--label", LABEL, ...database],
    "token list": database,
    "token revoke": [HOSTILE, ...database],
  };
  const all = buildProgram(() => {}).commands.flatMap((group) =>
    group.commands.map((command) => `${group.name()} ${command.name()}`)
  ).filter((command) => command !== "storage serve"); // Speaks to this program alone, by pipes.
  assert.deepEqual(all.sort(), Object.keys(commands).sort(), "a command without a test");
  for (const [command, args] of Object.entries(commands)) {
    for (const json of [[], ["--json"]]) {
      await t.step([command, ...json].join(" "), async () => {
        const { stdout, stderr } = await admin([...command.split(" "), ...args, ...json]);
        // A manifest's fields have tabs between them.
        const result = command === "storage manifest" ? stdout.replaceAll("\t", " ") : stdout;
        requireHarmless(command, result + stderr);
        if (json.length > 0 && stdout !== "") JSON.parse(stdout);
      });
    }
  }
  await t.step("a command line that is no command", async () => {
    requireHarmless("the usage error", (await admin([HOSTILE])).stderr);
  });
});

Deno.test("no worker lets what others wrote act on the terminal", async (t) => {
  await using world = await hostileWorld();
  await t.step("--check", async () => {
    const { code, output } = await world.check("hot");
    assert.equal(code, 5, output);
    requireHarmless("--check", output);
  });
  await t.step("--check of a root with such a name", async () => {
    requireHarmless("--check", (await world.check("hot", { root: `/nowhere/${HOSTILE}` })).output);
  });
  for (const format of ["text", "json"]) {
    await t.step(`its log as ${format}`, async () => {
      const { code, output } = await world.drainOnce("hot", { args: ["--log-format", format] });
      assert.equal(code, 5, output);
      requireHarmless(`the log as ${format}`, output);
      if (format === "json") { for (const line of output.trim().split("\n")) JSON.parse(line); }
    });
  }
  await t.step("its usage error", async () => {
    // Itself, since what starts it with its permissions has to understand its options first.
    const main = new URL("../../main.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", main, "--writers", HOSTILE],
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(code, 2);
    requireHarmless("the usage error", new TextDecoder().decode(stderr));
  });
});
