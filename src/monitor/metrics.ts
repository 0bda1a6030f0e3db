/**
 * What Prometheus is given: names and base units after its conventions. How fresh things are, and not whether
 * a process lives: a worker that runs and stores nothing is the one to hear of.
 */
import { Gauge, Registry } from "prom-client";
import { FINDING_KINDS } from "../finding.ts";
import type { InboxStatus, LaneStatus, StorageStatus } from "../inbox/status/status.ts";
import { VERSION } from "../version.ts";
import type { Latest } from "./watch.ts";

type Labels = Readonly<Record<string, string>>;

/** One scrape: each metric is named once, and has the values of the last answer. */
class Page {
  readonly registry = new Registry();

  /** Adds values to a metric; what is null is left out, as Prometheus wants what is not known. */
  set(name: string, help: string, values: readonly (readonly [number | null, Labels?])[]): void {
    const labelNames = [...new Set(values.flatMap(([, labels = {}]) => Object.keys(labels)))];
    const gauge = new Gauge({ name, help, labelNames, registers: [this.registry] });
    // It gives a metric without labels the value 0.
    gauge.reset();
    const known = values.filter(([value]) => value !== null);
    for (const [value, labels = {}] of known) gauge.set({ ...labels }, value ?? 0);
    if (known.length === 0) this.registry.removeSingleMetric(name);
  }
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** The text of `/metrics`. */
export async function metricsOf({ status, verdict, counted, age, error }: Latest): Promise<string> {
  const page = new Page();
  page.set("omoide_monitor_info", "The version of the monitor.", [[1, { version: VERSION }]]);
  page.set("omoide_database_up", "Whether the database has given the newest answer.", [
    [error === null && status !== null ? 1 : 0],
  ]);
  if (status === null || verdict === null) return await page.registry.metrics();
  page.set("omoide_status_age_seconds", "Since the database answered.", [[age]]);
  page.set(
    "omoide_verdict",
    "Whether everything is safe: 1 for the word that is said, 0 for the others.",
    (["safe", "behind", "attention"] as const).map((word) =>
      [verdict.word === word ? 1 : 0, { verdict: word }] as const
    ),
  );
  page.set("omoide_attention_items", "Things that an administrator must look at.", [
    [verdict.attention.length],
  ]);
  setStorages(page, status.storages.filter(({ retired }) => !retired), counted);
  setLanes(page, status.storages);
  setFindings(page, status);
  setInbox(page, status, counted);
  return await page.registry.metrics();
}

function setStorages(page: Page, storages: readonly StorageStatus[], counted: boolean): void {
  const each = (
    name: string,
    help: string,
    value: (storage: StorageStatus) => number | boolean | null,
  ) =>
    page.set(
      `omoide_storage_${name}`,
      help,
      storages.map((storage) => {
        const found = value(storage);
        return [found === null ? null : Number(found), { storage: storage.storage }] as const;
      }),
    );
  each("media", "Media that it has a receipt for.", ({ held }) => counted ? held : null);
  each(
    "media_bytes",
    "Bytes of the media that it has a receipt for.",
    ({ heldBytes }) => counted ? heldBytes : null,
  );
  each("owed_media", "Media that are still owed to it.", ({ owed }) => owed);
  each("owed_bytes", "Bytes that are still owed to it.", ({ owedBytes }) => owedBytes);
  each(
    "oldest_owed_age_seconds",
    "For how long the oldest media has been owed to it; 0 if none is.",
    ({ oldestOwedAge }) => oldestOwedAge ?? 0,
  );
  each("failing_media", "Media that failed and will be tried again.", ({ failing }) => failing);
  each("parked_media", "Media that its worker has given up on.", ({ parked }) => parked);
  each("last_receipt_age_seconds", "Since its last receipt.", (s) => s.lastReceiptAge);
  each("last_beat_age_seconds", "Since its worker's last heartbeat.", (s) => s.seenAge);
  each("distrusted", "Whether it is distrusted.", (s) => s.distrusted !== null);
  each("paused", "Whether its worker stores nothing for the moment.", (s) => s.state === "paused");
  each("free_bytes", "Free bytes of its file system.", ({ freeBytes }) => freeBytes);
  each("size_bytes", "Bytes of its file system.", ({ totalBytes }) => totalBytes);
  each("free_inodes", "Free inodes of its file system.", ({ freeInodes }) => freeInodes);
  each("inodes", "Inodes of its file system.", ({ totalInodes }) => totalInodes);
  each("registered_age_seconds", "Since it was registered.", (s) => s.registeredAge);
  each(
    "last_look_age_seconds",
    "Since a look at all its names came to its end; before the first, since it was registered.",
    (s) => s.looks.shallow.finishedAge ?? s.registeredAge,
  );
  each(
    "last_full_read_age_seconds",
    "Since it was read to its end; before the first time, since it was registered.",
    (s) => s.looks.deep.finishedAge ?? s.registeredAge,
  );
  each(
    "reading_bytes",
    "Bytes that the reading that is under way has read.",
    (s) => s.looks.deep.underWayAge === null ? null : s.looks.deep.bytes,
  );
}

/** Of storages that have several lanes. */
function setLanes(page: Page, storages: readonly StorageStatus[]): void {
  const each = (name: string, help: string, value: (lane: LaneStatus) => number | null) =>
    page.set(
      `omoide_lane_${name}`,
      help,
      storages.flatMap(({ storage, lanes }) =>
        lanes.map((lane) => [value(lane), { storage, lane: String(lane.lane) }] as const)
      ),
    );
  each(
    "owed_media",
    "Media that are still owed in this lane, of the 10,000 that are owed to the storage for longest.",
    (l) => l.owed,
  );
  each("last_beat_age_seconds", "Since the last heartbeat of its worker.", (l) => l.seenAge);
}

function setFindings(page: Page, { storages, findings }: InboxStatus): void {
  const active = storages.filter(({ retired }) => !retired);
  page.set(
    "omoide_findings",
    "What looks have found wrong and no later look has found well.",
    active.flatMap(({ storage }) =>
      FINDING_KINDS.map((kind) => {
        const found = findings.find((each) => each.storage === storage && each.kind === kind);
        return [found?.open ?? 0, { storage, kind: kind.replaceAll(" ", "_") }] as const;
      })
    ),
  );
}

function setInbox(page: Page, status: InboxStatus, counted: boolean): void {
  const one = (name: string, help: string, value: number | null) =>
    page.set(`omoide_${name}`, help, [[value]]);
  one("inbox_media", "Media that wait in the inbox.", status.media);
  one("inbox_bytes", "Bytes that wait in the inbox.", status.bytes);
  one("inbox_limit_bytes", "Bytes that may wait in the inbox.", status.bytesLimit);
  one("inbox_file_bytes", "Bytes of the inbox's files.", status.diskBytes);
  one("inbox_file_limit_bytes", "Bytes that the inbox's files may have.", status.diskBytesLimit);
  one("inbox_generations", "Tables of blobs that are not empty.", status.generations.length);
  one(
    "inbox_oldest_snapshot_age_seconds",
    "Since the oldest transaction of the inbox's roles began.",
    status.oldestSnapshotAge,
  );
  one(
    "commit_wait_age_seconds",
    "For how long a commit has waited for a synchronous standby; 0 if none does.",
    status.commitWaitAge ?? 0,
  );
  one("min_copies", "Storages that must have a media before it may leave.", status.minCopies);
  one("scrub_cycle_seconds", "Within which each storage should be read.", status.scrubCycle);
  if (!counted) return;
  one(
    "under_replicated_media",
    "Media that left the inbox and are in fewer trusted storages than must have them.",
    status.underReplicated,
  );
  one("incomplete_media", "Media that are in enough storages, but not in all.", status.incomplete);
  one("gone_media", "Media that no storage has a receipt for.", status.gone);
}
