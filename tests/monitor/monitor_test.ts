/** The monitor in its sandbox before a real inbox: what it says in each state, and in which form. */
import assert from "node:assert/strict";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { adminJson, databaseOf } from "../admin/support/run.ts";
import { requireTools } from "../support/require_tool.ts";
import { MonitorProcess } from "./support/monitor_process.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

const HOSTILE = "<script>alert(1)</script>\u202e\r\nSAFE: \"all\" 'is' well & good";

/** Everything stored, and both workers alive a moment ago. */
async function safe(world: World): Promise<void> {
  await world.submitMany(new Random(1), 3);
  await world.drainAll();
}

/** A worker that is at it, so that what is owed to it only takes time. */
async function atWork(world: World): Promise<void> {
  await world.query("UPDATE omoide.worker SET state = 'storing', seen_at = now()");
}

async function find(world: World, path: string, detail = "is not well"): Promise<void> {
  await world.query(
    "INSERT INTO omoide.found (storage_id, kind, depth, path, detail) " +
      "SELECT id, 'corrupt', 'deep', $1, $2 FROM omoide.storage WHERE name = 'hot'",
    [path, detail],
  );
}

Deno.test("safe, behind, attention, and the database away: page, /healthz and /status.json agree", async () => {
  await using world = await template().world();
  await safe(world);
  await using monitor = await MonitorProcess.start(world);

  await monitor.becomes(
    "/healthz",
    ({ status, text }) =>
      status === 200 && text.startsWith("SAFE: every media is in all 2 storages"),
  );
  const page = await monitor.get("/");
  assert.match(page.text, /<title>Safe – Omoide<\/title>/);
  assert.match(lineOf(page), /Nobody has looked at hot yet; nobody has looked at cold yet\./);

  await world.submitMany(new Random(2), 2);
  await atWork(world);
  await monitor.becomes("/", ({ text }) => text.includes("<title>Behind –"));
  const behind = await monitor.get("/healthz");
  assert.equal(behind.status, 200, "only a person can do something about attention");
  assert.match(behind.text, /^BEHIND/);

  await find(world, "content/lost.jpg");
  const attention = await monitor.becomes("/healthz", ({ status }) => status === 503);
  assert.match(attention.text, /^ATTENTION: 3 things to look at/);
  const found = await monitor.get("/");
  assert.match(lineOf(found), /hot: 1 finding “corrupt”/);
  assert.match(found.text, /<code>storage repair ROOT --from<\/code>/);
  assert.match(found.text, /<code>content\/lost\.jpg<\/code>/);

  monitor.wire.goAway();
  const away = await monitor.becomes("/healthz", ({ text }) => text.startsWith("UNKNOWN"));
  assert.equal(away.status, 503);
  const last = await monitor.get("/");
  assert.equal(last.status, 200);
  assert.match(lineOf(last), /UNKNOWN: .*The last answer, \d+ s ago: ATTENTION/);
  const problem = await monitor.get("/status.json");
  assert.equal(problem.status, 503);
  assert.equal(problem.headers.get("content-type"), "application/problem+json");
  assert.equal(JSON.parse(problem.text).last.verdict, "attention");

  monitor.wire.comeBack();
  await world.query("UPDATE omoide.found SET closed_at = now()");
  await monitor.becomes("/healthz", ({ text }) => text.startsWith("BEHIND"));
  const { code, said } = await monitor.end("SIGTERM");
  assert.equal(code, 0, said);
  assert.match(said, /Cannot reach the database|connection to the database ended/);
  assert.match(said, /the database answers again/);
});

Deno.test("/status.json is what `inbox status --json` prints", async () => {
  await using world = await template().world();
  await safe(world);
  await world.submitMany(new Random(3), 2);
  await find(world, "content/a.jpg");
  await using monitor = await MonitorProcess.start(world);
  // It answers before it has counted what was ever stored.
  const { text } = await monitor.becomes(
    "/status.json",
    ({ status, text }) => status === 200 && JSON.parse(text).storages[0].held === 3,
  );
  const { result } = await adminJson<Record<string, unknown>>([
    ...["inbox", "status", ...databaseOf(world)],
  ]);
  assert.deepEqual(ageless(JSON.parse(text)), ageless(result));
});

/** A page as one reads it: its source's lines end anywhere. */
function lineOf({ text }: { readonly text: string }): string {
  return text.replace(/\s+/g, " ");
}

/** Ages go on between two questions, and whether some transaction is open just then is nobody's answer. */
function ageless(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/\d+ (s|min|h)\b/g, "a while");
  if (Array.isArray(value)) return value.map(ageless);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => key !== "oldestSnapshotAge").map(([key, each]) =>
      /(^a|A)ge$/.test(key) ? [key, each === null ? null : "an age"] : [key, ageless(each)]
    ),
  );
}

