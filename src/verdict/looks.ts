/** What follows from when a storage was last looked at, and from what was found. */
import type { InboxStatus, StorageStatus } from "../inbox/status/status.ts";
import { count, showDuration } from "../units.ts";
import { FIXES } from "./fixes.ts";

/** Every name is looked at once a day. */
const SHALLOW_WITHIN_S = 2 * 86_400;

/** Findings that are open: each kind with the command that helps. */
export function findingTroubles({ findings }: InboxStatus): string[] {
  return findings.map(({ storage, kind, open, oldestAge }) =>
    `${storage}: ${count(open, "finding")} ${quoted(kind)}, the oldest since ` +
    `${showDuration(oldestAge)}: ${FIXES[kind]}`
  );
}

/** A storage that nobody has looked at for too long. One that is new counts from its registration. */
export function lookTroubles(storage: StorageStatus, scrubCycle: number | null): string[] {
  if (scrubCycle === null) return [];
  const { storage: name, registeredAge, looks } = storage;
  const { shallow, deep } = looks;
  const start = `start omoide-scrub@${name}, or see its journal`;
  const troubles: string[] = [];
  if ((shallow.finishedAge ?? registeredAge) > SHALLOW_WITHIN_S) {
    troubles.push(
      `the names of ${name} were ${lastDone(shallow.finishedAge, "looked at")}; ${start}`,
    );
  }
  if ((deep.finishedAge ?? registeredAge) > 2 * scrubCycle) {
    troubles.push(
      `${name} was ${lastDone(deep.finishedAge, "read to its end")}, and should be every ` +
        `${showDuration(scrubCycle)}; ${start}`,
    );
  }
  return troubles;
}

/** When each storage was last looked at, for whoever hears that all is safe. */
export function lastLooks({ storages, scrubCycle }: InboxStatus): string {
  if (scrubCycle === null) {
    return "No scrub is expected: `inbox limits --scrub-cycle 30d` makes a missing one ATTENTION.";
  }
  const active = storages.filter(({ retired }) => !retired);
  const sentences = active.map(({ storage, looks: { shallow, deep } }) =>
    shallow.finishedAge === null && deep.finishedAge === null
      ? `nobody has looked at ${storage} yet`
      : `${storage} was ${lastDone(shallow.finishedAge, "looked at")} and ` +
        lastDone(deep.finishedAge, "read to its end")
  );
  return sentences.length === 0 ? "" : `${capital(sentences.join("; "))}.`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function lastDone(age: number | null, what: string): string {
  return age === null ? `not ${what} yet` : `last ${what} ${showDuration(age)} ago`;
}

function quoted(kind: string): string {
  return `“${kind}”`;
}
