/** A scrub that died, and of which nobody would hear: the verdict, the page and the metrics tell. */
import assert from "node:assert/strict";
import { admin, databaseOf } from "../admin/support/run.ts";
import { until } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import { MonitorProcess } from "../monitor/support/monitor_process.ts";
import { startScrub } from "./support/scrub_process.ts";
import { store } from "./support/stored.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });

const LOOKED = /Hot was last looked at .* and last read to its end .*; cold was last looked at/;

Deno.test("a scrub that died weeks ago is attention everywhere, until one has looked again", async () => {
  await using world = await template().world();
  await store(world, 3);
  const hot = await startScrub(world);
  const cold = await startScrub(world, { storage: "cold" });
  await using monitor = await MonitorProcess.start(world);
  await monitor.becomes(
    "/healthz",
    ({ status, text }) => status === 200 && /^SAFE: every /.test(text) && LOOKED.test(text),
  );
  await hot.kill();
  assert.equal((await cold.stop()).code, 0);

  // Seventy days go by.
  await world.query(
    "UPDATE omoide.look l SET last_started_at = last_started_at - a.age, finished_at = finished_at - a.age, " +
      "seen_at = seen_at - a.age FROM (SELECT interval '70 days' AS age) a, omoide.storage s " +
      "WHERE s.id = l.storage_id AND s.name = 'hot'",
  );
  await world.query(
    "UPDATE omoide.storage SET required_since = required_since - interval '70 days'",
  );
  const names = "the names of hot were last looked at 70 d 0 h ago";
  const bytes = "hot was last read to its end 70 d 0 h ago, and should be every 30 d 0 h";
  const { code, stdout } = await admin(["inbox", "status", ...databaseOf(world)]);
  assert.equal(code, 8, stdout);
  for (const line of [names, bytes]) {
    assert.ok(stdout.includes(`! ${line}; start omoide-scrub@hot, or see its journal`), stdout);
  }
  assert.ok(!stdout.includes("names of cold"), stdout);
  await monitor.becomes(
    "/healthz",
    ({ status, text }) => status === 503 && /^ATTENTION/.test(text),
  );
  const page = (await monitor.get("/")).text.replace(/\s+/g, " ");
  assert.ok(page.includes(names) && page.includes(bytes), page);
  const metrics = (await monitor.get("/metrics")).text;
  assert.ok(ageIn(metrics, "last_full_read") >= 70 * 86_400);
  assert.ok(ageIn(metrics, "last_look") >= 70 * 86_400);
  assert.match(metrics, /^omoide_verdict\{verdict="attention"\} 1$/m);

  await using again = await startScrub(world);
  await monitor.becomes("/healthz", ({ status, text }) => status === 200 && LOOKED.test(text));
  await until("metrics are fresh", async () => {
    const { text } = await monitor.get("/metrics");
    return ageIn(text, "last_full_read") < 86_400 && ageIn(text, "last_look") < 86_400;
  });
  assert.equal((await again.stop()).code, 0);
});

function ageIn(metrics: string, name: string): number {
  const line = new RegExp(`^omoide_storage_${name}_age_seconds\\{storage="hot"\\} (.*)$`, "m");
  return Number(line.exec(metrics)?.[1]);
}
