/** A job queue, graphile-worker: one job for each media and storage, our store without its batches. */
import { Logger, runOnce } from "graphile-worker";
import { openStorage } from "../../../src/storage/open_storage.ts";
import {
  column,
  COLUMNS,
  markStored,
  publishAll,
  root,
  type Row,
  sayPeakMemory,
  storeRow,
  url,
} from "./peer_process.ts";

/** Jobs at once. One, its default, would wait for each fsync. */
const CONCURRENCY = 8;

const storage = await openStorage(root, { storage: column });
/** A storage takes one media at a time; flushing goes on side by side. */
let taking: Promise<unknown> = Promise.resolve();

async function store(row: Row): Promise<void> {
  const taken = taking.then(async () => {
    const batch = await storage.beginBatch();
    await storeRow(batch, row);
    return batch;
  });
  taking = taken.catch(() => {});
  await publishAll(await taken);
}

await runOnce({
  connectionString: url,
  concurrency: CONCURRENCY,
  maxPoolSize: CONCURRENCY + 1,
  noHandleSignals: true,
  logger: new Logger(() => (level, message) => {
    if (level === "error" || level === "warning") console.error(message);
  }),
  taskList: {
    [column]: async (payload, { withPgClient }) => {
      const { id } = payload as { readonly id: string };
      await withPgClient(async (database) => {
        const { rows: [row] } = await database.query<Row>(
          `SELECT ${COLUMNS} FROM public.peer_media WHERE id = $1`,
          [id],
        );
        if (row === undefined) throw new Error(`media ${id} has gone`);
        await store(row);
        await markStored(database, [id]);
      });
    },
  },
});
storage.close();
sayPeakMemory();
