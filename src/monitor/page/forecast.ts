import type { HistoryPoint } from "../../inbox/status/history.ts";

const LOOK_BACK_S = 30 * 86_400;
/** Less says nothing: a night, a holiday's pictures. */
const LEAST_S = 86_400;

/**
 * In how many seconds a storage is full, if it goes on as it did in the last thirty days.
 *
 * @returns null where it is not becoming fuller, or is known for less than a day
 */
export function secondsUntilFull(
  points: readonly HistoryPoint[],
  freeBytes: number,
  now: number,
): number | null {
  const first = points.find(({ at, freeBytes }) => at >= now - LOOK_BACK_S && freeBytes !== null);
  if (first === undefined || first.freeBytes === null) return null;
  const elapsed = now - first.at;
  const used = first.freeBytes - freeBytes;
  return elapsed < LEAST_S || used <= 0 ? null : freeBytes / (used / elapsed);
}
