/**
 * Hours of ordinary trouble: mixed media arriving, workers killed, PostgreSQL restarted, a transaction of
 * the application held open. Memory stays flat, the database stays bounded, everything drains.
 */
import assert from "node:assert/strict";
import { requireTools } from "../support/require_tool.ts";
import { pause, until } from "../lab/command.ts";
import { NameWatcher } from "../lab/name_watcher.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import type { WorkerProcess } from "../lab/worker_process.ts";
import type { World } from "../lab/world.ts";

const MiB = 1024 * 1024;
/** PostgreSQL's own, a minute, would be the whole of the short version. */
const NAPTIME_SECONDS = times(5, 60);
/** After so long a transaction of the application is ended, at the next sweep. */
const HOLD_SECONDS = times(8, 60);
const POLL_SECONDS = 5;
/** How large a table of blobs becomes before the next takes over: an eighth of what the files may have. */
const GENERATION = times(32, 256) * MiB;
/** At 20 MB/s an hour would leave 150 GB in the storages; at the pace after this it leaves 35. */
const FULL_SPEED_SECONDS = 120;
/** What one worker may hold. The spike's peak was 101 MB; Deno alone takes 60. */
const MEMORY = 200 * MiB;
/** A worker that lives on may hold so much more in the last quarter than in the second. */
const GROWTH = 20 * MiB;
/** Never killed, so that its memory can be looked at; the other one is. */
const LIVES_ON = "hot";

Deno.test({
  ...requireTools([]),
  name:
    "a long run under ordinary trouble keeps memory flat, the database bounded, and loses nothing",
  fn: async () => {
    await using template = await Template.make({
      settings: { autovacuum_naptime: `${NAPTIME_SECONDS}s` },
    });
    await using world = await template.world();
    await world.query(`UPDATE omoide.settings SET max_inbox_disk_bytes = ${8 * GENERATION}`);
    await world.query(`UPDATE omoide.settings SET max_transaction_age = '${HOLD_SECONDS} seconds'`);
    const soak = new Soak(world, times(18, 60 * options.minutes));
    await soak.run();
    console.log(`  ${soak.told()}`);
    assert.equal(soak.problems.join("\n"), "");
    assert.ok(soak.evicted > 0 && soak.evicted === soak.held, soak.told());
    assert.ok(soak.peakMemory < MEMORY, `a worker held ${soak.peakMemory / MiB} MiB`);
    assert.ok(
      soak.peakLate < soak.peakEarly + GROWTH,
      `the worker that lived on held ${soak.peakLate / MiB} MiB, and ${
        soak.peakEarly / MiB
      } before`,
    );
    assert.ok(
      soak.peakFiles < soak.fileBound,
      `files had ${soak.peakFiles}, the bound is ${soak.fileBound}`,
    );
    assert.ok(
      soak.peakFilesHeld < soak.fileBoundHeld,
      `files had ${soak.peakFilesHeld} under a held snapshot, the bound is ${soak.fileBoundHeld}`,
    );
    await world.requireInvariants();
  },
});

/** The most that came within so many seconds: the rate is not the same all the time. */
class BusiestWindow {
  bytes = 0;
  readonly #samples = [{ at: 0, total: 0 }];

  constructor(private readonly seconds: number) {}

