import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import { type Connection, connectTo, type Credentials, streamOf } from "../connect.ts";
import { CopySocket } from "./copy_socket.ts";
import { CopyTap } from "./copy_tap.ts";
import type { DatabaseServer } from "../database_url.ts";

/** A connection on which COPY brings bytes. */
export interface CopyConnection {
  readonly connection: Connection;
  readonly tap: CopyTap;
}

/**
 * As `connectTo`, for a connection that COPY is read from.
 *
 * With `sslmode=require` it keeps the driver's own socket, and up to 250 MB of memory: Deno's cannot leave
 * the certificate unchecked.
 */
export async function connectForCopy(
  server: DatabaseServer,
  credentials: Credentials,
  purpose: string,
): Promise<CopyConnection> {
  if (server.tls !== "require") {
    const socket = new CopySocket(server.tls === "disable" ? null : credentials);
    const connection = await connectTo(server, credentials, purpose, socket);
    return { connection, tap: socket.tap };
  }
  const connection = await connectTo(server, credentials, purpose);
  return { connection, tap: tapOf(streamOf(connection)) };
}

/** Puts a tap between a stream and the driver that listens to it; between two messages, as after login. */
function tapOf(stream: Duplex): CopyTap {
  const driver = stream.listeners("data");
  stream.removeAllListeners("data");
  const tap = new CopyTap((bytes) => {
    for (const listener of driver) listener.call(stream, Buffer.from(bytes.buffer));
  });
  const fail = (error: unknown) => void stream.destroy(error as Error);
  stream.on("data", (piece: Uint8Array) => {
    // What was read already when it was destroyed; the consumer may still be at the piece before.
    if (stream.destroyed) return;
    try {
      const taken = tap.push(piece);
      if (taken === undefined) return;
      stream.pause();
      taken.then(() => stream.resume(), fail);
    } catch (error) {
      fail(error);
    }
  });
  return tap;
}
