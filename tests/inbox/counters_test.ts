/** What `inbox status` reads is what is there, whatever has happened. */
import assert from "node:assert/strict";
import { recount } from "../../src/inbox/admin/counters.ts";
import type { AdminInbox } from "../../src/inbox/admin/inbox.ts";
import { forgetReceipts } from "../../src/inbox/admin/purge.ts";
import { type HeldFile, rebuildReceipts } from "../../src/inbox/admin/rebuild_receipts.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import { retireStorage } from "../../src/inbox/admin/storages.ts";
import { replaceIdentity } from "../../src/inbox/admin/replace.ts";
import { redeliver } from "../../src/inbox/admin/trust.ts";
import { inboxStatus } from "../../src/inbox/status/ask_status.ts";
import { judge } from "../../src/verdict/verdict.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { sqlstateOf } from "../../src/inbox/server_error.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { IDENTITIES, type TestInbox } from "../support/postgres.ts";
import {
  acknowledge,
  inboxTest,
  pendingIds,
  release,
  rowsOf,
  sha256,
  submit,
  valueOf,
} from "./support/inbox_test.ts";

const STEPS = times(150, 3000);

/** An administrator's view of the test's inbox. */
const administrator = (inbox: TestInbox): AdminInbox => ({
  connection: inbox.admin,
  connectAgain: () => inbox.as("postgres"),
  uuid: "",
  minCopies: 2,
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

/** What the views say, and what is counted row by row in the same snapshot. */
async function requireRight(inbox: TestInbox, when: string): Promise<void> {
  const [row] = await rowsOf<{ said: unknown; counted: unknown }>(
    inbox.admin,
    `WITH trusted AS (
      SELECT array_agg(id) AS ids FROM omoide.storage WHERE retired_at IS NULL AND distrusted_at IS NULL
    ), copies AS (
      SELECT (SELECT count(*) FROM omoide.stored r WHERE r.media_id = m.id AND r.storage_id = ANY (ids))
        AS n, cardinality(ids) AS all_of_them
      FROM omoide.media m, trusted WHERE m.id NOT IN (SELECT media_id FROM omoide.waiting)
    )
    SELECT jsonb_build_object(
      'copies', (SELECT to_jsonb(c) FROM omoide.copies c),
      'shared', (SELECT count(*) FROM omoide.shared_paths),
      'held', (SELECT jsonb_object_agg(h.storage, jsonb_build_array(h.media, h.bytes)) FROM omoide.held h),
      'owed', (SELECT jsonb_object_agg(s.storage, jsonb_build_array(s.owed, s.owed_bytes, s.failing, s.parked))
        FROM omoide.storage_status s)
    ) AS said, jsonb_build_object(
      'copies', (SELECT jsonb_build_object('gone', count(*) FILTER (WHERE n = 0),
        'under_replicated', count(*) FILTER (WHERE n = 1),
        'incomplete', count(*) FILTER (WHERE n >= 2 AND n < all_of_them)) FROM copies),
      'shared', (SELECT count(*) FROM (SELECT FROM omoide.receipt GROUP BY storage, path
        HAVING count(DISTINCT sha256) > 1) p),
      'held', (SELECT jsonb_object_agg(name, jsonb_build_array(
        (SELECT count(*) FROM omoide.stored r WHERE r.storage_id = s.id),
        (SELECT coalesce(sum(m.size), 0) FROM omoide.stored r JOIN omoide.media m ON m.id = r.media_id
          WHERE r.storage_id = s.id))) FROM omoide.storage s),
      'owed', (SELECT jsonb_object_agg(name, jsonb_build_array(
        (SELECT count(*) FROM omoide.delivery d WHERE d.storage_id = s.id),
        (SELECT coalesce(sum(m.size), 0) FROM omoide.delivery d JOIN omoide.media m ON m.id = d.media_id
          WHERE d.storage_id = s.id),
        (SELECT count(*) FROM omoide.delivery d
          WHERE d.storage_id = s.id AND d.attempts > 0 AND d.parked_at IS NULL),
        (SELECT count(*) FROM omoide.delivery d WHERE d.storage_id = s.id AND d.parked_at IS NOT NULL)))
        FROM omoide.storage s)
    ) AS counted`,
  );
  assert.deepEqual(row?.said, row?.counted, when);
}

/** Everything that changes what is counted, in any order, also undone and beside open transactions. */
class History {
  readonly #admin: AdminInbox;
  readonly #sessions: Record<string, Connection[]> = {};
  /** Sessions in the middle of a transaction. */
  readonly #open = new Set<Connection>();
  /** Media that some storage has stored since the last release. */
  readonly #stored: string[] = [];
  released = 0;

  constructor(private readonly inbox: TestInbox, private readonly random: Random) {
    this.#admin = administrator(inbox);
  }

  async begin(): Promise<void> {
    await registerStorage(this.inbox.admin, {
      name: "third",
      identity: IDENTITIES.third,
      prefixSize: 2,
    });
    for (const name of ["app", "hot", "cold", "third"]) {
      const sessions = [await this.inbox.as(name), await this.inbox.as(name)];
      for (const session of sessions) await session.query("SET lock_timeout = '10ms'");
      this.#sessions[name] = sessions;
    }
  }

  /** Does something; returns what. What meets another's lock is undone. */
  async step(): Promise<string> {
    const { random } = this;
    const name = random.pick(["app", "app", "app", "hot", "cold", "third", "admin"]);
    if (name === "admin") return await this.#administer();
    const session = random.pick(this.#sessions[name] ?? []);
    if (this.#open.has(session) && random.chance(0.4)) {
      this.#open.delete(session);
      const end = random.pick(["COMMIT", "ROLLBACK"]);
      await session.query(end);
      return `${name}: ${end}`;
    }
    if (!this.#open.has(session) && random.chance(0.3)) {
      this.#open.add(session);
      await session.query("BEGIN");
    }
    try {
      return `${name}: ` +
        (name === "app" ? await this.#submit(session) : await this.#work(session));
    } catch (error) {
      // A lock that another holds, a retired storage, a distrusted one, or the transaction before.
      const expected = ["55P03", "25P02", "OM023", "OM024", "40001"];
      if (!expected.includes(String(sqlstateOf(error)))) throw error;
      if (this.#open.delete(session)) await session.query("ROLLBACK");
      return `${name}: refused`;
    }
  }

  async end(): Promise<void> {
    for (const session of this.#open) await session.query("COMMIT").catch(() => {});
    this.#open.clear();
  }

  async #submit(app: Connection): Promise<string> {
    const { random } = this;
    // Few items, so that names are taken, by the same bytes and by others.
    const item = random.pick(ITEMS);
    if (random.chance(0.7)) {
      await submit(app, random.pick(CONTENTS), OWNER, item);
      return "submits";
    }
    const content = new TextEncoder().encode(random.pick(CONTENTS));
    const key = random.uuid();
    await app.query("SELECT omoide.open_upload($1, $2, $3, 'content', 'jpg', $4)", [
      key,
      OWNER,
      item,
      content.length,
    ]);
    await app.query("SELECT omoide.append_upload($1, $2, 0, $3, NULL)", [key, OWNER, content]);
    if (random.chance(0.3)) {
      await app.query("SELECT omoide.cancel_upload($1, $2)", [key, OWNER]);
      return "cancels an upload";
    }
    await app.query("SELECT omoide.finish_upload($1, $2, $3)", [key, OWNER, sha256(content)]);
    return "finishes an upload";
  }

  async #work(worker: Connection): Promise<string> {
    const { random } = this;
    switch (random.below(9)) {
      case 8: {
        // Later than what was stored was counted.
        const ids = this.#stored.splice(0);
        const released = await release(worker, ids);
        if (!this.#open.has(worker)) this.released += released;
        return `releases ${ids}`;
      }
      case 0:
        await worker.query("SELECT omoide.sweep()");
        return "sweeps";
      case 1:
        await worker.query("SELECT omoide.recycle(true)");
        return "recycles";
      case 2: {
        const [id = "0"] = await pendingIds(worker);
        await worker.query("SELECT omoide.report_failure($1, 'failed', $2)", [
          id,
          random.chance(0.5),
        ]);
        return "fails";
      }
      case 3: {
        if (!random.chance(0.2)) return "rests";
        await worker.query("SELECT omoide.distrust('test')");
        return "distrusts itself";
      }
      default: {
        const rows = await rowsOf<{ media_id: string; sha256: Uint8Array; size: string }>(
          worker,
          "SELECT media_id, sha256, size FROM omoide.pending(0, $1)",
          [random.between(1, 5)],
        );
        const identity = await valueOf(
          this.inbox.admin,
          "SELECT identity FROM omoide.storage WHERE role = $1",
          [await valueOf(worker, "SELECT session_user::text")],
        );
        const ids = rows.map((row) => row.media_id);
        await worker.query("SELECT omoide.acknowledge($1, $2, $3, $4, $5, $6)", [
          identity,
          ids,
          rows.map((row) => row.sha256),
          rows.map((row) => row.size),
          ids.map(() => "stored"),
          ids.map(() => null),
        ]);
        this.#stored.push(...ids);
        return `stores ${ids}`;
      }
    }
  }

  /** With nobody's transaction open: an administrator's command would wait for it. */
  async #administer(): Promise<string> {
    await this.end();
    const { random } = this;
    const { admin } = this.inbox;
    const storage = random.between(1, 3);
    const [media] = await rowsOf<Described>(
      admin,
      `SELECT id, id AS "mediaId", owner_uuid AS "ownerUuid", item_uuid AS "itemUuid",
        media_type AS "mediaType", ext,
        omoide.public_name(item_uuid, ext, sha256, has_plain_name) AS "publicName", size::int,
        encode(sha256, 'hex') AS sha256, omoide.public_path(media_type, owner_uuid, item_uuid, ext,
          sha256, has_plain_name, 2) AS path, extract(epoch FROM now())::float8 AS "writtenAt"
      FROM omoide.media ORDER BY md5($1 || id) LIMIT 1`,
      [String(random.bits())],
    );
    if (media === undefined) return "admin: nothing yet";
    switch (random.below(7)) {
      case 0:
        await redeliver(this.#admin, storage, [media.id]);
        return `admin: redelivers ${media.id} to ${storage}`;
      case 1:
        await forgetReceipts(this.#admin, storage, [media]);
        return `admin: purges ${media.id} from ${storage}`;
      case 2: {
        // As it is, of other bytes under its name, or unknown.
        const other = { ...media, mediaId: null, sha256: sha256(random.pick(CONTENTS)).toHex() };
        const unknown = { ...other, itemUuid: random.uuid() };
        const file = random.pick<HeldFile>([
          { ...media, mediaId: BigInt(media.id) },
          other,
          {
            ...unknown,
            publicName: `${unknown.itemUuid}.jpg`,
            path: `content/${unknown.itemUuid}`,
          },
        ]);
        await rebuildReceipts(this.#admin, storage, [file]);
        return `admin: rebuilds ${file.path} of ${file.sha256.slice(0, 4)} in ${storage}`;
      }
      case 3:
        await admin.query(
          "UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL WHERE id = $1",
          [storage],
        );
        return `admin: trusts ${storage}`;
      case 4: {
        if (!random.chance(0.2)) return "admin: rests";
        await replaceIdentity(this.#admin, storage, random.uuid());
        return `admin: replaces ${storage}`;
      }
      case 5:
        if (!random.chance(0.1)) return "admin: rests";
        await retireStorage(this.#admin, "third", random.chance(0.5)).catch(() => {});
        return "admin: retires third";
      default:
        await admin.query("SELECT omoide.fold_holdings(1)");
        return "admin: folds";
    }
  }
}

/** A media as a file of a tree would be described. */
type Described = { id: string } & { [key in keyof HeldFile]: HeldFile[key] };

const OWNER = crypto.randomUUID();
const ITEMS = Array.from({ length: 12 }, () => crypto.randomUUID());
const CONTENTS = ["a", "bc", "def"];

inboxTest("every counter is what is counted, whatever has happened", async (inbox) => {
  const history = new History(inbox, new Random(options.seed));
  await history.begin();
  // In blocks of their own.
  await inbox.admin.query("ALTER SEQUENCE omoide.media_id_seq INCREMENT BY 1000");
  const done: string[] = [];
  for (let step = 1; step <= STEPS; step++) {
    done.push(await history.step());
    if (step % 10 === 0) {
      await requireRight(inbox, `--seed ${options.seed}, after ${done.slice(-10).join("; ")}`);
    }
  }
  await history.end();
  await requireRight(inbox, `--seed ${options.seed}, at the end`);
  assert.deepEqual((await recount(administrator(inbox), false)).miscounts, []);
  assert.ok(history.released > 3, `only ${history.released} were released after they were counted`);
});

inboxTest("what is counted while another has not committed is counted again", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [await submit(app), await submit(app)];
  await cold.query("BEGIN");
  await acknowledge(cold, ids);
  await acknowledge(hot, ids);
  await hot.query("SELECT omoide.sweep()");
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.holding_mark"), 0);
  await requireRight(inbox, "before the commit");
  await cold.query("COMMIT");
  await requireRight(inbox, "after the commit");
});

inboxTest("what is released after it was counted is counted again", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [await submit(app), await submit(app)];
  for (const worker of [hot, cold]) await acknowledge(worker, ids);
  await inbox.admin.query("SELECT omoide.fold_holdings(100)");
  assert.equal(await release(hot, ids), 2);
  // With both trusted nothing would tell that they were released.
  await hot.query("SELECT omoide.distrust('test')");
  await requireRight(inbox, "after the release");
  await inbox.admin.query("SELECT omoide.fold_holdings(100)");
  await requireRight(inbox, "and counted");
});

inboxTest("sessions that submit at once do not wait for each other's counters", async (inbox) => {
  const sessions = await Promise.all(Array.from({ length: 4 }, () => inbox.as("app")));
  const worker = await inbox.as("hot");
  for (const session of [...sessions, worker]) await session.query("SET lock_timeout = '1ms'");
  for (const session of sessions) {
    await session.query("BEGIN");
    for (let n = 0; n < 40; n++) await submit(session);
  }
  await worker.query("SELECT omoide.sweep()");
  for (const session of sessions) await session.query("COMMIT");
  await worker.query("SELECT omoide.sweep()");
  assert.equal(await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.owed_change"), 2);
  await requireRight(inbox, "after all of them");
});

inboxTest(
  "the differences of what is owed do not pile up where no worker sweeps",
  async (inbox) => {
    const app = await inbox.as("app");
    await inbox.admin.query("SELECT setval('omoide.media_id_seq', 1024 * 7 - 100)");
    for (let n = 0; n < 110; n++) await submit(app);
    const left = await valueOf(inbox.admin, "SELECT count(*)::int FROM omoide.owed_change");
    assert.ok(Number(left) < 40, `${left} differences`);
    await requireRight(inbox, "after a fold by the application");
  },
);

inboxTest("a sweep finds a counter that is wrong, and the status says so", async (inbox) => {
  const [app, hot] = [await inbox.as("app"), await inbox.as("hot")];
  await inbox.admin.query("ALTER SEQUENCE omoide.media_id_seq INCREMENT BY 4096");
  const ids = [await submit(app), await submit(app), await submit(app)];
  await acknowledge(hot, ids);
  for (let n = 0; n < 4; n++) await hot.query("SELECT omoide.sweep()");
  const monitor = await inbox.as("monitor");
  const miscounts = () => valueOf(monitor, "SELECT count(*)::int FROM omoide.miscount");
  assert.equal(await miscounts(), 0);
  await inbox.admin.query("UPDATE omoide.holding SET bytes = bytes + 1 WHERE block = 1");
  for (let n = 0; n < 4; n++) await hot.query("SELECT omoide.sweep()");
  assert.equal(await miscounts(), 1);
  const { attention } = judge(await inboxStatus(inbox.admin));
  assert.ok(attention.some((each) => each.includes("inbox recount --fix")), attention.join());
  await recount(administrator(inbox), true);
  assert.equal(await miscounts(), 0);
  await requireRight(inbox, "corrected");
});

const TAMPERED: Record<string, string> = {
  "block": "UPDATE omoide.holding SET media = media + 1",
  "all blocks": "UPDATE omoide.holding_total SET bytes = bytes + 1",
  "owed to hot": "UPDATE omoide.owed_change SET bytes = bytes - 1 WHERE storage_id = 1",
  "the inbox": "UPDATE omoide.ledger SET media = media + 2 WHERE day = '-infinity'",
  "block ": "SET session_replication_role = replica; DELETE FROM omoide.stored; " +
    "SET session_replication_role = origin",
};

inboxTest("a counter that is wrong is found and corrected", async (inbox) => {
  const [app, hot, cold] = [await inbox.as("app"), await inbox.as("hot"), await inbox.as("cold")];
  const ids = [await submit(app), await submit(app), await submit(app)];
  for (const worker of [hot, cold]) await acknowledge(worker, ids.slice(1));
  await release(hot, ids.slice(2));
  await hot.query("SELECT omoide.sweep()");
  await inbox.admin.query("SELECT omoide.fold_owed()");
  const admin = administrator(inbox);
  for (const [what, sql] of Object.entries(TAMPERED)) {
    await inbox.admin.query(sql);
    const { miscounts } = await recount(admin, false);
    assert.ok(miscounts.some((each) => each.what.startsWith(what.trim())), `${what}: not found`);
    await recount(admin, true);
    assert.deepEqual((await recount(admin, false)).miscounts, [], what);
  }
});