  /** @param total bytes that have come until `at`, in seconds since the beginning */
  note(at: number, total: number): void {
    this.#samples.push({ at, total });
    while ((this.#samples[1]?.at ?? at) <= at - this.seconds) this.#samples.shift();
    this.bytes = Math.max(this.bytes, total - (this.#samples[0]?.total ?? 0));
  }
}

class Soak {
  readonly problems: string[] = [];
  readonly #random = new Random(options.seed);
  readonly #workers = new Map<string, WorkerProcess>();
  readonly #began = performance.now();
  peakMemory = 0;
  /** The most that the worker that lives on held in the second quarter, and in the last, in bytes. */
  peakEarly = 0;
  peakLate = 0;
  /** The chunks' files at their largest, in bytes, before the first transaction was held. */
  peakFiles = 0;
  /** And from then on: they are used again, but hardly ever become shorter. */
  peakFilesHeld = 0;
  #peakBacklog = 0;
  #submittedBytes = 0;
  readonly #busiest = new BusiestWindow(NAPTIME_SECONDS);
  #kills = 0;
  #restarts = 0;
  #restartIsDue = false;
  /** Transactions that were held open, and those that a sweep has ended. */
  held = 0;
  evicted = 0;

  constructor(private readonly world: World, private readonly seconds: number) {}

  /** The peak backlog, two generations, and what comes until somebody looks at them, in bytes. */
  get fileBound(): number {
    return this.#peakBacklog + 2 * GENERATION + this.#busiest.bytes;
  }

  /** The generation that a transaction writes to is kept while it is held, and no other. */
  get fileBoundHeld(): number {
    return this.fileBound + GENERATION;
  }

  get #elapsed(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async run(): Promise<void> {
    const watchers = this.world.storages.map(({ root }) =>
      new NameWatcher(root, this.world.expected)
    );
    try {
      for (let round = 1; this.#elapsed < this.seconds; round++) await this.#round(round);
      this.#startMissing();
      await this.world.drained();
      await until("the last held transaction is ended", () => this.evicted === this.held);
    } finally {
      for (const worker of this.#workers.values()) await worker[Symbol.asyncDispose]();
      for (const watcher of watchers) this.problems.push(...(await watcher.stop()).wrong);
    }
  }

  told(): string {
    const { length } = this.world.expected.media;
    const mib = (bytes: number) => `${Math.round(bytes / MiB)} MiB`;
    return [
      `${Math.round(this.#elapsed)} s, ${length} media, ${mib(this.#submittedBytes)}`,
      `${this.#kills} kills, ${this.#restarts} restarts of PostgreSQL`,
      `${this.evicted} of ${this.held} held transactions evicted`,
      `a worker held ${mib(this.peakMemory)} at most`,
      `the one that lived on ${mib(this.peakEarly)} in the second quarter, ${
        mib(this.peakLate)
      } in the last`,
      `peak backlog ${mib(this.#peakBacklog)}`,
      `blobs' files ${mib(this.peakFiles)} (bound ${mib(this.fileBound)})`,
      `under a held snapshot ${mib(this.peakFilesHeld)} (bound ${mib(this.fileBoundHeld)})`,
    ].join(", ");
  }

  /** A few seconds of life. */
  async #round(round: number): Promise<void> {
    this.#startMissing();
    const media = await this.world.submitMany(
      this.#random,
      15,
      (random) => random.pick([0, 3_000, 40_000, 300_000, 2_500_000]),
    );
    this.#submittedBytes += media.reduce((sum, { size }) => sum + size, 0);
    this.#busiest.note(this.#elapsed, this.#submittedBytes);
    await this.#measure();
    if (round % times(8, 32) === 0) await this.#killOne();
    if (round % times(25, 320) === 0) this.#restartIsDue = true;
    // Not while a transaction is held, which a restart would end before a sweep does.
    if (this.#restartIsDue && this.evicted === this.held) await this.#restart();
    if (round % times(30, 240) === times(4, 120)) await this.#holdTransaction();
    await pause(this.#elapsed < FULL_SPEED_SECONDS ? 100 : 1500);
  }

  /** Starts what was killed; what ended by itself is told by `measure`. */
  #startMissing(): void {
    const args = ["--poll-interval", String(POLL_SECONDS)];
    for (const { name } of this.world.storages) {
      if (!this.#workers.has(name)) this.#workers.set(name, this.world.start(name, { args }));
    }
  }

  async #measure(): Promise<void> {
    for (const [name, worker] of this.#workers) {
      if (worker.over) throw new Error(`a worker ended by itself: ${worker.output.slice(-500)}`);
      const bytes = worker.residentBytes();
      this.peakMemory = Math.max(this.peakMemory, bytes);
      if (name !== LIVES_ON) continue;
      const quarter = Math.floor(4 * this.#elapsed / this.seconds);
      if (quarter === 1) this.peakEarly = Math.max(this.peakEarly, bytes);
      if (quarter === 3) this.peakLate = Math.max(this.peakLate, bytes);
    }
    const [row] = await this.world.query<{ files: string; backlog: string }>(
      `SELECT (SELECT disk_bytes FROM omoide.inbox_status) AS files,
         (SELECT coalesce(sum(size), 0) FROM omoide.waiting) AS backlog`,
    );
    const files = Number(row?.files);
    if (this.held === 0) this.peakFiles = Math.max(this.peakFiles, files);
    else this.peakFilesHeld = Math.max(this.peakFilesHeld, files);
    this.#peakBacklog = Math.max(this.#peakBacklog, Number(row?.backlog));
  }

  async #killOne(): Promise<void> {
    const name = this.#random.pick([...this.#workers.keys()].filter((each) => each !== LIVES_ON));
    await this.#workers.get(name)?.kill();
    this.#workers.delete(name);
    this.#kills++;
  }

  async #restart(): Promise<void> {
    this.#restartIsDue = false;
    this.#restarts++;
    if (this.#random.chance(0.5)) await this.world.server.kill();
    else await this.world.server.pause();
    await this.world.server.startAgain();
  }

  /** The application holds a snapshot; some sweep ends it. */
  async #holdTransaction(): Promise<void> {
    const holder = await this.world.connectApplication();
    await holder.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await holder.query("SELECT omoide.find_media(gen_random_uuid(), gen_random_uuid())");
    this.held++;
    holder.once("end", () => this.evicted++);
  }
}
