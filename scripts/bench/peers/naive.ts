/** The worker that one would write first: one row at a time, SELECT, write, UPDATE; no fsync, no checksum. */
import { column, markStored, openDatabase, root, sayPeakMemory } from "./peer_process.ts";

const database = await openDatabase();
for (;;) {
  const { rows: [row] } = await database.query<{ id: string; content: Uint8Array }>(
    `SELECT id, content FROM public.peer_media WHERE NOT ${column} ORDER BY id LIMIT 1`,
  );
  if (row === undefined) break;
  await Deno.writeFile(`${root}/${row.id}.jpg`, row.content);
  await markStored(database, [row.id]);
}
await database.end();
sayPeakMemory();
