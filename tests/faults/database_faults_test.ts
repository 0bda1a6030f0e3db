/** The database goes away, comes back, lies or keeps silent: nothing is lost, and nobody spins. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { freePort } from "../../scripts/lib/free_port.ts";
import { requireTools } from "../support/require_tool.ts";
import { pause, run, until } from "../lab/command.ts";
import { NameWatcher } from "../lab/name_watcher.ts";
import { options, times } from "../lab/options.ts";
import { FaultyProxy, type Wire } from "../lab/proxy.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { Tool } from "../lab/tool.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const LINUX = requireTools([]);

for (const how of ["restart", "crash"] as const) {
  Deno.test({
    ...LINUX,
    name: `a ${how} of PostgreSQL in the middle of a run loses nothing`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      const before = await world.trees();
      await using watched = new AsyncDisposableStack();
      const watchers = world.storages
        .map(({ root }) => watched.use(new NameWatcher(root, world.expected)));
      await using hot = world.start("hot");
      await using cold = world.start("cold");
      await Promise.all([hot.says(/serving/), cold.says(/serving/)]);
      for (let round = 0; round < times(2, 50); round++) {
        await world.submitMany(random, 60);
        if (how === "restart") await template().server.pause();
        else await template().server.kill();
        await template().server.startAgain();
      }
      await world.drained();
      for (const watcher of watchers) assert.equal((await watcher.stop()).wrong.join("\n"), "");
      await world.requireInvariants({ before });
      assert.equal((await hot.stop()).code, 0);
      assert.equal((await cold.stop()).code, 0);
    },
  });
}

Deno.test({
  ...LINUX,
  name: "connections cut at random moments, by the server or on their way, lose nothing",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using proxy = FaultyProxy.before(template().server.port);
    await using hot = world.start("hot", { port: proxy.port });
    await using cold = world.start("cold", { port: proxy.port });
    await Promise.all([hot.says(/serving/), cold.says(/serving/)]);
    let copiesCut = 0;
    for (let round = 0; round < times(6, 200); round++) {
      // After fewer bytes than will come, so that it does happen. Every third round has none.
      const cut = round % 3 === 2
        ? undefined
        : cutAfter(proxy, random.between(0, 1_000_000), { inCopy: round % 3 === 0 });
      await world.submitMany(random, 10, (random) => random.between(0, 600_000));
      if (await cut?.()) copiesCut++;
      await world.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'omoide %'",
      );
    }
    await world.drained();
    await world.requireInvariants();
    assert.ok(copiesCut > 0);
    console.log(`  ${copiesCut} connections cut in the middle of a COPY`);
  },
});

Deno.test({
  ...LINUX,
  name: "a media is not parked for connections that were cut while it came, after a worker's death",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using proxy = FaultyProxy.before(world.server.port);
    // A death while storing: from now on its media go one at a time, each attempt counted first.
    proxy.delayMs = 20;
    await world.submitMany(random, 1, () => 5_000_000);
    {
      await using first = world.start("hot", { port: proxy.port });
      await world.becomes("hot", "storing");
      await first.kill();
    }
    proxy.delayMs = 0;
    const cut = new Set<Wire>();
    proxy.onServer = (bytes, wire) => {
      if (cut.size >= 6 || bytes.length < 10_000 || cut.has(wire)) return;
      cut.add(wire);
      // Else the media might be stored before its attempts are looked at.
      proxy.refusing = cut.size === 6;
      setTimeout(() => wire.cut(), 0);
    };
    await using hot = world.start("hot", { port: proxy.port });
    await hot.says(/its media go one at a time/);
    await until("six cuts are over", () => cut.size >= 6, 120_000);
    const owed = await world.query("SELECT attempts FROM omoide.owed WHERE storage = 'hot'");
    assert.deepEqual(owed, [{ attempts: 1 }]);
    proxy.refusing = false;
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
    assert.equal((await hot.stop()).code, 0);
  },
});

Deno.test({
  ...LINUX,
  name: "an acknowledgement whose answer is lost is made again, and counted once",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using proxy = FaultyProxy.before(template().server.port);
    await using hot = world.start("hot", { port: proxy.port });
    await hot.says(/serving/);
    await using _cold = world.start("cold");
    let media = 0;
    for (let round = 0; round < times(2, 8); round++) {
      const swallowed = proxy.swallowAnswerTo("omoide.acknowledge");
      media += (await world.submitMany(random, 5)).length;
      await swallowed;
    }
    await world.drained();
    assert.equal(await world.receipts("hot"), media);
    await world.requireInvariants();
  },
});

Deno.test({
  ...LINUX,
  name: "a connection that falls silent is found out within 30 s, and nothing is lost",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using proxy = FaultyProxy.before(template().server.port);
    await using hot = world.start("hot", { port: proxy.port });
    await hot.says(/serving/);
    await world.submitMany(random, 5);
    await until("hot has stored", async () => await world.receipts("hot") === 5);
    proxy.freeze();
    const begun = performance.now();
    await world.submitMany(random, 5);
    await hot.says(/waiting/, { timeoutMs: 45_000 });
    const seconds = (performance.now() - begun) / 1000;
    assert.ok(seconds <= 32, `found out after ${seconds.toFixed(1)} s`);
    console.log(`  found out after ${seconds.toFixed(1)} s`);
    // The old connections stay frozen, as after a firewall's restart: only new ones get through.
    proxy.thaw();
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
  },
});

Deno.test({
  ...LINUX,
  name: "a worker uses next to no processor while its database is away, silent or refuses it",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using proxy = FaultyProxy.before(template().server.port);
    await using hot = world.start("hot", { port: proxy.port });
    await hot.says(/serving/);
    const shares = new Map([["idle", await processorShare(hot, 2)]]);
    const measure = async (how: string) => shares.set(how, await processorShare(hot, times(4, 60)));

    let from = hot.output.length;
    proxy.goAway();
    await hot.says(/waiting/, { from });
    await measure("away");
    from = hot.output.length;
    proxy.comeBack();
    await hot.says(/serving/, { from });

    from = hot.output.length;
    proxy.refusing = true;
    proxy.cutAll();
    await hot.says(/waiting/, { from });
    await measure("refusing");
    from = hot.output.length;
    proxy.refusing = false;
    await hot.says(/serving/, { from });

    // Silent from the worker's next question on, so that it waits for an answer.
    const asked = Promise.withResolvers<void>();
    proxy.onClient = () => {
      proxy.freeze();
      asked.resolve();
    };
    await world.submitMany(random, 1);
    await asked.promise;
    await measure("silent");
    proxy.onClient = () => {};
    proxy.thaw();
    await until("hot has stored", async () => await world.receipts("hot") === 1);

    const told = [...shares].map(([how, share]) => `${how} ${(share * 100).toFixed(1)} %`).join();
    assert.ok([...shares.values()].every((share) => share < 0.05), told);
    console.log(`  ${told}`);
    assert.equal((await hot.stop()).code, 0);
  },
});

Deno.test({
  ...LINUX,
  name: "a server that has become a standby is waited for until it is promoted",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await using hot = world.start("hot");
    await hot.says(/serving/);
    await world.submitMany(random, 20);
    await template().server.pause();
    await Deno.writeTextFile(join(template().server.dataDirectory, "standby.signal"), "");
    const from = hot.output.length;
    // Resolves once it is promoted: until then it accepts read-only connections.
    const promoted = template().server.startAgain();
    await hot.says(/is a standby/, { from });
    assert.ok(!hot.over);
    await world.query("SELECT pg_promote()");
    await promoted;
    await world.drainOnce("cold");
    await world.drained();
    await world.requireInvariants();
  },
});

Deno.test({
  ...requireTools(["strace"]),
  name:
    "a disk that fails while the database is away is reported when it is back, or by the exit code",
  fn: async () => {
    const random = new Random(options.seed);
    for (const stopped of [false, true]) {
      await using world = await template().world();
      await using proxy = FaultyProxy.before(world.server.port);
      await world.submitMany(random, 20, () => 20_000);
      const log = await world.temporaryFile();
      await using hot = world.start("hot", {
        port: proxy.port,
        trace: { log, calls: ["fdatasync"], inject: ["fdatasync:error=EIO"] },
      });
      // The database falls silent when it would hear of the disk …
      let silent = false;
      proxy.onClient = (bytes) => {
        if (!new TextDecoder().decode(bytes).includes("omoide.distrust")) return;
        silent = proxy.refusing = true;
        proxy.freeze();
      };
      await until("the worker says that the disk has failed", () => silent);
      assert.ok((await Deno.readTextFile(log)).includes("EIO"));
      // … and is gone, before it has heard it.
      proxy.onClient = () => {};
      proxy.cutAll();
      proxy.thaw();
      await hot.says(/(waiting[\s\S]*){2}/);
      if (stopped) hot.signal("SIGTERM");
      else proxy.refusing = false;
      assert.equal((await hot.ended).code, 5, hot.output);
      const [row] = await world.query<{ known: boolean }>(
        "SELECT distrusted_at IS NOT NULL AS known FROM omoide.storage WHERE name = 'hot'",
      );
      assert.equal(row?.known, !stopped);
      assert.equal(await world.receipts("hot"), 0);
    }
  },
});

Deno.test({
  ...requireTools(["pgbouncer"]),
  name: "a pooler in transaction mode is found out and refused with a clear message",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await world.submitMany(random, 3);
    await using pooler = await Pooler.before(world);
    const { code, output } = await world.drainOnce("hot", { port: pooler.port });
    assert.equal(code, 4, output);
    assert.match(output, /pooler/i);
    assert.equal(await world.receipts("hot"), 0);
  },
});

/** Of the package libfaketime. */
const FAKETIME = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketime.so.1`;

/** The worker's clock stands elsewhere; the database's is the one that counts. */
for (const shift of ["+1h", "-1h", "+10y", "-10y"]) {
  Deno.test({
    ...requireTools([FAKETIME]),
    name: `a worker whose clock is ${shift} off stores and acknowledges as ever`,
    fn: async () => {
      const random = new Random(options.seed);
      await using world = await template().world();
      await world.submitMany(random, 20);
      const env = {
        LD_PRELOAD: FAKETIME,
        FAKETIME: shift,
        DONT_FAKE_MONOTONIC: "1",
      };
      const { code, output } = await world.drainOnce("hot", { env });
      assert.equal(code, 0, output);
      await world.drainAll();
      await world.requireInvariants();
    },
  });
}

Deno.test({
  ...LINUX,
  name: "a failure noted by a database clock that ran ten years ahead is not waited for",
  fn: async () => {
    const random = new Random(options.seed);
    await using world = await template().world();
    await world.submitMany(random, 5);
    await world.query(
      "UPDATE omoide.delivery SET attempts = 1, next_attempt_at = now() + interval '10 years'",
    );
    await world.drainAll();
    await world.requireInvariants();
  },
});

/**
 * Cuts a connection when the server has answered so many bytes, on all of them together.
 *
 * @param where.inCopy only one that is in the middle of a COPY
 * @returns waits for that, and tells whether it was in the middle of a COPY
 */
function cutAfter(
  proxy: FaultyProxy,
  bytes: number,
  where: { inCopy: boolean },
): () => Promise<boolean> {
  let left = bytes;
  let place: "in a COPY" | "elsewhere" | undefined;
  proxy.onServer = (piece, wire) => {
    left -= piece.length;
    if (left >= 0 || (where.inCopy && wire.copied === 0)) return;
    proxy.onServer = () => {};
    place = wire.copied > 0 ? "in a COPY" : "elsewhere";
    wire.cut();
  };
  return async () => await until("a connection is cut", () => place) === "in a COPY";
}

/** A share of one processor over so many seconds. */
async function processorShare(worker: WorkerProcess, seconds: number): Promise<number> {
  const before = worker.cpuSeconds();
  // The time is what is measured.
  await pause(seconds * 1000);
  return (worker.cpuSeconds() - before) / seconds;
}

/** PgBouncer before a world's database. */
class Pooler implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly server: Tool,
    private readonly directory: string,
  ) {}

  static async before(world: World): Promise<Pooler> {
    const directory = await Deno.makeTempDir({ prefix: "omoide-faults-" });
    await Deno.chmod(directory, 0o777);
    const port = freePort();
    await Deno.writeTextFile(join(directory, "users"), `"omoide_hot" "secret"\n`);
    await Deno.writeTextFile(
      join(directory, "pgbouncer.ini"),
      `[databases]
* = host=127.0.0.1 port=${world.server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${directory}/users
pool_mode = transaction
`,
    );
    await run("chmod", "-R", "a+rX", directory);
    const server = new Tool("PgBouncer", "pgbouncer", {
      args: [join(directory, "pgbouncer.ini")],
      stderr: "null",
      ...(Deno.uid() === 0 ? { uid: 65_534, gid: 65_534 } : {}),
    });
    await until("PgBouncer listens", async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
    return new Pooler(port, server, directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}
