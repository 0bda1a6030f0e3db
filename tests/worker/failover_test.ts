/** The database moves to another server while workers run: they follow it, and nothing is lost. */
import assert from "node:assert/strict";
import { DatabaseUnavailableError } from "../../src/errors.ts";
import { ApplicationPool } from "../../src/inbox/application/pool.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { ScrubSession } from "../../src/inbox/scrub_session.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { StatusSession } from "../../src/inbox/status/status_session.ts";
import { pending } from "../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../src/inbox/storage_calls.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import type { WriteOnceStorage } from "../../src/storage/storage.ts";
import { Courier } from "../../src/worker/courier.ts";
import { GroupSize } from "../../src/worker/group_size.ts";
import { MediaMemory } from "../../src/worker/intake.ts";
import type { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import { until } from "../lab/command.ts";
import type { World } from "../lab/world.ts";
import { caughtUp, promote, startStandby } from "../support/standby.ts";

/** An inbox on a primary that has a standby. */
interface Pair extends AsyncDisposable {
  readonly world: World;
  readonly primary: EmbeddedPostgres;
  readonly standby: EmbeddedPostgres;
}

async function makePair(): Promise<Pair> {
  const template = await Template.make();
  const world = await template.world();
  const primary = template.server;
  const standby = await startStandby(primary);
  return {
    ...{ world, primary, standby },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await standby.stop();
      await template[Symbol.asyncDispose]();
    },
  };
}

Deno.test("workers follow the inbox to a standby that was promoted, whichever they met first", async () => {
  await using pair = await makePair();
  const { world, primary, standby } = pair;
  const random = new Random(1);
  await using hot = world.start("hot", { others: [standby.port] });
  await using cold = world.start("cold", { port: standby.port, others: [primary.port] });
  await world.submitMany(random, 5);
  await world.drained();
  for (const worker of [hot, cold]) await worker.says(new RegExp(`serving .*:${primary.port}/`));

  await caughtUp(primary, standby);
  await primary.kill();
  await hot.says(/waiting: None of 2 servers can be used: .*is a standby/);
  await promote(standby);
  world.moveTo(standby);
  await world.submitMany(random, 5);
  await world.drained();
  for (const worker of [hot, cold]) await worker.says(new RegExp(`serving .*:${standby.port}/`));
  assert.deepEqual(await world.query("SELECT * FROM omoide.parked"), []);
  await world.requireInvariants({ drained: true });

  const check = await world.check("hot", { port: primary.port, others: [standby.port] });
  assert.equal(check.code, 0, check.output);
  assert.match(
    check.output,
    new RegExp(`inbox: .*:${standby.port}/.* knows this storage; a worker`),
  );
  assert.match(
    check.output,
    /note +database: .*no commit waits for one: a failover can lose uploads/,
  );
});

/** The session of cold's worker and its hand on the storage, without the lock that keeps a second one waiting. */
class Side implements AsyncDisposable {
  private constructor(readonly session: InboxSession, readonly storage: WriteOnceStorage) {}

  static async open(world: World, server: EmbeddedPostgres): Promise<Side> {
    const storage = await openStorage(world.root("cold"), { storage: "cold" }, {
      // As a distributed file system may lose it, whose servers are cut off from each other too.
      calls: { ...fileCalls, tryLock: () => Promise.resolve(true) },
      reserve: { bytes: 0 },
    });
    const url = server.url(world.database, "omoide_cold");
    const session = await InboxSession.open(parseDatabaseUrl(url, ""), { password: "secret" });
    await takeStorage(session, "cold", storage.identity.uuid);
    return new Side(session, storage);
  }

  /** Carries all that is owed to this side. @returns how many media were acknowledged */
  async carry(): Promise<number> {
    const owed = await pending(this.session, 0n, 100);
    const { session, storage } = this;
    const group = new GroupSize({ files: 100, bytes: 1024 * 1024 }, false);
    const courier = new Courier({ session, storage, group, memory: new MediaMemory() });
    const { acknowledged } = await courier.handOver(owed.map(({ media }) => media));
    await courier.released();
    return acknowledged.length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.session.end(new Error("the test is over"));
    this.storage.close();
    return Promise.resolve();
  }
}

/** A proxy that leads its first connection to the first of these ports, and all others to the second. */
function switching([first = 0, second = 0]: readonly number[]): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let port = first;
  const serve = async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port });
      port = second;
      client.readable.pipeTo(server.writable).catch(() => {});
      server.readable.pipeTo(client.writable).catch(() => {});
    }
  };
  const serving = serve();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