Deno.test("what others have written is shown as the text that it is", async () => {
  await using world = await template().world();
  await safe(world);
  await find(world, HOSTILE, HOSTILE);
  await world.query("UPDATE omoide.worker SET state = 'paused', reason = $1", [HOSTILE]);
  await world.query("UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = $1", [
    HOSTILE,
  ]);
  await using monitor = await MonitorProcess.start(world);
  const { text, headers } = await monitor.get("/");
  assert.ok(text.includes("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\r\\nSAFE:"), text);
  for (const raw of ["<script>alert", "\u202e", "\nSAFE"]) {
    assert.ok(!text.includes(raw), `${JSON.stringify(raw)} is on the page as it is`);
  }
  assert.match(
    headers.get("content-security-policy") ?? "",
    /^default-src 'none'; script-src 'self'/,
  );
  const { text: json } = await monitor.get("/status.json");
  assert.ok(!json.includes("\u202e"));
  const health = await monitor.get("/healthz");
  assert.equal(health.text.split("\n").length, 2, "one line, and its end");
});

Deno.test("with a token, only who has it gets an answer, as a bearer or as a browser sends it", async () => {
  await using world = await template().world();
  const sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"; // of: secret
  await using monitor = await MonitorProcess.start(world, ["--token-sha256", sha256]);
  for (const path of ["/", "/metrics", "/healthz", "/status.json", "/style.css", "/nowhere"]) {
    const { status, headers } = await monitor.get(path);
    assert.equal(status, 401, path);
    assert.match(headers.get("www-authenticate") ?? "", /^Basic /);
  }
  const send = async (authorization: string) =>
    (await monitor.get("/metrics", { headers: { authorization } })).status;
  assert.equal(await send("Bearer secret"), 200);
  assert.equal(await send(`Basic ${btoa("anybody:secret")}`), 200);
  for (const wrong of ["Bearer secrets", `Basic ${btoa("secret:")}`, "Bearer", sha256]) {
    assert.equal(await send(wrong), 401, wrong);
  }
});

Deno.test("without a token, a page that has its own name point here is refused", async () => {
  await using world = await template().world();
  await using monitor = await MonitorProcess.start(world);
  const { port } = new URL(monitor.url);
  for (
    const name of [`127.0.0.1:${port}`, "localhost:8000", "LOCALHOST", "[::1]:80", "127.9.9.9"]
  ) {
    assert.equal(await statusUnder(monitor, name), 200, name);
  }
  const foreign = [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1.evil.example",
    "localhost.evil",
  ];
  for (const name of [...foreign, "", "192.168.0.7", "evil.example@localhost"]) {
    assert.equal(await statusUnder(monitor, name), 421, name);
  }
});

/** As a browser sends it, which `fetch` does not let anybody choose. */
async function statusUnder({ url }: MonitorProcess, host: string): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) });
  const request = `GET /status.json HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const answer = await new Response(connection.readable).text();
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

Deno.test("other methods and addresses are refused, with a problem document", async () => {
  await using world = await template().world();
  await using monitor = await MonitorProcess.start(world);
  for (
    const [path, method, status] of [["/", "POST", 405], ["/constructor", "GET", 404]] as const
  ) {
    const got = await monitor.get(path, { method });
    assert.equal(got.status, status);
    assert.equal(got.headers.get("content-type"), "application/problem+json");
  }
  assert.equal((await monitor.get("/healthz", { method: "HEAD" })).text, "");
});

Deno.test({
  ...requireTools(["promtool"]),
  name: "promtool finds nothing wrong in /metrics, which says how fresh everything is",
  async fn() {
    await using world = await template().world();
    await safe(world);
    await world.submitMany(new Random(4), 2);
    await find(world, "content/a.jpg");
    await using monitor = await MonitorProcess.start(world);
    const { text, headers } = await monitor.becomes(
      "/metrics",
      (got) => got.text.includes("omoide_storage_media{"),
    );
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    await promtool(text);
    const value = (series: string) => {
      const line = text.split("\n").find((each) => each.startsWith(`${series} `));
      assert.ok(line !== undefined, `${series} in\n${text}`);
      return Number(line.slice(series.length + 1));
    };
    assert.equal(value("omoide_database_up"), 1);
    assert.equal(value('omoide_verdict{verdict="attention"}'), 1);
    assert.equal(value('omoide_verdict{verdict="safe"}'), 0);
    assert.equal(value('omoide_storage_media{storage="hot"}'), 3);
    assert.equal(value('omoide_storage_owed_media{storage="cold"}'), 2);
    assert.ok(value('omoide_storage_oldest_owed_age_seconds{storage="cold"}') > 0);
    assert.ok(value('omoide_storage_last_beat_age_seconds{storage="cold"}') >= 0);
    assert.ok(value('omoide_storage_last_full_read_age_seconds{storage="cold"}') > 0);
    assert.equal(value('omoide_findings{storage="hot",kind="corrupt"}'), 1);
    assert.equal(value('omoide_findings{storage="hot",kind="receipt_without_file"}'), 0);

    monitor.wire.goAway();
    const away = await monitor.becomes(
      "/metrics",
      (got) => got.text.includes("omoide_database_up 0"),
    );
    await promtool(away.text);
    assert.match(away.text, /omoide_storage_owed_media\{storage="cold"\} 2/);
  },
});

async function promtool(text: string): Promise<void> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stderr } = await child.output();
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(code, 0);
}
