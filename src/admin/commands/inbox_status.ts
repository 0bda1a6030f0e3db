import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { judgeDurability } from "../../inbox/durability.ts";
import { inboxStatus } from "../../inbox/status/ask_status.ts";
import {
  type GenerationStatus,
  type InboxStatus,
  MOST_WAITING,
  type StorageStatus,
  type Usage,
} from "../../inbox/status/status.ts";
import { laneGroups, showLaneGroup } from "../../verdict/lane_groups.ts";
import { lastLooks } from "../../verdict/looks.ts";
import { judge, sentence, statusJson } from "../../verdict/verdict.ts";
import { count, showBytes, showDuration } from "../../units.ts";
import { DATABASE_TO_ASK, plainCommand } from "../command.ts";

export const inboxStatusCommand = plainCommand<{ database: string; quick?: boolean }>({
  usage: "status",
  summary: "is everything safe? What is owed, parked, near a limit",
  description:
    "Shows for each storage what is owed to it and how its worker is, and the inbox's size " +
    "against its limits. Its last line is the verdict, and so is its exit status.",
  options: [
    DATABASE_TO_ASK,
    ["--quick", "don't count the copies of everything that was ever stored: for frequent checks"],
  ],
  examples: [
    "omoide-admin inbox status --database postgres://postgres@localhost/omoide",
    "omoide-admin inbox status --database … --json | jq .verdict",
  ],
  exits: {
    [EXIT.OK]: "safe: every media is in every storage",
    [EXIT.BEHIND]: "behind: something is still owed, and the workers are at it",
    [EXIT.ATTENTION]: "attention: someone must act; the last lines say on what",
  },
  need: "ask",
  run: async (_args, { database, quick }, { console }) => {
    await using inbox = await openInbox(database);
    const status = await inboxStatus(inbox.connection, quick === true);
    const verdict = judge(status);
    const { word, attention, behind } = verdict;
    console.result(statusJson(status, verdict));
    for (const storage of status.storages) {
      for (const line of storageLines(storage)) console.say(line);
    }
    for (const line of inboxLines(status)) console.say(line);
    for (const note of judgeDurability(status.durability).notes) console.say(`  note: ${note}`);
    if (word !== "safe") console.say(lastLooks(status));
    for (const each of attention) console.say(`! ${each}`);
    for (const each of behind) console.say(`- ${each}`);
    console.say(sentence(status, verdict, quick !== true));
    return verdict.code;
  },
});

function storageLines(storage: StorageStatus): string[] {
  const { storage: name, held, owed, owedBytes, oldestOwedAge, parked } = storage;
  if (storage.retired) return [`${name}: retired; has ${count(held, "media", "media")}`];
  const last = storage.lastReceiptAge === null
    ? "none yet"
    : `the last ${showDuration(storage.lastReceiptAge)} ago`;
  const waiting = owed === 0
    ? "nothing owed"
    : `owed ${count(owed, "media", "media")} (${showBytes(owedBytes)}, the oldest for ` +
      `${showDuration(oldestOwedAge ?? 0)})`;
  return [
    `${name}: has ${count(held, "media", "media")}, ${last}; ${waiting}; ` +
    `${parked.toLocaleString("en-US")} parked`,
    `  worker: ${workerText(storage)}`,
    ...laneGroups(storage.lanes).map((each) => `  ${showLaneGroup(each, storage.lanes.length)}`),
  ];
}

function workerText(storage: StorageStatus): string {
  const { state, reason, version, seenAge, standbySeenAge, freeBytes, totalBytes } = storage;
  if (seenAge === null) return "never seen";
  const parts = [
    `${state}${reason === null ? "" : ` (${reason})`}, seen ${showDuration(seenAge)} ago`,
  ];
  if (version !== null) parts.push(`version ${version}`);
  if (freeBytes !== null && totalBytes !== null) {
    parts.push(`${showBytes(freeBytes)} of ${showBytes(totalBytes)} free`);
  }
  if (standbySeenAge !== null && standbySeenAge < 60) parts.push("another stands by");
  if (storage.lastError !== null) parts.push(`last error: ${storage.lastError}`);
  return parts.join(", ");
}

function inboxLines(status: InboxStatus): string[] {
  const lines = [
    `inbox: ${count(status.media, "media", "media")}, ${showBytes(status.bytes)} of ` +
    `${showBytes(status.bytesLimit)}; files ${showBytes(status.diskBytes)} of ` +
    `${showBytes(status.diskBytesLimit)}`,
    ...status.generations.map(generationLine),
    ...status.usage.map(usageLine),
  ];
  if (status.gone > 0) {
    lines.push(
      `${count(status.gone, "media", "media")} in no storage: purged, or awaiting \`rebuild\``,
    );
  }
  return lines;
}

function generationLine(
  { generation, current, fileBytes, liveBytes, waiting, oldestAge }: GenerationStatus,
): string {
  const oldest = oldestAge === null ? "" : `, the oldest for ${showDuration(oldestAge)}`;
  const kept = waiting === 0
    ? "nothing waits in it, it is emptied at the next sweep"
    : waiting < MOST_WAITING
    ? `${showBytes(liveBytes)} of ${count(waiting, "upload", "uploads")} wait in it${oldest}`
    : `${count(MOST_WAITING, "upload", "uploads")} or more wait in it${oldest}`;
  return `  generation ${generation}${current ? ", the current one" : ""}: files ${
    showBytes(fileBytes)
  }; ${kept}`;
}

function usageLine({ owner, bytes, bytesLimit, media, mediaLimit }: Usage): string {
  return `  today, ${owner ?? "all owners"}: ${showBytes(bytes)} of ${showBytes(bytesLimit)}, ` +
    `${media.toLocaleString("en-US")} of ${count(mediaLimit, "media", "media")}`;
}
