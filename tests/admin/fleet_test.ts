/** `fleet status`: one table of many inboxes, in which none hides another. */
import assert from "node:assert/strict";
import { EXIT } from "../../src/exit_codes.ts";
import { type Answer, worstOf } from "../../src/admin/fleet.ts";
import { readFleetList } from "../../src/admin/fleet_list.ts";
import type { InboxStatus } from "../../src/inbox/status/status.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { admin, adminJson } from "./support/run.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

Deno.test("an inbox that gives no answer is unknown, and hides nothing of the others", async () => {
  await using safe = await template().world();
  await using bad = await template().world();
  await safe.submitMany(new Random(1), 3);
  await safe.drainAll();
  // A worker says of itself what it likes.
  await bad.query(
    "INSERT INTO omoide.worker (storage_id, state, reason) " +
      "SELECT id, 'paused', E'\\x1b[2Jfull\\nSAFE: all is well' FROM omoide.storage",
  );
  await safe.query("ALTER ROLE omoide_monitor PASSWORD 'monitor'");
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr as Deno.NetAddr;
  const directory = await Deno.makeTempDir({ prefix: "omoide-fleet-" });
  const list = `${directory}/fleet`;
  await Deno.writeTextFile(`${directory}/monitor.password`, "monitor\n");
  await Deno.writeTextFile(`${directory}/wrong.password`, "wrong\n");
  const address = (database: string) => `postgres://127.0.0.1:${safe.server.port}/${database}`;
  const lines = {
    safe: `tokyo ${address(safe.database)} monitor.password`,
    bad: `kyoto  ${address(bad.database)}\tmonitor.password`,
    silent: `osaka postgres://127.0.0.1:${port}/omoide`,
    missing: `na\u200bra ${address("no_such")} monitor.password`,
    wrong: `kobe ${address(safe.database)} wrong.password`,
    unread: `otaru ${address(safe.database)} no.password`,
  };
  const fleet = async (...names: (keyof typeof lines)[]) => {
    const text = names.map((name) => lines[name]).join("\n");
    await Deno.writeTextFile(list, `# the fleet\n\n${text}\n`);
    return ["fleet", "status", "--list", list, "--within", "3s"];
  };

  const all = await fleet("silent", "safe", "bad", "missing", "wrong", "unread");
  const ran = await admin(all);
  assert.equal(ran.code, EXIT.ATTENTION, ran.stdout + ran.stderr);
  for (
    const line of [
      /^inbox +verdict +in it/,
      /^tokyo +SAFE +0 +0 +- +0 +2$/m,
      /^kyoto +ATTENTION +0 /m,
      /^(osaka|kobe|otaru) +UNKNOWN +\?/m,
      /^! kyoto: hot takes nothing: \\x1b\[2Jfull\\nSAFE/m,
      /^\? osaka: .*(not answered|timeout)/m,
      /^\? na\\u\{200b\}ra: .*does not exist/m,
      /^\? kobe: .*password/m,
      /^\? otaru: .*no\.password/m,
      /^ATTENTION: of 6 inboxes, 1 attention, 4 unknown\.$/m,
    ]
  ) assert.match(ran.stdout, line);
  assert.doesNotMatch(ran.stdout, /^SAFE/m);
  assert.ok(!ran.stdout.includes("\x1b"));
  // As wide as it is shown, which is wider than it is.
  const columns = ran.stdout.split("\n").slice(0, 7).map((line) => line.search(/(?<= )[A-Zv]/));
  assert.equal(new Set(columns).size, 1, ran.stdout);

  const json = await adminJson<
    { verdict: string; inboxes: { label: string; verdict: string; inbox?: string }[] }
  >(all);
  assert.equal(json.code, EXIT.ATTENTION);
  assert.equal(json.result.verdict, "attention");
  assert.deepEqual(json.result.inboxes.map(({ label, verdict }) => [label, verdict]), [
    ["osaka", "unknown"],
    ["tokyo", "safe"],
    ["kyoto", "attention"],
    ["na\u200bra", "unknown"],
    ["kobe", "unknown"],
    ["otaru", "unknown"],
  ]);

  for (
    const [names, code, last] of [
      [["safe"], EXIT.OK, /\nSAFE: nothing is missing in any storage of 1 inbox\.\n$/],
      [["safe", "silent"], EXIT.TRY_AGAIN, /\nUNKNOWN: of 2 inboxes, 1 unknown\.\n$/],
      [["safe", "silent", "wrong"], EXIT.CONFIGURATION, /\nUNKNOWN: of 3 inboxes, 2 unknown\.\n$/],
      [["safe", "safe"], EXIT.OK, /\n! tokyo and tokyo are the same inbox\n/],
    ] as const
  ) {
    const ran = await admin(await fleet(...names));
    assert.equal(ran.code, code, ran.stdout + ran.stderr);
    assert.match(ran.stdout, last);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("the worst verdict is the fleet's", () => {
  const status = {} as InboxStatus;
  const known = (word: "safe" | "behind" | "attention", code: 0 | 7 | 8): Answer => ({
    label: word,
    status,
    verdict: { word, code, attention: [], behind: [] },
  });
  const unknown = (code: 1 | 3 | 4): Answer => ({ label: "?", status: null, error: "", code });
  const [safe, behind, attention] = [
    known("safe", 0),
    known("behind", 7),
    known("attention", 8),
  ];
  for (
    const [answers, word, code] of [
      [[safe, safe], "safe", 0],
      [[safe, behind, safe], "behind", 7],
      [[behind, unknown(3), safe], "unknown", 3],
      [[unknown(3), unknown(4), unknown(3)], "unknown", 4],
      [[unknown(4), attention, behind], "attention", 8],
    ] as const
  ) assert.deepEqual(worstOf(answers), { word, code });
});

Deno.test("a list says which of its lines is none", async () => {
  const path = await Deno.makeTempFile({ prefix: "omoide-fleet-" });
  try {
    for (
      const [text, message] of [
        ["", /lists no inbox/],
        ["# nothing\n\n", /lists no inbox/],
        ["postgres://db/a\ntokyo", /line 2: is not \[LABEL\] postgres:/],
        ["a b postgres://db/a", /line 1: is not/],
        ["a postgres://db/a file more", /line 1: is not/],
        ["a postgres://db", /line 1: the address names no database/],
      ] as const
    ) {
      await Deno.writeTextFile(path, text);
      assert.throws(() => readFleetList(path), message);
    }
    await Deno.writeTextFile(path, "a postgres://me:secret@db:1/a\r\npostgres://db/b file\n");
    const [a, b] = readFleetList(path);
    assert.deepEqual([a?.label, a?.password], ["a", "secret"]);
    assert.equal(b?.label, "postgres://omoide_monitor@db:5432/b");
    assert.match(b?.passwordFile ?? "", /\/file$/);
  } finally {
    await Deno.remove(path);
  }
});
