import { type AdminInbox, ask, transaction } from "./inbox.ts";
import type { RegisteredStorage } from "./storages.ts";

/** Believes a storage again. Its worker may take it, and its receipts count. */
export async function clearDistrust(
  inbox: AdminInbox,
  storage: RegisteredStorage,
): Promise<void> {
  const { connection } = inbox;
  await transaction(inbox, async () => {
    await ask(
      connection,
      "UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL WHERE id = $1",
      [storage.id],
    );
    await ask(
      connection,
      "UPDATE omoide.worker SET state = 'stopped', reason = NULL " +
        "WHERE storage_id = $1 AND state = 'distrusted'",
      [storage.id],
    );
  });
}

/**
 * Takes back receipts of media that are still in the inbox, and owes them to the storage again.
 *
 * @returns their ids: what has left the inbox, even a moment ago, is not touched and not among them
 */
export async function redeliver(
  { connection }: AdminInbox,
  storageId: number,
  mediaIds: readonly string[],
): Promise<string[]> {
  const rows = await ask<{ media_id: string }>(
    connection,
    `WITH held AS (
      -- Writing the row, not only locking it, makes a release with an older snapshot fail.
      UPDATE omoide.waiting w SET generation = w.generation
      WHERE w.media_id = ANY ($2::bigint[]) RETURNING w.media_id
    ), void AS (
      DELETE FROM omoide.stored r USING held h WHERE r.storage_id = $1 AND r.media_id = h.media_id
    )
    SELECT omoide.owe_again($1, ARRAY(SELECT h.media_id FROM held h)) AS media_id`,
    [storageId, mediaIds],
  );
  return rows.map(({ media_id }) => media_id);
}
