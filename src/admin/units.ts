import { UsageError } from "../errors.ts";

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `1.5 GiB` */
export function showBytes(bytes: number): string {
  let value = bytes, step = 0;
  while (value >= 1024 && step < STEPS.length - 1) {
    value /= 1024;
    step++;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${STEPS[step]}`;
}

/** Reads `4096`, `200K`, `1.5G`, `5GiB`: powers of 1024. @throws {UsageError} */
export function parseBytes(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) {
    throw new UsageError(`${JSON.stringify(text)} is no size, such as 500M or 5G`);
  }
  const power = " KMGTP".indexOf((match[2] ?? "").toUpperCase() || " ");
  return Math.round(Number(match[1]) * 1024 ** power);
}

/** Reads a whole number within bounds. @throws {UsageError} */
export function parseCount(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < least || value > most) {
    throw new UsageError(`${JSON.stringify(text)} is not a whole number from ${least} to ${most}`);
  }
  return value;
}

/** `3 d 4 h`, `12 min`, `8 s` */
export function showDuration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 2 * 3600) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.round(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.round(s % 86400 / 3600)} h`;
}

/** `1 file`, `12,345 files` */
export function count(n: number | bigint, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en-US")} ${BigInt(n) === 1n ? one : many}`;
}
