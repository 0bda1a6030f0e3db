import { type Connection, connectTo, type Credentials } from "../connect.ts";
import type { DatabaseServer } from "../database_url.ts";
import { CopySocket } from "./copy_socket.ts";
import type { CopyTap } from "./copy_tap.ts";

/** A connection on which COPY brings bytes. */
export interface CopyConnection {
  readonly connection: Connection;
  readonly tap: CopyTap;
}

/**
 * As `connectTo`, for a connection that COPY is read from.
 *
 * With `sslmode=require` the process must have been started with `--unsafely-ignore-certificate-errors` for the
 * server's host (`workerNeeds`): Deno has no such option for one connection. The driver's own socket has, and
 * took 290 MB of memory.
 */
export async function connectForCopy(
  server: DatabaseServer,
  credentials: Credentials,
  purpose: string,
): Promise<CopyConnection> {
  const socket = new CopySocket(server.tls === "disable" ? null : credentials);
  const connection = await connectTo(server, credentials, purpose, socket);
  return { connection, tap: socket.tap };
}
