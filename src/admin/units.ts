import { UsageError } from "../errors.ts";
import { isUuid } from "../media.ts";
import { parseSize, parseUtc } from "../units.ts";

export { count, showBytes, showDuration } from "../units.ts";

/** Reads `4096`, `200MB`, `1.5GiB`. @throws {UsageError} */
export function parseBytes(text: string): number {
  const bytes = parseSize(text.trim());
  if (bytes === null) {
    throw new UsageError(`${JSON.stringify(text)} is no size, such as 500MB or 5GiB`);
  }
  return bytes;
}

/** Reads `30d`, `12h`, `90min` or `30s`, as seconds. @throws {UsageError} */
export function parseDuration(text: string): number {
  const [, digits, unit = ""] = /^(\d{1,6})(d|h|min|s)$/.exec(text) ?? [];
  const seconds = Number(digits) * (DURATIONS[unit] ?? Number.NaN);
  if (seconds > 0) return seconds;
  throw new UsageError(`${JSON.stringify(text)} is no time, such as 30d, 12h, 5min or 30s`);
}

const DURATIONS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, min: 60, s: 1 };

/** Reads a whole number within bounds. @throws {UsageError} */
export function parseCount(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${JSON.stringify(text)} is not a whole number from ${least} to ${most}`);
  }
  return value;
}

/** Reads a time, UTC unless it has a zone, as seconds since the epoch. @throws {UsageError} */
export function parseTime(option: string, text: string): number {
  const time = parseUtc(text);
  if (time !== null) return time;
  throw new UsageError(
    `${option} ${
      JSON.stringify(text)
    } is not a time such as 2026-11-22T08:00:00Z (UTC without a zone)`,
  );
}

/** Reads a UUID, also one in capitals; returns it as this project writes it. @throws {UsageError} */
export function parseUuid(option: string, text: string): string {
  const uuid = text.toLowerCase();
  if (isUuid(uuid)) return uuid;
  throw new UsageError(`${option} ${JSON.stringify(text)} is not a UUID`);
}
