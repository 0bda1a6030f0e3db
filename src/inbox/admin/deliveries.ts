import { UsageError } from "../../errors.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";

/** A delivery that has failed at least once. */
export interface FailedDelivery {
  readonly mediaId: string;
  readonly storage: string;
  readonly owner: string;
  readonly item: string;
  readonly mediaType: string;
  readonly ext: string;
  readonly size: number;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly parkedAt: Date | null;
}

/** What is parked, earliest first. */
export async function parkedDeliveries({ connection }: AdminInbox): Promise<FailedDelivery[]> {
  return await ask<FailedDelivery>(
    connection,
    `SELECT media_id AS "mediaId", storage, owner_uuid AS owner, item_uuid AS item,
      media_type AS "mediaType", ext, size::float8, attempts, last_error AS "lastError",
      parked_at AS "parkedAt"
    FROM omoide.parked
    ORDER BY media_id, storage`,
  );
}

/**
 * Lets what has failed be tried again at once, with its attempts counted from 0.
 *
 * @param ids media; all that have failed where null
 * @param storage only what is owed to this one
 * @returns how many deliveries
 * @throws {UsageError} an id that is not owed: nothing was changed
 */
export async function retryDeliveries(
  inbox: AdminInbox,
  ids: readonly string[] | null,
  storage: string | null,
): Promise<number> {
  const { connection } = inbox;
  return await transaction(inbox, async () => {
    const changed = await ask<{ media_id: string }>(
      connection,
      `WITH due AS (
        SELECT d.storage_id, d.media_id
        FROM omoide.delivery d JOIN omoide.storage s ON s.id = d.storage_id
        WHERE ($2::text IS NULL OR s.name = $2)
          AND ($1::bigint[] IS NULL AND (d.attempts > 0 OR d.parked_at IS NOT NULL)
            OR d.media_id = ANY ($1))
        FOR UPDATE OF d
      )
      SELECT omoide.owe_again(g.storage_id, g.ids) AS media_id
      FROM (SELECT storage_id, array_agg(media_id) AS ids FROM due GROUP BY storage_id) g`,
      [ids, storage],
    );
    const known = new Set(changed.map((row) => row.media_id));
    const unknown = (ids ?? []).filter((id) => !known.has(id));
    if (unknown.length > 0) {
      throw new UsageError(
        `media ${unknown.join(", ")} ${unknown.length === 1 ? "is" : "are"} not owed to ` +
          `${storage ?? "any storage"}; nothing was changed (\`inbox parked\` lists what is)`,
      );
    }
    await ask(connection, "SELECT omoide.wake_workers()");
    return changed.length;
  });
}
