import {
  type Connection,
  connectTo,
  type Credentials,
  serverStateOf,
  streamOf,
} from "./connect.ts";
import type { DatabaseAddress } from "./database_url.ts";
import { watchForNewerPrimary } from "./newer_primary.ts";
import { onFirstServer, preferServer } from "./servers.ts";

/**
 * As `connect`, for a session that lasts: it ends once another server of the address was promoted after its own,
 * which may go on as if nothing had happened, with nobody at work in it.
 */
export async function connectToPrimary(
  address: DatabaseAddress,
  credentials: Credentials,
  purpose: string,
): Promise<Connection> {
  const { server, connection } = await onFirstServer(address, async (server) => ({
    server,
    connection: await connectTo(server, credentials, purpose),
  }));
  const { timeline } = serverStateOf(connection);
  // A standby, asked for as such: there is no newer one of its kind.
  if (timeline === null) return connection;
  const ended = new AbortController();
  connection.once("end", () => ended.abort());
  const leave = () => streamOf(connection).destroy();
  watchForNewerPrimary(address, credentials, {
    used: () => ({ server, timeline }),
    onNewer: (newer) => {
      preferServer(address, newer.server);
      leave();
    },
    stop: ended.signal,
  }).catch(leave);
  return connection;
}
