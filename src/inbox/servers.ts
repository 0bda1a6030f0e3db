import { ConfigurationError, DatabaseUnavailableError, messageOf } from "../errors.ts";
import { type DatabaseAddress, type DatabaseServer, serversOf } from "./database_url.ts";

/** The server of each address that was good the last time. Lives as long as the process. */
const LAST_GOOD = new WeakMap<DatabaseAddress, DatabaseServer>();

/**
 * Does something with the first server of an address that can do it: the one that was good the last time,
 * then the others in their order. What can't be reached, stands by or refuses is passed over; any other
 * error is thrown.
 *
 * @throws {DatabaseUnavailableError} none can now; of one of them that may pass
 * @throws {ConfigurationError} none can, and an administrator must act
 */
export async function onFirstServer<T>(
  address: DatabaseAddress,
  work: (server: DatabaseServer) => Promise<T>,
): Promise<T> {
  const failures: (DatabaseUnavailableError | ConfigurationError)[] = [];
  for (const server of inOrder(address)) {
    try {
      const result = await work(server);
      LAST_GOOD.set(address, server);
      return result;
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError || error instanceof ConfigurationError)) {
        throw error;
      }
      failures.push(error);
    }
  }
  throw together(failures);
}

/** Has this server tried first from now on. */
export function preferServer(address: DatabaseAddress, server: DatabaseServer): void {
  LAST_GOOD.set(address, server);
}

function inOrder(address: DatabaseAddress): DatabaseServer[] {
  const servers = serversOf(address);
  const last = LAST_GOOD.get(address);
  if (last === undefined) return servers;
  const isLast = ({ host, port }: DatabaseServer) => host === last.host && port === last.port;
  return [...servers.filter(isLast), ...servers.filter((server) => !isLast(server))];
}

/** One error of what each server said. A wrong password matters only if no server may come back. */
function together(failures: readonly (DatabaseUnavailableError | ConfigurationError)[]): Error {
  const [first] = failures;
  if (first === undefined) return new TypeError("an address has at least one server");
  if (failures.length === 1) return first;
  const passing = failures.find((error) => error instanceof DatabaseUnavailableError);
  const message = `None of ${failures.length} servers can be used: ${
    failures.map((error, n) => `(${n + 1}) ${messageOf(error)}`).join(" ")
  }`;
  return passing === undefined
    ? new ConfigurationError(message, { cause: first })
    : new DatabaseUnavailableError(message, { cause: passing });
}
