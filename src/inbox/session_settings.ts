/**
 * What a session relies on. The server, the database and the role may each have defaults of their own, and
 * whoever got hold of a role can set some for it; so every connection, the worker's and the
 * administrator's, begins with these. With DateStyle other than ISO, for one, the driver gave no dates, and
 * a retired storage counted as not retired.
 *
 * `transaction_timeout` is known to PostgreSQL 17 and newer only, hence set_config from what the server has.
 */
const FIXED: Readonly<Record<string, string>> = {
  // First, since it counts for the statements below too.
  statement_timeout: "0",
  lock_timeout: "0",
  transaction_timeout: "0",
  idle_session_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  role: "none",
  search_path: "pg_catalog, pg_temp",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  // How values are written and read.
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
  array_nulls: "on",
  bytea_output: "hex",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  extra_float_digits: "1",
  quote_all_identifiers: "off",
  client_min_messages: "warning",
  // Costs of 10^10, which is how enable_seqscan = off avoids a scan, made the server compile each call:
  // release() 99 ms instead of 1, sweep() 117 instead of 6, on a server as Debian configures it.
  jit: "off",
  // These let the server find out within 30 s that this machine has died, and free its lock.
  tcp_keepalives_idle: "10",
  tcp_keepalives_interval: "5",
  tcp_keepalives_count: "4",
  tcp_user_timeout: "30000",
};

/**
 * One statement that sets all of them, in their order. Commits that return before they are durable, here
 * and at the synchronous standbys, are raised to `on`; anything stronger (`remote_apply`) stays.
 */
export const SESSION_SETTINGS = `
  SET statement_timeout = 0;
  SELECT set_config(s.name, s.value, false) FROM (VALUES ${
  Object.entries(FIXED).map(([name, value]) => `('${name}', '${value}')`).join(", ")
}) AS s (name, value) WHERE current_setting(s.name, true) IS NOT NULL;
  SELECT set_config('synchronous_commit', 'on', false)
  WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')`;
