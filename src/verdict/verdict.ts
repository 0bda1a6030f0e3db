import { EXIT, type ExitCode } from "../exit_codes.ts";
import { judgeDurability } from "../inbox/durability.ts";
import { roleOf } from "../inbox/role_names.ts";
import type { InboxStatus, StorageStatus } from "../inbox/status/status.ts";
import { count, showBytes, showDuration } from "../units.ts";
import { findingTroubles, lastLooks, lookTroubles } from "./looks.ts";

/**
 * A worker sends a heartbeat every 10 s and finds a lost connection within 30 s: after a minute it is
 * dead, or cut off.
 */
const DEAD_AFTER_S = 60;
/** A standby that works answers within a second; what has waited for longer hangs, and all uploads with it. */
const COMMIT_WAITS_S = 10;
/** The share of a limit from which a warning is due, before the limit is met. */
const NEAR = 0.8;
/** The worker itself stops at 5 % (its `--reserve`). */
const LITTLE_SPACE = 0.1;

/** Everything that is not as it should be, and the one word for all of it. */
export interface Verdict {
  readonly word: "safe" | "behind" | "attention";
  readonly code: ExitCode;
  /** What an administrator must look at. */
  readonly attention: readonly string[];
  /** What only takes time. */
  readonly behind: readonly string[];
}

/** Answers "is everything safe?" from what the inbox knows. */
export function judge(status: InboxStatus): Verdict {
  const attention: string[] = [], behind: string[] = [];
  const active = status.storages.filter((storage) => !storage.retired);
  if (active.length < status.minCopies) {
    attention.push(
      `${count(active.length, "storage")} of at least ${status.minCopies} registered: ` +
        "nothing can leave the inbox; `storage init`",
    );
  }
  for (const storage of active) {
    attention.push(...troubles(storage), ...lookTroubles(storage, status.scrubCycle));
    const { storage: name, owed, owedBytes, oldestOwedAge, failing } = storage;
    if (owed > 0) {
      behind.push(
        `${name} is owed ${count(owed, "media", "media")} (${showBytes(owedBytes)}), ` +
          `the oldest for ${showDuration(oldestOwedAge ?? 0)}` +
          (failing > 0
            ? `; ${failing.toLocaleString("en-US")} failed and will be tried again`
            : ""),
      );
    }
  }
  attention.push(...findingTroubles(status));
  attention.push(...limits(status));
  // SAFE is said only from a database that keeps what it commits.
  attention.push(...judgeDurability(status.durability).broken);
  if (status.commitWaitAge !== null && status.commitWaitAge > COMMIT_WAITS_S) {
    attention.push(
      `commits have waited for a synchronous standby for ${showDuration(status.commitWaitAge)}: ` +
        "uploads and receipts hang; bring the standby back, or see synchronous_standby_names",
    );
  }
  if (status.underReplicated > 0) {
    attention.push(
      `${
        count(status.underReplicated, "media", "media")
      } in fewer than ${status.minCopies} trusted storages: ` +
        "`storage compare`, `storage sync`, then `storage rebuild`",
    );
  }
  if (status.sharedPaths > 0) {
    attention.push(
      `${
        count(status.sharedPaths, "path")
      } with receipts for different bytes: an older database was ` +
        "restored; `storage verify` says what is there, `storage rebuild` writes it down",
    );
  }
  if (status.miscounts > 0) {
    attention.push(
      `${count(status.miscounts, "counter")} of what the storages have ${
        status.miscounts === 1 ? "was" : "were"
      } wrong, and so may these numbers be: \`inbox recount --fix\`; report it`,
    );
  }
  if (status.foreign > 0) {
    attention.push(
      `${
        count(status.foreign, "table or function", "tables and functions")
      } of the inbox with another ` +
        `owner than ${
          roleOf("owner", status.inboxName)
        }, as a restore leaves them: run \`inbox init\``,
    );
  }
  if (status.incomplete > 0) {
    behind.push(
      `${
        count(status.incomplete, "media", "media")
      } from before a storage was added are not in all: ` +
        "`storage sync`, then `storage rebuild`",
    );
  }
  const word = attention.length > 0 ? "attention" : behind.length > 0 ? "behind" : "safe";
  const code = { safe: EXIT.OK, behind: EXIT.BEHIND, attention: EXIT.ATTENTION }[word];
  return { word, code, attention, behind };
}

