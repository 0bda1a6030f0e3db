/** The database moves to another server while workers run: they follow it, and nothing is lost. */
import assert from "node:assert/strict";
import type { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
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
});

Deno.test("a worker comes back to the server that it had before it asks the others", async () => {
  await using template = await Template.make();
  await using world = await template.world();
  await using first = FaultyProxy.before({ hostname: "127.0.0.1", port: world.server.port });
  await using second = FaultyProxy.before({ hostname: "127.0.0.1", port: world.server.port });
  first.refusing = true;
  await using hot = world.start("hot", { port: first.port, others: [second.port] });
  await hot.says(new RegExp(`serving .*:${second.port}/`));
  first.refusing = false;
  const before = first.accepted;
  const from = hot.output.length;
  second.cutAll();
  await hot.says(new RegExp(`serving .*:${second.port}/`), { from });
  assert.equal(first.accepted, before);
});
