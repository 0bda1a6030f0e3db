import { LANES_COUNT_MOST, type LaneStatus } from "../inbox/status/status.ts";
import { count, showDuration } from "../units.ts";

/** The lanes of one worker, or those that nobody has. */
export interface LaneGroup extends Omit<LaneStatus, "lane" | "owed"> {
  readonly lanes: readonly number[];
  /** Of the media that are owed for longest, where `isBounded`; of all if not. */
  readonly owed: number;
  readonly isBounded: boolean;
}

/** A storage's lanes, those of one worker together, by their first lane. */
export function laneGroups(lanes: readonly LaneStatus[]): LaneGroup[] {
  const groups = new Map<string | null, LaneGroup>();
  const isBounded = lanes.reduce((sum, { owed }) => sum + owed, 0) >= LANES_COUNT_MOST;
  for (const { lane, owed, ...each } of lanes) {
    const worker = each.state === "stopped" ? null : each.worker;
    const { lanes: before, owed: owedBefore } = groups.get(worker) ?? { lanes: [], owed: 0 };
    groups.set(worker, {
      ...(worker === null ? NOBODY : each),
      ...{ worker, lanes: [...before, lane], owed: owedBefore + owed, isBounded },
    });
  }
  return [...groups.values()];
}

const NOBODY = { address: null, state: null, reason: null, seenAge: null };

/** `lanes 0, 3 of 8: worker 3f2a1b7c at 10.0.0.5, storing, seen 2 s ago; owed 1,234 media` */
export function showLaneGroup(group: LaneGroup, of: number): string {
  const { lanes, worker, address, state, reason, seenAge, owed, isBounded } = group;
  const which = `${lanes.length === 1 ? "lane" : "lanes"} ${lanes.join(", ")} of ${of}`;
  const who = worker === null
    ? `nobody has ${lanes.length === 1 ? "it" : "them"}`
    : `worker ${worker.slice(0, 8)}${address === null ? "" : ` at ${address}`}, ${state}` +
      (reason === null ? "" : ` (${reason})`) + `, seen ${showDuration(seenAge ?? 0)} ago`;
  const share = isBounded
    ? `${owed.toLocaleString("en-US")} of the ${
      count(LANES_COUNT_MOST, "media", "media")
    } owed longest`
    : `owed ${count(owed, "media", "media")}`;
  return `${which}: ${who}; ${share}`;
}
