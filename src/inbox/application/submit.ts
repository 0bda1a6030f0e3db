import { createHash } from "node:crypto";
import { ConfigurationError } from "../../errors.ts";
import type { MediaName } from "../../media.ts";
import { CHUNK_BYTES } from "../copy/chunk_bytes.ts";
import type { Connection } from "../connect.ts";

/** What an application says of a file. */
export type Description = Pick<MediaName, "ownerUuid" | "itemUuid" | "mediaType" | "ext">;

/**
 * Submits a file that fits in memory, in one statement. Safe to repeat when the answer was lost: the same
 * bytes under the same name are the same file.
 *
 * @returns the media's id
 * @throws pg.DatabaseError with a SQLSTATE of `SQLSTATE` if the inbox refuses it; nothing is stored then
 */
export async function submitMedia(
  connection: Connection,
  { ownerUuid, itemUuid, mediaType, ext }: Description,
  content: Uint8Array,
): Promise<bigint> {
  const { rows } = await connection.query<{ id: string }>({
    ...SUBMIT,
    values: [ownerUuid, itemUuid, mediaType, ext, content],
  });
  return idOf(rows);
}

/**
 * Named, so that each connection plans them once. A plan that is made for these values alone has them copied
 * into it again and again: 5 % of what 2 MB cost the database to come in.
 */
const SUBMIT = {
  name: "submit_media",
  text: "SELECT omoide.submit_media($1, $2, $3, $4, $5) AS id",
};
const APPEND = { name: "append_chunk", text: "SELECT omoide.append_chunk($1, $2, $3)" };

/**
 * Submits a file of any size, chunk by chunk in one transaction, holding one chunk in memory. Errors as
 * `submitMedia`.
 */
export async function streamMedia(
  connection: Connection,
  { ownerUuid, itemUuid, mediaType, ext }: Description,
  content: AsyncIterable<Uint8Array>,
): Promise<bigint> {
  await connection.query("BEGIN");
  try {
    const { rows } = await connection.query<{ id: string }>(
      "SELECT omoide.open_media($1, $2, $3, $4) AS id",
      [ownerUuid, itemUuid, mediaType, ext],
    );
    const id = idOf(rows);
    const hash = createHash("sha256");
    let size = 0;
    let seq = 0;
    for await (const chunk of chunksOf(content)) {
      hash.update(chunk);
      size += chunk.length;
      await connection.query({ ...APPEND, values: [id, seq++, chunk] });
    }
    await connection.query("SELECT omoide.seal_media($1, $2, $3)", [id, size, hash.digest()]);
    await connection.query("COMMIT");
    return id;
  } catch (error) {
    await connection.query("ROLLBACK");
    throw error;
  }
}

async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + CHUNK_BYTES - filled);
      chunk.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled === CHUNK_BYTES) {
        yield chunk;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

function idOf(rows: readonly { id: string }[]): bigint {
  const [row] = rows;
  if (row === undefined) {
    throw new ConfigurationError("the inbox gave no id; see that it is an inbox");
  }
  return BigInt(row.id);
}
