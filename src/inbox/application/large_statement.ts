import { Buffer } from "node:buffer";
import { pg } from "../pg.ts";

/** Values of no more bytes are copied: a write of their own would cost more. */
const SMALL_BYTES = 16 * 1024;

/**
 * Runs a named statement whose large values are sent as they lie in memory.
 *
 * The driver itself copies a value of 1 MiB into a message of 1.5 MiB, and its socket that into another:
 * 2.5 MiB of buffers to be collected for each MiB that is stored.
 *
 * @param values text as PostgreSQL reads it, or bytes. These are free to be used again once it has
 *   succeeded, or the server has refused it; after any other failure a socket may still be sending them
 */
export function runLargeStatement<Row extends pg.QueryResultRow>(
  client: pg.ClientBase,
  name: string,
  text: string,
  values: readonly (string | Uint8Array | null)[],
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query<Row>({ name, text }, (error, result) => {
      // The driver gives null for none.
      if (error) reject(error);
      else resolve(result.rows);
    });
    query.submit = (connection) => send(connection as Wire, name, text, values);
    client.query(query);
  });
}

/** What the driver keeps of a connection beyond its published types: statements that the server knows. */
type Wire = pg.Connection & {
  readonly parsedStatements: Readonly<Record<string, string>>;
  readonly submittedNamedStatements: Record<string, string>;
};

function send(
  connection: Wire,
  name: string,
  text: string,
  values: readonly (string | Uint8Array | null)[],
): void {
  const { parsedStatements, submittedNamedStatements } = connection;
  if (parsedStatements[name] === undefined && submittedNamedStatements[name] === undefined) {
    connection.parse({ name, text, types: [] }, true);
    submittedNamedStatements[name] = text;
  }
  writeInTurn(connection, bindMessage(name, values), () => {
    connection.describe({ type: "P", name: "" }, true);
    connection.execute({ portal: "", rows: "0" }, true);
    connection.sync();
  });
}

/** Each when the one before has been sent: what waits together in a stream is put together in a new buffer. */
function writeInTurn(
  connection: Wire,
  [first, ...rest]: readonly Uint8Array[],
  done: () => void,
): void {
  if (!connection.stream.writable) return;
  if (first === undefined) done();
  else connection.stream.write(first, () => writeInTurn(connection, rest, done));
}

/** Bind, in PostgreSQL's manual, chapter "Message Formats"; in parts, the large values among them. */
function bindMessage(
  name: string,
  values: readonly (string | Uint8Array | null)[],
): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: Uint8Array[] = [
    Buffer.from(`\0${name}\0`),
    int16(values.length),
    ...values.map((value) => int16(value instanceof Uint8Array ? 1 : 0)),
    int16(values.length),
  ];
  for (const value of values) {
    const bytes = typeof value === "string" ? Buffer.from(value) : value;
    small.push(int32(bytes?.length ?? -1));
    if (bytes === null) continue;
    if (bytes.length <= SMALL_BYTES) small.push(bytes);
    else {
      parts.push(Buffer.concat(small), bytes);
      small = [];
    }
  }
  // All results as text.
  parts.push(Buffer.concat([...small, int16(1), int16(0)]));
  const length = parts.reduce((sum, { length }) => sum + length, 0);
  const head = Buffer.concat([Buffer.from("B"), int32(4 + length), parts[0] ?? Buffer.alloc(0)]);
  return [head, ...parts.slice(1)];
}

function int16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
