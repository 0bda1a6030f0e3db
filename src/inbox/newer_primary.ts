import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import { sleep } from "../sleep.ts";
import type { Timeline } from "../timeline.ts";
import { connectTo, type Credentials, serverStateOf, streamOf } from "./connect.ts";
import { type DatabaseAddress, type DatabaseServer, serversOf } from "./database_url.ts";

/**
 * How often the other servers are asked. A connection to a machine that has gone is silent for up to 25 s;
 * receipts are to go on within 10 s of a promotion. Each look costs a standby one login.
 */
const LOOK_EVERY_MS = 4_000;

/** A server in use, and where it stood when it was connected to. */
export interface Used {
  readonly server: DatabaseServer;
  readonly timeline: Timeline;
}

/**
 * Looks, at once and then again and again, whether another server of the address was promoted after the one
 * in use, which may be cut off, or may not know it yet. With one server there is nothing to look for.
 *
 * @param used asked before each look
 * @param onNewer called for each newer primary that is found
 * @returns when `stop` is aborted
 */
export async function watchForNewerPrimary(
  address: DatabaseAddress,
  credentials: Credentials,
  { used, onNewer, stop }: {
    readonly used: () => Used;
    readonly onNewer: (newer: Used) => void;
    readonly stop: AbortSignal;
  },
): Promise<void> {
  if (address.hosts.length < 2) return;
  while (!stop.aborted) {
    const now = used();
    const found = await Promise.all(
      serversOf(address)
        .filter(({ host, port }) => host !== now.server.host || port !== now.server.port)
        .map((server) => lookAt(server, credentials)),
    );
    const newer = found.find((each) => each !== null && isNewer(each.timeline, now.timeline));
    if (newer !== undefined && newer !== null && !stop.aborted) onNewer(newer);
    await sleep(LOOK_EVERY_MS, stop);
  }
}

function isNewer(a: Timeline, b: Timeline): boolean {
  return a.cluster === b.cluster && a.number > b.number;
}

/** @returns null unless it is a primary */
async function lookAt(server: DatabaseServer, credentials: Credentials): Promise<Used | null> {
  try {
    const connection = await connectTo(server, credentials, "look");
    const { timeline } = serverStateOf(connection);
    streamOf(connection).destroy();
    return timeline === null ? null : { server, timeline };
  } catch (error) {
    if (error instanceof DatabaseUnavailableError || error instanceof ConfigurationError) {
      return null;
    }
    throw error;
  }
}
