import type { History } from "../../inbox/status/history.ts";
import type { InboxStatus, LookStatus, StorageStatus } from "../../inbox/status/status.ts";
import { count, showBytes, showDuration } from "../../units.ts";
import { laneGroups, showLaneGroup } from "../../verdict/lane_groups.ts";
import { secondsUntilFull } from "./forecast.ts";
import { card, cards, type Html, html } from "./html.ts";

const COLUMNS = [
  "storage",
  "worker",
  "owed",
  "last stored",
  "looked at",
  "read to its end",
  "free",
];

/** Each storage as a row; on a phone, as a block. @param now seconds since the epoch */
export function storageTable(
  { storages }: InboxStatus,
  history: History | null,
  counted: boolean,
  now: number,
): Html {
  const active = storages.filter(({ retired }) => !retired);
  if (active.length === 0) return html`<p>No storage is registered yet.</p>`;
  const cells = (storage: StorageStatus) => [
    workerCell(storage),
    owedCell(storage),
    storage.lastReceiptAge === null ? "nothing yet" : ago(storage.lastReceiptAge),
    lookCell(storage.looks.shallow),
    readCell(storage.looks.deep),
    freeCell(storage, history, now),
  ];
  const rows = active.map((storage) => {
    const media = html`<span class="quiet">${count(storage.held, "media", "media")}</span>`;
    return html`<tr><th scope="row">${storage.storage}${
      counted
        ? html`
          ${media}
        `
        : null
    }</th>${cells(storage).map((cell, i) => card(COLUMNS[i + 1] ?? "", cell))}</tr>`;
  });
  return cards(COLUMNS, rows);
}

function workerCell({ state, reason, seenAge, distrusted, lanes }: StorageStatus): Html {
  if (distrusted !== null) return html`<strong>distrusted</strong>: ${distrusted}`;
  if (seenAge === null) return html`<strong>never seen</strong>`;
  const why = reason === null ? "" : `: ${reason}`;
  return html`${state}${why} <span class="quiet">seen ${ago(seenAge)}</span>${
    laneGroups(lanes).map((each) =>
      html`<br /><span class="quiet">${showLaneGroup(each, lanes.length)}</span>`
    )
  }`;
}

function owedCell({ owed, owedBytes, oldestOwedAge, failing, parked }: StorageStatus): Html {
  const more = [
    owed === 0
      ? null
      : `${showBytes(owedBytes)}, the oldest for ${showDuration(oldestOwedAge ?? 0)}`,
    failing === 0 ? null : `${failing.toLocaleString("en-US")} to be tried again`,
    parked === 0 ? null : `${parked.toLocaleString("en-US")} parked`,
  ].filter((part) => part !== null);
  return html`${owed === 0 ? "nothing" : count(owed, "media", "media")} <span class="quiet">${
    more.join("; ")
  }</span>`;
}

function lookCell({ finishedAge, underWayAge, files }: LookStatus): Html {
  const now = underWayAge === null ? "" : `now at ${count(files, "file")}`;
  return html`${
    finishedAge === null ? "not yet" : ago(finishedAge)
  } <span class="quiet">${now}</span>`;
}

function readCell({ finishedAge, underWayAge, bytes, finishedBytes }: LookStatus): Html {
  const of = finishedBytes === null || finishedBytes === 0
    ? ""
    : ` of about ${showBytes(Math.max(bytes, finishedBytes))}`;
  const now = underWayAge === null ? "" : `now at ${showBytes(bytes)}${of}`;
  return html`${
    finishedAge === null ? "not yet" : ago(finishedAge)
  } <span class="quiet">${now}</span>`;
}

function freeCell(
  { storage, freeBytes, totalBytes }: StorageStatus,
  history: History | null,
  now: number,
): Html {
  if (freeBytes === null || totalBytes === null) return html`not known`;
  const own = history?.year.filter((point) => point.storage === storage) ?? [];
  const left = secondsUntilFull(own, freeBytes, now);
  const full = left === null
    ? ""
    : left > 3 * 365 * 86_400
    ? "full in more than three years"
    : `full in ${showDuration(left)}, as it goes now`;
  return html`${showBytes(freeBytes)} of ${
    showBytes(totalBytes)
  } <span class="quiet">${full}</span>`;
}

export function ago(seconds: number): string {
  return `${showDuration(seconds)} ago`;
}
