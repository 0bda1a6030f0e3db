/** Counting the copies of everything that was ever stored, as whoever only looks may. */
import assert from "node:assert/strict";
import { foldHoldings } from "../../src/inbox/admin/counters.ts";
import { inboxTestOn, rowsOf, valueOf } from "./support/inbox_test.ts";

const MEDIA = 300_000;

inboxTestOn([18])(
  "the copies of many media are counted without a place on the disk to sort them",
  async (inbox) => {
    // As the application, the workers and a purge would leave it, in a hundredth of the time.
    await inbox.admin.query("SET session_replication_role = replica");
    await inbox.admin.query(
      `INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext, size, sha256, has_plain_name,
        holds_name, sealed_at)
      SELECT u, u, 'content', 'jpg', 1, sha256(n::text::bytea), true, false, now()
      FROM (SELECT n, md5(n::text)::uuid AS u FROM generate_series(1, ${MEDIA}) n) x`,
    );
    await inbox.admin.query(
      "INSERT INTO omoide.waiting SELECT n, 1, 0 FROM generate_series(1, 10) n",
    );
    await inbox.admin.query(
      `INSERT INTO omoide.stored (storage_id, media_id, outcome)
      SELECT s.id, m.id, 'stored' FROM omoide.storage s, omoide.media m
      WHERE m.id > 10 AND m.id NOT BETWEEN 100 AND 102
        AND (s.name = 'hot' OR m.id <> ${MEDIA} AND m.id NOT BETWEEN 49999 AND 50002)`,
    );
    await inbox.admin.query(
      `SET session_replication_role = origin; ANALYZE omoide.media, omoide.stored;
      INSERT INTO omoide.holding_mark SELECT DISTINCT id >> 12 FROM omoide.media`,
    );
    // The least that a role may have, and none of which is needed.
    await inbox.admin.query("SET temp_file_limit = '1MB'");
    await assert.rejects(
      inbox.admin.query(
        "SELECT count(*) FROM (SELECT media_id, count(*) FROM omoide.stored GROUP BY media_id) x",
      ),
      /temp_file_limit/,
      "at once it takes more",
    );
    const counted = { gone: "3", under_replicated: "5", incomplete: "0" };
    assert.deepEqual(await rowsOf(inbox.admin, "SELECT * FROM omoide.copies"), [counted]);
    await foldHoldings(inbox.admin);
    assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.holding_mark"), 0);
    assert.deepEqual(await rowsOf(inbox.admin, "SELECT * FROM omoide.copies"), [
      { gone: "3", under_replicated: "5", incomplete: "0" },
    ]);
    await inbox.admin.query(
      "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = '' " +
        "WHERE name = 'cold'",
    );
    assert.deepEqual(await rowsOf(inbox.admin, "SELECT * FROM omoide.copies"), [
      { gone: "3", under_replicated: String(MEDIA - 10 - 3), incomplete: "0" },
    ]);
  },
);

inboxTestOn([15, 18])("an inbox without media has no copies to count", async (inbox) => {
  const monitor = await inbox.as("monitor");
  assert.deepEqual(await rowsOf(monitor, "SELECT * FROM omoide.copies"), [
    { gone: "0", under_replicated: "0", incomplete: "0" },
  ]);
});
