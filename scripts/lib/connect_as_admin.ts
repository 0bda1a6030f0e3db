import { defined } from "../../src/defined.ts";
import { connect, type Connection } from "../../src/inbox/connect.ts";
import { parseAdminDatabaseUrl } from "../../src/inbox/database_url.ts";

/** Opens a superuser's connection by a URL that may carry the password. Errors as `connect`. */
export async function connectAsAdmin(url: string, purpose: string): Promise<Connection> {
  const { address, password } = parseAdminDatabaseUrl(url, "postgres");
  return await connect(address, defined({ password }), purpose);
}
