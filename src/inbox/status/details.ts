import type { FindingKind } from "../../finding.ts";

/** A finding that is open. The path is the tree's: to be escaped before it is shown. */
export interface OpenFinding {
  readonly storage: string;
  readonly kind: FindingKind;
  readonly path: string;
  readonly detail: string;
  /** Seconds since it was found. */
  readonly age: number;
}

/** A media that a worker has given up on. */
export interface ParkedMedia {
  readonly storage: string;
  readonly mediaId: number;
  readonly owner: string;
  readonly item: string;
  readonly mediaType: string;
  readonly reason: string;
  /** Seconds since it was given up on. */
  readonly age: number;
}

/** What a page names one by one: the earliest of each, and no more than `DETAILS`. */
export interface Details {
  readonly findings: readonly OpenFinding[];
  readonly parked: readonly ParkedMedia[];
}

/** How many of each are named. */
export const DETAILS = 50;

export const ASK_FINDINGS = `
  SELECT storage, kind, path, detail, extract(epoch FROM now() - found_at)::float8 AS age
  FROM omoide.finding WHERE closed_at IS NULL
  ORDER BY found_at, storage, path LIMIT $1`;

export const ASK_PARKED = `
  SELECT storage, media_id::float8 AS "mediaId", owner_uuid AS owner, item_uuid AS item,
    media_type AS "mediaType", coalesce(last_error, '') AS reason,
    extract(epoch FROM now() - parked_at)::float8 AS age
  FROM omoide.parked ORDER BY parked_at, storage, media_id LIMIT ${DETAILS}`;
