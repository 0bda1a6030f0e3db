/**
 * The worker that one would write first, as a measure: one row at a time, SELECT, write, UPDATE, no fsync.
 * Arguments: database URL, directory, column of its own.
 */
import { connect } from "../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../src/inbox/database_url.ts";

const [url = "", directory = "", column = ""] = Deno.args;
const { address } = parseAdminDatabaseUrl(url, "postgres");
const connection = await connect(address, {}, "naive worker");
for (;;) {
  const { rows: [row] } = await connection.query<{ id: string; content: Uint8Array }>(
    `SELECT id, content FROM naive WHERE NOT ${column} ORDER BY id LIMIT 1`,
  );
  if (row === undefined) break;
  await Deno.writeFile(`${directory}/${row.id}.jpg`, row.content);
  await connection.query(`UPDATE naive SET ${column} = true WHERE id = $1`, [row.id]);
}
await connection.end();
