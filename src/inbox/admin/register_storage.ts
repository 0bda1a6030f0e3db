import { ConfigurationError } from "../../errors.ts";
import { isStorageName, isUuid } from "../../media.ts";
import type { Connection } from "../connect.ts";
import { missingPart } from "../inbox_error.ts";
import { roleOf, scrubRole } from "../role_names.ts";
import { asAdministrator } from "./administrator.ts";
import { ASK_NAME } from "./found_inbox.ts";
import { applyRights } from "./rights.ts";
import { ensureRole, FORMS, workerForm } from "./roles.ts";
import { requireVersion } from "../require_version.ts";

/** Names whose role would be one of the inbox's own: a storage `app` would hand the application every blob. */
const RESERVED = ["app", "monitor", "owner", "admin"];
/** In an inbox with a name, the worker's role would be one of a scrub: see role_names.ts. */
const RESERVED_IF_NAMED = [...RESERVED, "scrub"];

export interface NewStorage {
  readonly name: string;
  /** The UUID in the root's `storage.json`. */
  readonly identity: string;
  /** How many leading characters of the item's UUID name its directory, 1 to 8. */
  readonly prefixSize: number;
  /** The role's new password; the one it has stays if none is given. */
  readonly password?: string;
  /** Likewise, of the role that its scrub logs in as. */
  readonly scrubPassword?: string;
}

/** What registering a storage has come to. */
export interface Registration {
  readonly storageId: number;
  /** The role that its worker logs in as. */
  readonly role: string;
  /** The inbox's UUID. */
  readonly inbox: string;
  /** false if it had been registered with this identity before. */
  readonly created: boolean;
  /** How many media of what is still in the inbox are owed to it from now on, beside earlier ones. */
  readonly owed: number;
}

/**
 * Registers a storage: its row, its login roles (../role_names.ts) with their rights, and deliveries of everything
 * that is still in the inbox. From then on nothing is released without its receipt. May be repeated with
 * the same identity.
 *
 * @param connection a superuser's
 * @param makeRoot called last before the commit: what it refuses registers nothing, and a root that is
 *   refused here is never made. If the commit fails, running it again with that root's identity finishes
 * @throws {ConfigurationError} a name, an identity or a role that is taken or not fit; no inbox here
 */
export async function registerStorage(
  connection: Connection,
  storage: NewStorage,
  makeRoot: () => void = () => {},
): Promise<Registration> {
  refuseUnfit(storage);
  try {
    return await asAdministrator(connection, () => register(connection, storage, makeRoot));
  } catch (error) {
    // Rights are given to this release's functions and views, which the inbox may not have yet.
    throw missingPart(error) ?? error;
  }
}

async function register(
  connection: Connection,
  storage: NewStorage,
  makeRoot: () => void,
): Promise<Registration> {
  const { inbox, name: inboxName } = await inboxOf(connection);
  refuseReserved(storage.name, inboxName);
  const known = await findStorage(connection, storage);
  const role = roleOf(storage.name, inboxName);
  await ensureRole(connection, inbox, role, workerForm(known?.lanes ?? 1), storage.password);
  await ensureRole(connection, inbox, scrubRole(role), FORMS.scrub, storage.scrubPassword);
  const storageId = known?.id ?? await insertStorage(connection, storage, role);
  await applyRights(connection, inbox, inboxName);
  const { rowCount } = await connection.query(
    "INSERT INTO omoide.delivery (storage_id, media_id, size) " +
      "SELECT $1, w.media_id, w.size FROM omoide.waiting w WHERE NOT EXISTS " +
      "(SELECT FROM omoide.stored r WHERE r.storage_id = $1 AND r.media_id = w.media_id) " +
      "ON CONFLICT DO NOTHING",
    [storageId],
  );
  makeRoot();
  return { storageId, role, inbox, created: known === null, owed: rowCount ?? 0 };
}

