import { ConfigurationError, messageOf } from "../../errors.ts";
import { sqlstateOf } from "../server_error.ts";
import { type AdminInbox, ask } from "./inbox.ts";

/** The inbox's limits, by their columns in `omoide.settings`. Bytes, numbers of media, or seconds. */
export const LIMITS = {
  min_copies: "storages that must have a media before its blob may leave the inbox",
  max_inbox_bytes: "bytes that wait in the inbox",
  max_inbox_disk_bytes: "bytes of the inbox's files, with what is uncommitted or dead",
  max_media_bytes: "bytes of one media",
  max_pending_bytes: "bytes of uploads that are not finished, within max_inbox_bytes",
  owner_pending_uploads: "uploads of one owner that are not finished",
  all_pending_uploads: "uploads of all owners that are not finished",
  owner_bytes_per_day: "bytes of one owner per day (UTC)",
  owner_media_per_day: "media of one owner per day (UTC)",
  all_bytes_per_day: "bytes of all owners per day (UTC)",
  all_media_per_day: "media of all owners per day (UTC)",
  scrub_cycle:
    "time within which each storage should be read to its end; off: no scrub is expected",
} as const;

export type Limit = keyof typeof LIMITS;
export const LIMIT_NAMES = Object.keys(LIMITS) as Limit[];

/** Null: there is none, which only `scrub_cycle` may be. */
export type Limits = Record<Limit, number | null>;

/** The one that is an interval. */
const IN_SECONDS: Limit = "scrub_cycle";

export async function readLimits({ connection }: AdminInbox): Promise<Limits> {
  const columns = LIMIT_NAMES.map((name) =>
    name === IN_SECONDS ? `extract(epoch FROM ${name})::float8 AS ${name}` : `${name}::float8`
  ).join(", ");
  const [limits] = await ask<Limits>(connection, `SELECT ${columns} FROM omoide.settings`);
  if (limits === undefined) throw new Error("the inbox has no settings");
  return limits;
}

/** Sets some limits, all or none. They hold for every submit that begins from now on. */
export async function setLimits(inbox: AdminInbox, wanted: Partial<Limits>): Promise<void> {
  const names = LIMIT_NAMES.filter((name) => wanted[name] !== undefined);
  if (names.length === 0) return;
  const columns = names.map((name, i) =>
    `${name} = $${i + 1}${name === IN_SECONDS ? "::float8 * interval '1 second'" : ""}`
  ).join(", ");
  try {
    await ask(
      inbox.connection,
      `UPDATE omoide.settings SET ${columns}`,
      names.map((name) => wanted[name]),
    );
  } catch (error) {
    // A check of the table: min_copies below 2, a negative size.
    if (sqlstateOf(error) !== "23514") throw error;
    throw new ConfigurationError(
      `The inbox refuses that limit: ${messageOf(error)}; ` +
        "nothing was changed",
      { cause: error },
    );
  }
}
