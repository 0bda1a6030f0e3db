import assert from "node:assert/strict";
import { submitMedia } from "../../src/inbox/application/submit.ts";
import type { InboxSession } from "../../src/inbox/session.ts";
import { Wake } from "../../src/wake.ts";
import { IdleWait } from "../../src/worker/idle_wait.ts";
import { pause, until } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";

const template = sharedTemplate();

/** What is promised is a second. The rest is for a machine that is busy with other tests. */
const BOUND_MS = 1_000 + 4_000;

function picture() {
  return {
    ownerUuid: crypto.randomUUID(),
    itemUuid: crypto.randomUUID(),
    mediaType: "content" as const,
    ext: "jpg",
  };
}

Deno.test("media that nobody announces are met within a second, in whatever order transactions commit", async () => {
  await using world = await template().world();
  const [slow, quick] = [await world.connectApplication(), await world.connectApplication()];
  const bytes = new TextEncoder().encode("a picture");
  // No worker sleeps yet, so this one counts on them to look by themselves, for as long as it is open.
  await slow.query("BEGIN");
  await submitMedia(slow, picture(), bytes);
  await quick.query("LISTEN omoide_sealed");
  let announced = 0;
  quick.on("notification", () => announced++);

  await using _worker = world.start("hot", { args: ["--poll-interval", "3600"] });
  await world.becomes("hot", "idle");
  const latenessMs: number[] = [];
  const met = async (receipts: number) => {
    const committed = performance.now();
    await until("it is stored", async () => await world.receipts("hot") === receipts);
    latenessMs.push(performance.now() - committed);
  };
  for (let n = 1; n <= 3; n++) {
    await submitMedia(quick, picture(), bytes);
    await met(n);
    // The pauses between two looks grow to their longest.
    await pause(1_500);
  }
  assert.equal(announced, 0);
  await slow.query("COMMIT");
  await met(4);
  assert.equal(announced, 0);
  assert.ok(Math.max(...latenessMs) < BOUND_MS, `met after ${latenessMs.map(Math.round)} ms`);
  await until("it sleeps", async () => {
    const [row] = await world.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = 1869442938",
    );
    return row?.n === 1;
  });
  await submitMedia(quick, picture(), bytes);
  await met(5);
  assert.equal(announced, 1);
});

Deno.test("a media that commits late is met while uploads never cease", async () => {
  await using world = await template().world();
  const slow = await world.connectApplication();
  const bytes = new TextEncoder().encode("a picture");
  await slow.query("BEGIN");
  const late = await submitMedia(slow, picture(), bytes);
  const sessions = await Promise.all([1, 2, 3, 4].map(() => world.connectApplication()));
  let ended = false;
  const uploads = Promise.all(sessions.map(async (session) => {
    while (!ended) await submitMedia(session, picture(), bytes);
  }));
  try {
    await using _worker = world.start("hot", { args: ["--poll-interval", "3600"] });
    await until("it stores", async () => await world.receipts("hot") > 100);
    await slow.query("COMMIT");
    await until("the late one is stored", async () => {
      const stored = await world.query("SELECT FROM omoide.stored WHERE media_id = $1", [late]);
      return stored.length > 0;
    }, BOUND_MS);
  } finally {
    ended = true;
    await uploads;
  }
});

/** Waits for nothing, and remembers for how long it should have. */
class NoWait extends Wake {
  readonly asked: number[] = [];

  override wait(ms: number): Promise<void> {
    this.asked.push(ms);
    return Promise.resolve();
  }
}

Deno.test("a worker that may not sleep looks again after pauses that grow to a second and no further", async () => {
  const alwaysAwake = {
    lanes: { count: 1, mine: [0] },
    query: () => Promise.resolve([{ asleep: false }]),
  };
  const wake = new NoWait();
  const idle = new IdleWait(alwaysAwake as unknown as InboxSession, wake);
  for (let look = 1; look <= 20; look++) await idle.untilNextLook(30_000);
  assert.deepEqual(wake.asked.slice(0, 8), [4, 8, 16, 32, 64, 128, 256, 512]);
  assert.deepEqual([...new Set(wake.asked.slice(8))], [1_000]);
  await idle.rouse();
  await idle.untilNextLook(30_000);
  assert.equal(wake.asked.at(-1), 4);
});
