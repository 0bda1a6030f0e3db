import { createHash } from "node:crypto";
import { messageOf } from "../../src/errors.ts";
import { connect, type Connection } from "../../src/inbox/connect.ts";
import { streamMedia, submitMedia } from "../../src/inbox/application/submit.ts";
import { parseDatabaseUrl } from "../../src/inbox/database_url.ts";
import { roleOf } from "../../src/inbox/role_names.ts";
import type { DemoFile } from "./files.ts";

/** What was submitted, as the submitter knows it. */
export interface Submitted {
  readonly file: DemoFile;
  readonly sha256: string;
}

/** An application has a few sessions; more only wait for the same two cores. */
const SESSIONS = 3;

/** Up to here a file is submitted in one statement, as most previews and pictures are. */
const IN_ONE_STATEMENT = 1024 * 1024;

/**
 * Submits files as the application's role.
 *
 * @returns them by the id that the inbox gave
 */
export async function submitAll(
  database: string,
  files: readonly DemoFile[],
  onSubmitted: () => void,
  signal: AbortSignal,
): Promise<Map<bigint, Submitted>> {
  const address = parseDatabaseUrl(database, roleOf("app"));
  const waiting = [...files];
  const submitted = new Map<bigint, Submitted>();
  const session = async () => {
    const connection = await connect(address, {}, "demo application");
    try {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        signal.throwIfAborted();
        const { id, sha256 } = await submitOne(connection, file);
        submitted.set(id, { file, sha256 });
        onSubmitted();
      }
    } finally {
      await connection.end();
    }
  };
  await Promise.all(Array.from({ length: SESSIONS }, session));
  return submitted;
}

async function submitOne(connection: Connection, file: DemoFile) {
  const hash = createHash("sha256");
  const hashed = async function* () {
    for await (const piece of file.content()) {
      hash.update(piece);
      yield piece;
    }
  };
  try {
    const id = file.size > IN_ONE_STATEMENT
      ? await streamMedia(connection, file.description, hashed())
      : await submitMedia(connection, file.description, await whole(hashed(), file.size));
    return { id, sha256: hash.digest("hex") };
  } catch (error) {
    throw new Error(
      `cannot submit ${file.name}: ${messageOf(error)}`,
    );
  }
}

async function whole(pieces: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