function troubles(storage: StorageStatus): string[] {
  const { storage: name, state, reason, seenAge, owed, parked, distrusted } = storage;
  const worker = storage.lanes.length === 0 ? `the worker of ${name}` : `a worker of ${name}`;
  const found: string[] = [];
  if (distrusted !== null) {
    found.push(
      `${name} is distrusted: ${distrusted}; fix the disk, then \`storage trust ${name}\``,
    );
  } else if (seenAge === null) {
    found.push(`no worker of ${name} has ever been seen; start it`);
  } else if (state === "paused") {
    found.push(`${name} takes nothing: ${reason ?? "no reason given"}`);
  } else if (state === "stopped" && owed > 0) {
    found.push(`${worker} was stopped ${showDuration(seenAge)} ago; start it`);
  } else if (state !== "stopped" && seenAge > DEAD_AFTER_S) {
    found.push(`${worker} was last seen ${showDuration(seenAge)} ago; start it`);
  }
  if (parked > 0) {
    found.push(
      `${
        count(parked, "media", "media")
      } of ${name} given up on: \`inbox parked\`, \`inbox retry\``,
    );
  }
  for (
    const [what, free, total] of [
      ["space", storage.freeBytes, storage.totalBytes],
      ["inodes", storage.freeInodes, storage.totalInodes],
    ] as const
  ) {
    if (state !== "paused" && free !== null && total !== null && free < total * LITTLE_SPACE) {
      found.push(`${name} has ${Math.floor(free / total * 100)} % of its ${what} left; enlarge it`);
    }
  }
  return found;
}

function limits(status: InboxStatus): string[] {
  const found: string[] = [];
  const near = (what: string, used: number, limit: number, show: (n: number) => string) => {
    if (used >= limit * NEAR) {
      found.push(`${what}: ${show(used)} of ${show(limit)}; \`inbox limits\``);
    }
  };
  near("the inbox is nearly full", status.bytes, status.bytesLimit, showBytes);
  near("the inbox's files are large", status.diskBytes, status.diskBytesLimit, showBytes);
  for (const { owner, bytes, bytesLimit, media, mediaLimit } of status.usage) {
    const who = owner === null ? "all owners are" : `owner ${owner} is`;
    near(`${who} near today's limit`, bytes, bytesLimit, showBytes);
    near(`${who} near today's limit`, media, mediaLimit, (n) => count(n, "media", "media"));
  }
  return found;
}

/**
 * The verdict in a sentence.
 *
 * @param counted whether the copies of everything that was ever stored were counted
 */
export function headline(
  { storages, minCopies }: InboxStatus,
  { word, attention, behind }: Verdict,
  counted: boolean,
): string {
  if (word === "behind") {
    return "BEHIND: nothing is wrong, but the storages do not have everything yet.";
  }
  if (word === "attention") {
    const found = attention.length + behind.length;
    return `ATTENTION: ${count(found, "thing")} to look at, the most urgent marked with !.`;
  }
  if (!counted) return "SAFE: nothing is owed to any storage (copies not counted).";
  const active = storages.filter((storage) => !storage.retired).length;
  return `SAFE: every media is in all ${active} storages (at least ${minCopies} are required).`;
}

/** The verdict as the last line: SAFE says how old its evidence is. */
export function sentence(status: InboxStatus, verdict: Verdict, counted: boolean): string {
  const line = headline(status, verdict, counted);
  return verdict.word === "safe" ? `${line} ${lastLooks(status)}` : line;
}

/** The answer for programs: `inbox status --json`, and the monitor's `/status.json`. */
export function statusJson(status: InboxStatus, { word, attention, behind }: Verdict) {
  return { verdict: word, attention, behind, ...status };
}
