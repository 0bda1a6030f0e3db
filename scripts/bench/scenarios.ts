/** What is measured, as data. */
import { copiedAndChecked, copiedTwice, copyIntoNothing, filesAlone } from "./floors/floors.ts";
import { type Load, ofSize } from "./loads.ts";
import { type Carrier, carrying } from "./measure/carry.ts";
import { counted } from "./measure/counts.ts";
import { grown } from "./measure/growth.ts";
import { statementsAfter } from "./measure/statements.ts";
import { carriedInLanes, DELAY_MS } from "./measure/lanes.ts";
import { latencyAtRest } from "./measure/latency.ts";
import { emptyProgram, idleWorkers, onceWithNothing } from "./measure/programs.ts";
import { deepLook, heartbeats, pacedScrub, sha256sum, workersBeside } from "./measure/scrubs.ts";
import { steadyUploads } from "./measure/steady.ts";
import { submitting } from "./measure/submits.ts";
import { leavingRowByRow, omoideWorkers } from "./measure/workers.ts";
import { appending, uploading, watching } from "./measure/uploads.ts";
import { driver, naive, queue } from "./peers/peers.ts";
import { STATEMENT_NAMES } from "./figures.ts";
import type { Scenario, Target } from "./scenario.ts";

const KB = 1000;
const MB = 1000 * KB;

/** A picture archive: each picture with a preview and a thumbnail. */
const MIX: Load = {
  count: 450,
  kinds: [
    { mediaType: "content", bytes: [1 * MB, 5 * MB] },
    { mediaType: "preview", bytes: [100 * KB, 300 * KB] },
    { mediaType: "thumbnail", bytes: [10 * KB, 50 * KB] },
  ],
  owners: 20,
};

const PEERS: Readonly<Record<string, Carrier>> = {
  "row at a time": naive,
  "job queue": queue,
  "ordinary driver": driver,
};

/** The workers beside peers and floors, on one load. */
function carried(
  name: string,
  title: string,
  load: Load,
  targets: readonly Target[] = [],
  peers = PEERS,
): Scenario {
  return {
    name,
    title,
    contenders: {
      workers: carrying(omoideWorkers, load),
      ...Object.fromEntries(
        Object.entries(peers).map(([peer, carrier]) => [peer, carrying(carrier, load)]),
      ),
      "files alone": filesAlone(load),
      "COPY into nothing": copyIntoNothing(load),
      "cp twice, sync": copiedTwice(load),
      "cp twice, sha256sum, sync": copiedAndChecked(load),
    },
    compared: "media_per_s",
    targets: [...BILL, ...targets],
  };
}

/** Half of what it was with DELETE and VACUUM, 15.7 s; see the README. */
const DATABASE_SECONDS_PER_GB = 7.85;
const BILL: readonly Target[] = [
  { figure: "wal_per_byte", most: 1.2 },
  { figure: "database_s_per_gb", most: DATABASE_SECONDS_PER_GB },
  { figure: "peak_memory_mb", most: 100 },
];
const AS_FAST_AS_COPYING: Target = {
  figure: "mb_per_s",
  to: "cp twice, sha256sum, sync",
  least: 1,
  everyRound: true,
};

function submitted(size: number, sessions: number): Scenario {
  return {
    name: `submits-${size / KB}kb-${sessions}`,
    title: `Uploads of ${size / KB} KB by ${sessions} session(s), nobody carries`,
    contenders: {
      "workers wait": submitting(size, sessions, "as workers"),
      "no notifications": submitting(size, sessions, "none"),
      "each one notifies": submitting(size, sessions, "always asleep"),
    },
    compared: "submits_per_s",
    targets: [{ figure: "submits_per_s", to: "no notifications", least: 0.9 }],
  };
}

/** A deep look at full speed beside the plain tool. */
function readAgain(name: string, title: string, load: Load): Scenario {
  return {
    name,
    title,
    contenders: { "deep look": deepLook(load), sha256sum: sha256sum(load) },
    compared: "read_mb_per_s",
    targets: [{ figure: "read_mb_per_s", to: "sha256sum", least: 0.8 }],
  };
}

