/** How a storage was in a piece of time. */
export interface HistoryPoint {
  readonly storage: string;
  /** When the piece began, in seconds since the epoch. */
  readonly at: number;
  /** Stored meanwhile. */
  readonly media: number;
  readonly bytes: number;
  /** The most that was owed; null where nobody counted. */
  readonly owed: number | null;
  /** The least that was free, in bytes; null where the disk did not say. */
  readonly freeBytes: number | null;
}

export interface History {
  /** Pieces of `STEPS.recent` seconds, of two days. */
  readonly recent: readonly HistoryPoint[];
  /** Pieces of `STEPS.year` seconds, of a year. */
  readonly year: readonly HistoryPoint[];
}

/** Seconds: as many pieces as a chart has room for. */
export const STEPS = { recent: 600, year: 86_400 } as const;

/** How long the history goes back, in seconds. */
export const REACH = { recent: 2 * 86_400, year: 365 * 86_400 } as const;

const points = (span: "minute" | "hour", step: number, reach: number) => `
  SELECT storage, extract(epoch FROM date_bin('${step} s', at, '2000-01-01 00:00Z'))::float8 AS at,
    sum(stored_media)::float8 AS media, sum(stored_bytes)::float8 AS bytes,
    max(owed)::float8 AS owed, min(free_bytes)::float8 AS "freeBytes"
  FROM omoide.history
  WHERE span = '${span}' AND at > now() - interval '${reach} s'
  GROUP BY 1, 2 ORDER BY 1, 2`;

export const ASK_RECENT = points("minute", STEPS.recent, REACH.recent);
export const ASK_YEAR = points("hour", STEPS.year, REACH.year);
