import { ConfigurationError } from "../../errors.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";
import { WORKER_CONNECTIONS, workerForm } from "./roles.ts";
import { findStorage } from "./storages.ts";

/** As the database checks it. */
export const MOST_LANES = 64;

/** What setting the number of a storage's lanes has done. */
export interface LanesSet {
  readonly before: number;
  /** Why so many workers cannot all be connected; null if they can. */
  readonly warning: string | null;
}

/**
 * Sets how many workers may carry to a storage at the same time. Those that run take the new lanes when all of
 * them have given back what they have of the former ones.
 *
 * @throws {ConfigurationError} there is none of that name, or it is retired
 */
export async function setLanes(
  inbox: AdminInbox,
  name: string,
  lanes: number,
): Promise<LanesSet> {
  const { connection } = inbox;
  return await transaction(inbox, async () => {
    const { id, role, retiredAt } = await findStorage(inbox, name);
    if (retiredAt !== null) {
      throw new ConfigurationError(`${name} is retired: no worker carries anything to it`);
    }
    const [found] = await ask<{ lanes: number; limit: number; most: number }>(
      connection,
      `SELECT s.lanes, r.rolconnlimit AS limit, current_setting('max_connections')::int AS most
      FROM omoide.storage s JOIN pg_roles r ON r.rolname = s.role WHERE s.id = $1 FOR UPDATE OF s`,
      [id],
    );
    if (found === undefined) {
      throw new ConfigurationError(`The role ${role} is missing; run \`inbox init\``);
    }
    await ask(connection, "UPDATE omoide.storage SET lanes = $2 WHERE id = $1", [id, lanes]);
    const needed = workerForm(lanes).connections;
    // Never fewer than before: workers of the former number are still connected.
    if (needed > found.limit) {
      const quoted = connection.escapeIdentifier(role);
      await ask(connection, `ALTER ROLE ${quoted} CONNECTION LIMIT ${needed}`);
    }
    await ask(connection, "SELECT pg_notify('omoide_lanes', '')");
    const warning = WORKER_CONNECTIONS * lanes < found.most / 2
      ? null
      : connectionWarning(lanes, found.most);
    return { before: found.lanes, warning };
  });
}

function connectionWarning(lanes: number, most: number): string {
  return `${lanes} workers take ${
    WORKER_CONNECTIONS * lanes
  } connections; the server allows ${most} in all ` +
    "(max_connections)";
}
