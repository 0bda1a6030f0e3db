/** A gateway works with the inbox that it is written for, and says so where it is another. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { bytesOf, Gateway, hexOf, stage } from "./support/stage.ts";

const REASONS: readonly (readonly [number, RegExp])[] = [
  [1, /The gateway is older: install the release that ran `inbox init`/],
  [-1, /The database is older: run `inbox init` of the gateway's release/],
];

Deno.test("a migration under a running gateway: refused in words, nothing lost, on again with the right one", () =>
  stage(async ({ gateway, inbox }) => {
    const content = bytesOf(1_000_000);
    const upload = await gateway.open(crypto.randomUUID(), content.length);
    await gateway.patch(upload, 0, content.subarray(0, 400_000), false);
    for (const [step, reason] of REASONS) {
      // What `inbox init` does: last before its commit, it ends the sessions.
      const move = async (by: number) => {
        await inbox.admin.query(
          "UPDATE omoide.settings SET schema_version = schema_version + $1",
          [by],
        );
        await inbox.admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
            "WHERE datname = current_database() AND usename = 'omoide_app'",
        );
      };
      await move(step);
      const refused = await until("it hears of it", async () => {
        const { status, headers, json } = await gateway.send("GET", "/session");
        assert.equal(status, 503);
        // A connection that is just being ended answers in another way, once.
        return headers.get("retry-after") === "30" && json;
      });
      assert.match(refused.title, /needs its administrator/);
      const more = await gateway.patch(upload, 400_000, content.subarray(400_000), true);
      assert.equal(more.status, 503, more.text);
      // Another gateway does not even start.
      await using second = new Gateway(inbox.pg.url(inbox.database, "omoide_app"));
      await assert.rejects(second.start(), reason);
      await move(-step);
      assert.equal((await gateway.send("GET", "/session")).status, 200);
    }
    const last = await gateway.patch(upload, 400_000, content.subarray(400_000), true);
    assert.deepEqual([last.status, last.json.sha256], [201, hexOf(content)]);
    const { code, said } = await gateway.end("SIGTERM");
    assert.equal(code, 0);
    for (const [, reason] of REASONS) {
      // Not once for each request.
      assert.equal(said.split("\n").filter((line) => reason.test(line)).length, 1, said);
    }
  }));

Deno.test("another role's login is refused at the start", () =>
  stage(async ({ inbox }) => {
    await using gateway = new Gateway(inbox.pg.url(inbox.database, "omoide_hot"));
    await assert.rejects(gateway.start(), /The role omoide_hot may not use this inbox/);
  }));
