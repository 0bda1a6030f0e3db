import type { InboxSession } from "./session.ts";

/**
 * Brings the session's lanes to its share: gives back what it has too many of, takes what is free. Only while
 * the worker has nothing under way: from then on others may carry what it gave.
 *
 * @returns the lanes it has taken that a worker left which died while it was storing; null if the storage has
 * another number of lanes by now: the session has none any more, and is to end
 * @throws {StorageDistrustedError} no lane of it may go on
 */
export async function takeLanes(session: InboxSession): Promise<readonly number[] | null> {
  const { count } = session.lanes;
  const [row] = await session.query<{ mine: number[] | null; unclean: number[] }>(
    session.control,
    "SELECT mine, unclean FROM omoide.take_lanes($1, $2, $3)",
    [count, session.life, session.process],
  );
  const mine = row?.mine ?? null;
  session.lanes = { count, mine: mine ?? [] };
  return mine === null ? null : row?.unclean ?? [];
}

/** Whether `takeLanes` would change something. */
export async function lanesDue(session: InboxSession): Promise<boolean> {
  const { count, mine } = session.lanes;
  const [row] = await session.query<{ due: boolean }>(
    session.control,
    "SELECT omoide.lanes_due($1, $2) AS due",
    [count, mine.length],
  );
  return row?.due === true;
}

/**
 * Asks to be notified of every media of its lanes from now on. If false, something is due already, or a submit that
 * counts on this worker to look by itself has not ended yet: it must do so.
 */
export async function fallAsleep(session: InboxSession): Promise<boolean> {
  const [row] = await session.query<{ asleep: boolean }>(
    session.control,
    "SELECT omoide.fall_asleep($1, $2) AS asleep",
    [session.lanes.count, session.lanes.mine],
  );
  return row?.asleep === true;
}

/** Says that this worker looks by itself again, so that submits need not notify it. */
export async function stayAwake(session: InboxSession): Promise<void> {
  await session.query(session.control, "SELECT omoide.stay_awake($1, $2)", [
    session.lanes.count,
    session.lanes.mine,
  ]);
}