function refuseUnfit({ name, identity, prefixSize }: NewStorage): void {
  if (!isStorageName(name)) {
    throw new ConfigurationError(
      `Cannot call a storage ${
        JSON.stringify(name)
      }: a name is a small letter and up to 30 small ` +
        "letters or digits",
    );
  }
  if (!isUuid(identity)) throw new TypeError(`identity ${JSON.stringify(identity)} is not a UUID`);
  if (!Number.isInteger(prefixSize) || prefixSize < 1 || prefixSize > 8) {
    throw new ConfigurationError(`The prefix size is ${prefixSize}; it must be 1 to 8`);
  }
}

function refuseReserved(name: string, inboxName: string): void {
  if (!(inboxName === "" ? RESERVED : RESERVED_IF_NAMED).includes(name)) return;
  throw new ConfigurationError(
    `Cannot call a storage ${name}: the role ${roleOf(name, inboxName)} is for something else; ` +
      "choose another name",
  );
}

async function inboxOf(connection: Connection): Promise<{ inbox: string; name: string }> {
  const { rows: [found] } = await connection.query<{ exists: boolean; owner: string | null }>(
    "SELECT c.oid IS NOT NULL AS exists, r.rolname AS owner " +
      "FROM (SELECT to_regclass('omoide.settings') AS settings) t " +
      "LEFT JOIN pg_class c ON c.oid = t.settings LEFT JOIN pg_roles r ON r.oid = c.relowner",
  );
  const settings = found?.exists === true
    ? (await connection.query<{ inbox: string; name: string; schema_version: number }>(
      `SELECT inbox, ${ASK_NAME} AS name, schema_version FROM omoide.settings s`,
    )).rows[0]
    : undefined;
  if (settings === undefined) {
    throw new ConfigurationError("This database has no inbox; run `inbox init` on it first");
  }
  if (found?.owner !== roleOf("owner", settings.name)) {
    throw new ConfigurationError(
      "This inbox was restored from a backup, and its roles and their rights are missing; run " +
        "`inbox init` first",
    );
  }
  requireVersion(settings.schema_version);
  return settings;
}

/** The storage if it is registered just so, null if nothing of it is. */
async function findStorage(
  connection: Connection,
  { name, identity, prefixSize }: NewStorage,
): Promise<{ readonly id: number; readonly lanes: number } | null> {
  const { rows } = await connection.query<
    {
      id: number;
      lanes: number;
      name: string;
      identity: string;
      prefix_size: number;
      retired: boolean;
    }
  >(
    "SELECT id, lanes, name, identity, prefix_size, retired_at IS NOT NULL AS retired FROM omoide.storage " +
      "WHERE name = $1 OR identity = $2",
    [name, identity],
  );
  const [found] = rows;
  if (found === undefined) return null;
  if (rows.length > 1 || found.name !== name) {
    const other = rows.find((row) => row.identity === identity);
    throw new ConfigurationError(
      `Cannot register the storage ${name}: this root is the storage ${other?.name} already; ` +
        "give each storage a root of its own",
    );
  }
  if (found.identity !== identity) {
    throw new ConfigurationError(
      `Cannot register the storage ${name}: it is registered with another root (identity ` +
        `${found.identity}, this one has ${identity}); mount that one, or choose another name`,
    );
  }
  if (found.retired) {
    throw new ConfigurationError(
      `Cannot register the storage ${name}: it is retired, and what it missed since is not known to ` +
        "be on it; choose another name and a new root",
    );
  }
  if (found.prefix_size !== prefixSize) {
    throw new ConfigurationError(
      `Cannot register the storage ${name} with prefix size ${prefixSize}: it has ` +
        `${found.prefix_size}, which its tree is built on`,
    );
  }
  return found;
}

async function insertStorage(
  connection: Connection,
  { name, identity, prefixSize }: NewStorage,
  role: string,
): Promise<number> {
  const { rows: [row] } = await connection.query<{ id: number }>(
    "INSERT INTO omoide.storage (name, role, identity, prefix_size) VALUES ($1, $2, $3, $4) " +
      "RETURNING id",
    [name, role, identity, prefixSize],
  );
  if (row === undefined) throw new TypeError("the inbox gave no id for the new storage");
  return row.id;
}