Deno.test("an old primary that still takes writes when another one was promoted", async (t) => {
  await using pair = await makePair();
  const { world, primary, standby } = pair;
  const submit = async (server: EmbeddedPostgres, count: number) => {
    world.moveTo(server);
    await world.submitMany(random, count);
  };
  const random = new Random(2);
  await using hot = world.start("hot", { others: [standby.port] });
  await hot.says(/serving /);
  await using old = await Side.open(world, primary);
  await submit(primary, 3);
  await until("hot has stored", async () => await world.receipts("hot") === 3);
  const hosts = `127.0.0.1:${primary.port},127.0.0.1:${standby.port}`;
  const application = parseDatabaseUrl(`postgres://omoide_app@${hosts}/${world.database}`, "");
  await using pool = new ApplicationPool(application, { password: "secret" }, 2);
  await pool.check();
  // As an answer that a cut has swallowed: whoever waits for it must not wait a minute.
  const waiting = assert.rejects(
    pool.call("SELECT pg_sleep(600)", []),
    DatabaseUnavailableError,
  );
  const admins = parseDatabaseUrl(`postgres://postgres@${hosts}/${world.database}`, "");
  const credentials = { password: new URL(primary.url()).password };
  const look = async () => {
    using session = await StatusSession.open(admins, credentials);
    return (await session.status()).storages.find(({ storage }) => storage === "cold")?.owed;
  };
  using looking = await StatusSession.open(admins, credentials);
  using scrub = await ScrubSession.open(admins, credentials);
  const ends = [
    () => looking.status(),
    () => scrub.known([]),
  ];
  await caughtUp(primary, standby);
  await promote(standby);

  await t.step("a proxy that fails over between two connections of one session", async () => {
    await using proxy = switching([primary.port, standby.port]);
    const url = `postgres://omoide_cold@127.0.0.1:${proxy.port}/${world.database}`;
    await assert.rejects(
      InboxSession.open(parseDatabaseUrl(url, ""), { password: "secret" }),
      (error) => error instanceof DatabaseUnavailableError && /several servers/.test(error.message),
    );
  });

  await t.step("the application leaves it too, and waits for none of its answers", async () => {
    await waiting;
    const [row] = await pool.call<{ port: string }>("SELECT current_setting('port') AS port", []);
    assert.equal(Number(row?.port), standby.port);
  });

  await t.step("a worker that can reach both leaves the old one", async () => {
    await hot.says(
      new RegExp(`The database has moved to .*:${standby.port}/.*, timeline 2 of cluster`),
    );
    await submit(standby, 1);
    await until("hot has stored", async () => await world.receipts("hot") === 4);
    await hot.stop();
  });

  await t.step("monitor and scrub, which look at the old one, leave it", async () => {
    for (const ask of ends) {
      await until("its session has ended", async () => {
        const error = await ask().then(() => null, (error: unknown) => error);
        return error instanceof DatabaseUnavailableError;
      });
    }
    assert.equal(await look(), 4, "what the new one says");
  });

  await t.step("it does not come back, nor does one that never saw the new one", async () => {
    await using late = world.start("hot", { port: primary.port });
    await late.says(/waiting: .*is an old primary, of timeline 1 .*was promoted to timeline 2/);
  });

  await t.step(
    "of two workers cut off from each other, the old side's acknowledges nothing after the new side's has",
    async () => {
      assert.equal(await old.carry(), 3, "the new side has done nothing yet");
      await using young = await Side.open(world, standby);
      assert.equal(
        await young.carry(),
        4,
        "here the old side's files are found, and acknowledged again",
      );

      world.moveTo(primary);
      const receipts = await world.receipts("cold");
      const kept = [...world.expected.media];
      await submit(primary, 2);
      await assert.rejects(
        old.carry(),
        (error) =>
          error instanceof DatabaseUnavailableError && /is an old primary/.test(error.message),
      );
      assert.equal(await world.receipts("cold"), receipts);
      world.expected.media.splice(0, Infinity, ...kept);
    },
  );

  await t.step("healed, all is there that the new side was given", async () => {
    await primary.pause();
    world.moveTo(standby);
    await using _hot = world.start("hot", { port: primary.port, others: [standby.port] });
    await world.drained();
    assert.deepEqual(await world.query("SELECT FROM omoide.parked"), []);
    await world.requireInvariants({ drained: true });
  });
});

Deno.test("a worker comes back to the server that it had before it asks the others", async () => {
  await using template = await Template.make();
  await using world = await template.world();
  await using first = FaultyProxy.before(world.server.port);
  await using second = FaultyProxy.before(world.server.port);
  first.refusing = true;
  await using hot = world.start("hot", { port: first.port, others: [second.port] });
  await hot.says(new RegExp(`serving .*:${second.port}/`));
  first.refusing = false;
  const from = hot.output.length;
  second.cutAll();
  const said = await hot.says(/serving .*/, { from });
  assert.match(said, new RegExp(`:${second.port}/`), "the first would have taken it");
});
