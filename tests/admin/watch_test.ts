/** `inbox watch` runs a command when there is something new to look at; `inbox findings`; the scrub's cycle. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { newsOf, type Seen } from "../../src/admin/watch.ts";
import { until } from "../lab/command.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { admin, adminExits, adminJson, databaseOf } from "./support/run.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });
const MAIN = new URL("../../src/admin/main.ts", import.meta.url).pathname;

async function find(world: World, kind: string, path: string): Promise<void> {
  await world.query(
    "INSERT INTO omoide.found (storage_id, kind, depth, path, detail) " +
      "SELECT id, $1, 'shallow', $2, 'is so' FROM omoide.storage WHERE name = 'hot'",
    [kind, path],
  );
}

/** A watch whose command writes what it is given into a file. */
class Watch implements AsyncDisposable {
  #over = false;

  private constructor(
    private readonly directory: string,
    private readonly child: Deno.ChildProcess,
    private readonly output: Promise<Deno.CommandOutput>,
  ) {
    output.then(() => this.#over = true);
  }

  static async start(
    world: World,
    more: readonly string[] = [],
    [, url = ""]: readonly string[] = databaseOf(world),
  ): Promise<Watch> {
    const directory = await world.temporaryDirectory();
    const [mails, fails] = [join(directory, "mails"), join(directory, "fails")];
    // It tries to show a password that is not for it.
    const command = `{ echo "<$OMOIDE_VERDICT$PGPASSWORD>"; cat; } >>${mails}; ` +
      `test ! -e ${fails} || { rm ${fails}; exit 3; }`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", MAIN, "inbox", "watch", "--database", url],
        ...["--every", "1s", "--on-change", command, ...more],
      ],
      env: { PGPASSWORD: "secret" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new Watch(directory, child, child.output());
  }

  /** While there is a file of this name, the command fails, and removes it. */
  get fails(): string {
    return join(this.directory, "fails");
  }

  /** What the command was given so far, each time. */
  async mails(): Promise<string[]> {
    if (this.#over) throw new Error(`the watch ended: ${(await this.end()).said}`);
    try {
      const written = await Deno.readTextFile(join(this.directory, "mails"));
      // One that has no more than its first line is just being written.
      return written.split(/^(?=<\w*>$)/m).filter((mail) => /\n.+\n/.test(mail));
    } catch {
      return [];
    }
  }

  /** As Ctrl-C does. */
  async end(): Promise<{ readonly code: number; readonly said: string }> {
    if (!this.#over) this.child.kill("SIGINT");
    const { code, stderr } = await this.output;
    return { code, said: new TextDecoder().decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

Deno.test("watch runs its command for what is new, again if it failed, and once when all is well", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(1), 2);
  await world.drainAll();
  await using watch = await Watch.start(world);
  // The first time it fails.
  await Deno.writeTextFile(watch.fails, "");
  await find(world, "missing", "content/a\x1b[2J.jpg");
  await until("the failed command was run again", async () => (await watch.mails()).length === 2);
  const [first = "", second] = await watch.mails();
  assert.match(first, /^<attention>\nATTENTION: .*\n! hot: 1 finding “missing”/);
  assert.equal(second?.split("\n")[0], "<attention>");

  // No news: uploads come and go.
  await world.submitMany(new Random(2), 1);
  await world.query("UPDATE omoide.worker SET state = 'storing', seen_at = now()");
  await find(world, "corrupt", "content/b.jpg");
  await until("the second kind was reported", async () => (await watch.mails()).length === 3);
  assert.match((await watch.mails())[2] ?? "", /^<attention>\n(.*\n)*! hot: 1 finding “corrupt”/);

  // A worker says of itself what it likes.
  await world.query(
    "UPDATE omoide.worker SET state = 'paused', reason = E'\\x1b[2Jfull\\nSAFE: all is well', seen_at = now()",
  );
  await until("the reason was reported", async () => (await watch.mails()).length === 4);
  const hostile = (await watch.mails())[3] ?? "";
  assert.match(hostile, /\n! hot takes nothing: \\x1b\[2Jfull\\nSAFE: all is well/);
  assert.doesNotMatch(hostile, /^SAFE/m);

  await world.query("UPDATE omoide.found SET closed_at = now()");
  await world.query("UPDATE omoide.worker SET state = 'storing', reason = NULL, seen_at = now()");
  await until("that all is well was reported", async () => (await watch.mails()).length === 5);
  assert.match((await watch.mails())[4] ?? "", /^<behind>\nBEHIND: nothing is wrong/);
  const { code, said } = await watch.end();
  assert.equal(code, 0, said);
  assert.match(said, /ended with 3; it will be run again/);
});

Deno.test("watch reports that the database has been away for a while, and that it is back", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(4), 2);
  await world.drainAll();
  await using wire = FaultyProxy.before(world.server.port);
  const url = new URL(world.server.url(world.database));
  url.port = String(wire.port);
  await find(world, "missing", "content/a.jpg");
  await using watch = await Watch.start(world, ["--away-after", "2s"], ["--database", url.href]);
  await until("it says what is wrong", async () => (await watch.mails()).length === 1);
  wire.goAway();
  await until("it says that it does not know", async () => (await watch.mails()).length === 2);
  const [, unknown = ""] = await watch.mails();
  assert.match(
    unknown,
    /^<unknown>\nUNKNOWN: the inbox does not answer\.\nCannot reach the database/,
  );
  wire.comeBack();
  await until("it is back", async () => (await watch.mails()).length === 3);
  assert.match((await watch.mails())[2] ?? "", /^<attention>\nATTENTION: /);
  const { code, said } = await watch.end();
  assert.equal(code, 0, said);
});

Deno.test("watch ends at once where asking again cannot help", async () => {
  await using world = await template().world();
  const watch = ["inbox", "watch", "--on-change", "true"];
  await adminExits(2, ...watch, ...databaseOf(world), "--every", "often");
  await adminExits(2, ...watch, ...databaseOf(world), "--away-after", "0s");
  await adminExits(2, "inbox", "watch", ...databaseOf(world));
  const { stderr } = await adminExits(4, ...watch, "--database", world.server.url("postgres"));
  assert.match(stderr, /inbox init/);
});

Deno.test("numbers, ages and what only takes time are no news; a kind, a storage or a reason is", () => {
  const seen = (...lines: string[]): Seen => ({
    word: "attention",
    lines: ["ATTENTION", ...lines],
  });
  const news = (...lines: string[]) => newsOf(seen(...lines));
  assert.equal(
    news("! hot2 was last seen 61 s ago; start it", "- cold is owed 3 media (1.5 KiB)"),
    news("! hot2 was last seen 3 d 4 h ago; start it", "- cold is owed 12,000 media (3 GiB)"),
  );
  assert.notEqual(news("! hot2 takes nothing: full"), news("! hot3 takes nothing: full"));
  assert.notEqual(news("! hot takes nothing: full"), news("! hot takes nothing: read-only"));
  assert.notEqual(news("! a"), news("! a", "! b"));
  assert.equal(newsOf({ word: "safe", lines: ["SAFE"] }), newsOf({ word: "behind", lines: ["B"] }));
});

Deno.test("findings are listed with what helps, escaped, and for whoever only asks", async () => {
  await using world = await template().world();
  const none = await adminExits(0, "inbox", "findings", ...databaseOf(world));
  assert.equal(none.stdout, "0 findings.\n");
  await find(world, "receipt without file", "content/a\x1b[2J\nSAFE: all.jpg");
  await world.query("ALTER ROLE omoide_monitor PASSWORD 'monitor'");
  const url = new URL(world.server.url(world.database, "omoide_monitor"));
  url.password = "monitor";
  const { stdout } = await adminExits(8, "inbox", "findings", "--database", url.href);
  assert.match(stdout, /^hot: receipt without file: content\/a\\x1b\[2J\\nSAFE: all\.jpg is so/);
  assert.match(stdout, /\nWhat helps against “receipt without file”: `storage sync` from another/);
});

Deno.test("the scrub's cycle is set, and off has the verdict say that no scrub is expected", async () => {
  await using world = await template().world();
  await world.submitMany(new Random(3), 1);
  await world.drainAll();
  // As if registered long ago, and never looked at.
  await world.query("UPDATE omoide.storage SET required_since = now() - interval '100 days'");
  const database = databaseOf(world);
  const status = await admin(["inbox", "status", ...database]);
  assert.equal(status.code, 8, status.stdout);
  assert.match(status.stdout, /! the names of hot were not looked at yet; start omoide-scrub@hot/);
  assert.match(status.stdout, /! hot was not read to its end yet, and should be every 30 d 0 h/);

  for (const text of ["soon", "30", "59min", "-1d"]) {
    const { code } = await admin(["inbox", "limits", "--scrub-cycle", text, ...database]);
    assert.ok([2, 4].includes(code), `${text}: ${code}`);
  }
  const { stdout } = await adminExits(0, "inbox", "limits", "--scrub-cycle", "off", ...database);
  assert.match(stdout, /--scrub-cycle off, was 30 d 0 h: /);
  const safe = await admin(["inbox", "status", ...database]);
  assert.equal(safe.code, 0, safe.stdout);
  assert.match(
    safe.stdout,
    /\nSAFE: .* No scrub is expected: `inbox limits --scrub-cycle 30d`/,
  );
  await adminExits(0, "inbox", "limits", "--scrub-cycle", "60d", ...database);
  const { result } = await adminJson<Record<string, number>>(["inbox", "limits", ...database]);
  assert.equal(result["scrub_cycle"], 60 * 86_400);
});
