import { ofBothHalves } from "./both_halves.ts";
import { columnsOf, type FileOfMedia, FILES, IS_FILE } from "./file_of_media.ts";
import { type AdminInbox, ask } from "./inbox.ts";

const UPLOADS = ofBothHalves(
  "m",
  (half) => `SELECT m.id FROM ${FILES} JOIN omoide.media m ON ${IS_FILE} AND ${half}`,
);

/** How many uploads of these files have not left the inbox yet. */
export async function stillInInbox(
  { connection }: AdminInbox,
  files: readonly FileOfMedia[],
): Promise<number> {
  const [row] = await ask<{ n: number }>(
    connection,
    `SELECT count(*)::int AS n FROM (${UPLOADS}) u JOIN omoide.waiting w ON w.media_id = u.id`,
    columnsOf(files),
  );
  return row?.n ?? 0;
}

/** Removes a storage's receipts of files that are gone from it. */
export async function forgetReceipts(
  { connection }: AdminInbox,
  storageId: number,
  files: readonly FileOfMedia[],
): Promise<void> {
  await ask(
    connection,
    `DELETE FROM omoide.stored WHERE storage_id = $6 AND media_id IN (SELECT u.id FROM (${UPLOADS}) u)`,
    [...columnsOf(files), storageId],
  );
}
