import type { Timeline } from "../../timeline.ts";
import { parseTimelineName, PRIVATE_DIRECTORY } from "../layout.ts";
import type { AuditLog } from "./audit_log.ts";
import type { GuardedTree } from "./guarded_tree.ts";

/**
 * Forgets that a storage has acknowledged on timelines newer than this one of the same cluster: for a
 * database that was restored to an earlier state, which every worker would take for an old primary.
 *
 * @returns the timelines that were forgotten
 */
export function forgetNewerTimelines(
  tree: GuardedTree,
  auditLog: AuditLog,
  timeline: Timeline,
): number[] {
  const newer = tree.list(PRIVATE_DIRECTORY).flatMap(({ name, info }) => {
    const noted = parseTimelineName(name);
    const isNewer = noted?.cluster === timeline.cluster && noted.number > timeline.number;
    return isNewer && info.isFile ? [{ ...noted, path: `${PRIVATE_DIRECTORY}/${name}`, info }] : [];
  });
  if (newer.length === 0) return [];
  const numbers = newer.map(({ number }) => number).sort((a, b) => a - b);
  auditLog.write("forget timelines", { ...timeline, newer: numbers });
  for (const { path, info } of newer) tree.remove(path, info);
  tree.sync(PRIVATE_DIRECTORY);
  return numbers;
}
