/** Our batches and our store, but the bytes come as rows by the ordinary driver, and blobs leave by DELETE. */
import { openStorage } from "../../../src/storage/open_storage.ts";
import {
  column,
  COLUMNS,
  markStored,
  openDatabase,
  publishAll,
  root,
  type Row,
  sayPeakMemory,
  storeRow,
} from "./peer_process.ts";

/** As a worker's groups: at most this many media or bytes. */
const BATCH_MEDIA = 1024;
const BATCH_BYTES = 32 * 1024 * 1024;

const database = await openDatabase();
const storage = await openStorage(root, { storage: column });
let after = "0";
for (;;) {
  const { rows } = await database.query<Row>(
    `SELECT ${COLUMNS} FROM public.peer_media JOIN (
       SELECT id, sum(octet_length(content)) OVER (ORDER BY id) - octet_length(content) AS before FROM (
         SELECT id, content FROM public.peer_media WHERE id > $1 AND NOT ${column} ORDER BY id LIMIT $2
       ) next
     ) sized USING (id) WHERE before < $3 ORDER BY id`,
    [after, BATCH_MEDIA, BATCH_BYTES],
  );
  if (rows.length === 0) break;
  const batch = await storage.beginBatch();
  for (const row of rows) await storeRow(batch, row);
  await publishAll(batch);
  await markStored(database, rows.map(({ id }) => id));
  after = rows.at(-1)?.id ?? after;
}
storage.close();
await database.end();
sayPeakMemory();
