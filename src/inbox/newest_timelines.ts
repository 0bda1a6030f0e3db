import { DatabaseUnavailableError } from "../errors.ts";
import { showTimeline, type Timeline } from "../timeline.ts";
import { type DatabaseServer, showAddress } from "./database_url.ts";

/** By cluster: the newest timeline that this process has heard of, from a server or from a storage. */
const NEWEST = new Map<string, number>();

/** Has every primary of an older timeline refused from now on. */
export function noteTimeline({ cluster, number }: Timeline): void {
  NEWEST.set(cluster, Math.max(number, NEWEST.get(cluster) ?? 0));
}

/**
 * An old primary that comes back, or that a cut has left alone, may still take writes; all of them will be
 * thrown away when it joins its cluster again.
 *
 * @throws {DatabaseUnavailableError} a newer timeline of its cluster is known
 */
export function refuseOldTimeline(server: DatabaseServer, timeline: Timeline): void {
  const newest = NEWEST.get(timeline.cluster) ?? 0;
  if (timeline.number >= newest) return;
  throw new DatabaseUnavailableError(
    `The database at ${showAddress(server)} is an old primary, of ${showTimeline(timeline)}: ` +
      `another server was promoted to timeline ${newest}. See why this one still takes writes. If the ` +
      "whole database was restored to an earlier state, run `storage rebuild --restored` for each storage",
  );
}
