/**
 * The number of the newest migration in `schema/`. A constant of its own, so that the worker knows which
 * schema it was written for without carrying the SQL.
 */
export const SCHEMA_VERSION = 22;