/** Workers while their storages are scrubbed at their pace, and while nobody looks. */
function scrubbed(name: string, title: string, load: Load): Scenario {
  const had = ofSize(100 * KB, 500, 20);
  return {
    name,
    title,
    contenders: {
      "scrubs beside": carrying(workersBeside("scrubs", had), load),
      "nobody beside": carrying(workersBeside("nobody", had), load),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", to: "nobody beside", least: 0.95 }],
  };
}

/** One storage by 1 to 8 workers. */
function inLanes(
  name: string,
  title: string,
  load: Load,
  disk: "as it is" | "slow",
  targets: readonly Target[] = [],
): Scenario {
  const contenders = [8, 4, 2, 1].map((lanes) =>
    [lanes === 1 ? "1 lane" : `${lanes} lanes`, carriedInLanes(lanes, load, disk)] as const
  );
  return {
    ...{ name, title, contenders: Object.fromEntries(contenders), compared: "media_per_s" },
    targets,
    long: true,
  };
}

const ONE_LARGE = { size: 1024 ** 3, count: 1, atOnce: 1 };
/** As many as take some seconds: the first and the last of them have no company. */
const MANY_SMALL = { size: 2 * MB, count: 320, atOnce: 16 };

/** Of which on another becomes the current one; see recycle.sql. */
const GENERATION_MB = 128 * 1.048576;
const COUNTED = ofSize(20 * KB, 1024);
/**
 * For whoever takes one at a time. Row at a time commits three times for each media and sends five statements, so
 * 1,024 of them took a minute under strace; an eighth gives the same figures.
 */
const COUNTED_ONE_BY_ONE = ofSize(20 * KB, 128);

export const SCENARIOS: readonly Scenario[] = [
  carried("4kb", "5,000 media of 4 KB, one owner", ofSize(4 * KB, 5000)),
  carried("20kb", "5,000 media of 20 KB, one owner", ofSize(20 * KB, 5000), [
    { figure: "media_per_s", to: "row at a time", least: 4 },
    { figure: "media_per_s", to: "job queue", least: 10 },
  ]),
  carried("20kb-20", "5,000 media of 20 KB, 20 owners", ofSize(20 * KB, 5000, 20)),
  carried("300kb", "1,000 media of 300 KB", ofSize(300 * KB, 1000)),
  carried(
    "2mb",
    "300 media of 2 MB",
    ofSize(2 * MB, 300),
    [AS_FAST_AS_COPYING, { figure: "database_s_per_gb", to: "leaving row by row", most: 0.5 }],
    { "leaving row by row": leavingRowByRow, ...PEERS },
  ),
  carried(
    "200mb",
    "3 media of 200 MB",
    ofSize(200 * MB, 3),
    [AS_FAST_AS_COPYING],
    // The others hold a row twice as text, 400 MB of it, or none at all.
    {},
  ),
  carried("mix", "A picture archive: 150 pictures with preview and thumbnail, 20 owners", MIX),
  {
    name: "tls",
    title: "The same archive over encrypted connections",
    contenders: {
      encrypted: carrying(omoideWorkers, MIX, { tls: true }),
      plain: carrying(omoideWorkers, MIX),
    },
    compared: "media_per_s",
    targets: [
      { figure: "peak_memory_mb", most: 150 },
      { figure: "peak_memory_mb", of: "plain", most: 100 },
    ],
  },
  ...[4 * KB, 20 * KB].flatMap((size) => [1, 4, 16].map((sessions) => submitted(size, sessions))),
  {
    name: "latency",
    title: "One upload at a time of 300 KB, workers that have nothing else to do",
    contenders: { workers: latencyAtRest(300 * KB) },
    targets: [{ figure: "latency_p50_ms", most: 12 }],
  },
  {
    name: "gateway-1gb",
    title:
      "One upload of 1 GiB through the gateway, by one request or in parts as the page does it",
    contenders: {
      PUT: uploading(ONE_LARGE, "PUT"),
      "append_chunk alone": appending(ONE_LARGE),
      PATCH: uploading(ONE_LARGE, "PATCH"),
    },
    compared: "received_mb_per_s",
    targets: [
      { figure: "received_mb_per_s", to: "append_chunk alone", least: 0.9 },
      { figure: "received_mb_per_s", of: "PATCH", to: "append_chunk alone", least: 0.9 },
      { figure: "peak_memory_mb", most: 200 },
    ],
  },
  {
    name: "gateway-2mb",
    title: "Uploads of 2 MB through the gateway, 16 at once",
    contenders: {
      "16 at once": uploading(MANY_SMALL, "PUT"),
      "one by one": uploading({ ...MANY_SMALL, count: 80, atOnce: 1 }, "PUT"),
    },
    compared: "received_mb_per_s",
    // Three times one by one, or this: two cores cannot do three times what keeps one of them busy.
    targets: [{ figure: "busy_percent", least: 90 }],
  },
  {
    name: "gateway-idle",
    title: "200 people who watch the gateway's events, and see nothing happen",
    contenders: { gateway: watching(200) },
    targets: [{ figure: "core_percent", most: 2 }],
    once: true,
  },
  {
    name: "start",
    title: "`--once` with nothing to do",
    contenders: { worker: onceWithNothing, "an empty program": emptyProgram },
    compared: "seconds",
  },
  {
    name: "idle",
    title: "Workers that have nothing to do",
    contenders: { workers: idleWorkers },
    targets: [{ figure: "core_percent", most: 0.5 }, { figure: "peak_memory_mb", most: 100 }],
  },
  {
    name: "counts",
    title: "1,024 media of 20 KB, counted (128 with one row or one job at a time)",
    contenders: {
      workers: counted(omoideWorkers, COUNTED),
      "row at a time": counted(naive, COUNTED_ONE_BY_ONE),
      "job queue": counted(queue, COUNTED_ONE_BY_ONE),
      "ordinary driver": counted(driver, COUNTED),
    },
    once: true,
  },
  readAgain("scrub-2mb", "300 files of 2 MB read again, from memory", ofSize(2 * MB, 300)),
  readAgain(
    "scrub-20kb",
    "5,000 files of 20 KB read again, from memory",
    ofSize(20 * KB, 5000, 20),
  ),
  {
    name: "scrub-paced",
    title: "A scrub of 2,000 files of 100 KB that takes its time",
    contenders: { scrub: pacedScrub(ofSize(100 * KB, 2000, 20)) },
    targets: [{ figure: "core_percent", most: 5 }, { figure: "peak_memory_mb", most: 100 }],
  },
  scrubbed("scrubbed-20kb", "5,000 media of 20 KB, scrubs beside", ofSize(20 * KB, 5000)),
  scrubbed("scrubbed-2mb", "300 media of 2 MB, scrubs beside", ofSize(2 * MB, 300)),
  {
    name: "heartbeats",
    title: "Heartbeats of one worker, with a history of two days and a year",
    contenders: { worker: heartbeats },
    targets: [{ figure: "beat_p50_ms", most: 2 }],
  },
  inLanes("lanes", "4,000 media of 20 KB into one storage", ofSize(20 * KB, 4000, 20), "as it is"),
  inLanes(
    "lanes-slow",
    `250 media of 20 KB into one below FUSE, where each change takes ${DELAY_MS} ms longer`,
    ofSize(20 * KB, 250, 20),
    "slow",
    [{ figure: "media_per_s", to: "1 lane", least: 3 }],
  ),
  {
    name: "steady",
    title: "Uploads of 300 KB that never pause, for a minute",
    contenders: { workers: steadyUploads(300 * KB) },
    targets: [{ figure: "files_beyond_live_mb", most: 2 * GENERATION_MB }],
  },
  {
    name: "backlog",
    title: "The first 10,000 media of a backlog (1 KB each, 1,000 at a time where that is all)",
    contenders: {
      "of 1,000": grown({ backlog: 1000 }),
      "of 10,000": grown({ backlog: 10_000 }),
      "of 100,000": grown({ backlog: 100_000 }),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", of: "of 100,000", to: "of 1,000", least: 0.9 }],
  },
  {
    name: "backlog-1m",
    title: "The same of a million",
    contenders: {
      "of 1,000": grown({ backlog: 1000 }),
      "of 1,000,000": grown({ backlog: 1_000_000 }),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", of: "of 1,000,000", to: "of 1,000", least: 0.9 }],
    long: true,
  },
  {
    name: "absent",
    title: "One storage alone, while 100,000 media are owed to the other, which is absent",
    contenders: {
      "nothing owed": grown({ backlog: 10_000, workers: ["hot"] }),
      "100,000 owed": grown({ backlog: 10_000, workers: ["hot"], absent: 100_000 }),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", of: "100,000 owed", to: "nothing owed", least: 0.9 }],
  },
  {
    name: "history",
    title: "A backlog of 10,000, with media that have left before",
    contenders: {
      "none": grown({ backlog: 10_000 }),
      "1,000,000": grown({ backlog: 10_000, history: 1_000_000 }),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", of: "1,000,000", to: "none", least: 0.95 }],
    long: true,
  },
  {
    name: "history-10m",
    title: "The same with ten million, which take four minutes to be made",
    contenders: {
      "none": grown({ backlog: 10_000 }),
      "10,000,000": grown({ backlog: 10_000, history: 10_000_000 }),
    },
    compared: "media_per_s",
    targets: [{ figure: "media_per_s", of: "10,000,000", to: "none", least: 0.95 }],
    long: true,
  },
  {
    name: "flat",
    title: "What each statement takes, with media that have left before and 100,000 owed",
    contenders: {
      "10,000": statementsAfter(10_000),
      "1,000,000": statementsAfter(1_000_000),
      "10,000,000": statementsAfter(10_000_000),
    },
    targets: [
      ...STATEMENT_NAMES.map((figure) => ({
        ...{ figure, of: "10,000,000", to: "10,000", most: 1.5 },
      })),
      { figure: "status_ms", of: "10,000,000", most: 50 },
      { figure: "counts_ms", of: "10,000,000", most: 50 },
      { figure: "page_ms", of: "10,000,000", most: 50 },
      { figure: "bytes_per_media", of: "10,000,000", most: 420 },
    ],
    once: true,
    long: true,
  },
];
