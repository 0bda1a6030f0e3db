const SHOWN = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

const UNITS: Record<string, number> = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** Bytes as people read them: `1.5 GiB`. */
export function showBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < SHOWN.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${SHOWN[step]}`;
}

/** Reads `1000`, `32MiB`, `10 GB`, `5G`; returns bytes, or null where the text is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]i?)?b?$/i.exec(text);
  const unit = UNITS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

const SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, min: 60, s: 1 };

/** Reads `30d`, `12h`, `90min` or `30s`; returns seconds, or null where the text is no time. */
export function parseDuration(text: string): number | null {
  const [, digits, unit = ""] = /^(\d{1,6})(d|h|min|s)$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? Number.NaN);
  return seconds > 0 ? seconds : null;
}

const TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d{2}):(\d{2}))?)?$/;

/**
 * Reads `2026-11-22`, `2026-11-22T08:00Z`, `2026-11-22T09:00:00+01:00`. Without a zone it is UTC, whatever
 * this machine's zone is: `Date.parse` would take the same text for another time on another machine, and
 * 30 February for 2 March.
 *
 * @returns seconds since the epoch, or null where there is no such time
 */
export function parseUtc(text: string): number | null {
  const match = TIME.exec(text);
  if (match === null) return null;
  const number = (group: number) => Number(match[group] ?? 0);
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const milliseconds = Number((match[7] ?? "0").padEnd(3, "0"));
  const time = new Date(Date.UTC(year, month - 1, day, hour, minute, second, milliseconds));
  const exists = time.getUTCFullYear() === year && time.getUTCMonth() === month - 1 &&
    time.getUTCDate() === day && time.getUTCHours() === hour && time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  const offset = (number(9) * 60 + number(10)) * (match[8] === "-" ? -60 : 60);
  if (!exists || number(9) > 14 || number(10) > 59) return null;
  return time.getTime() / 1000 - offset;
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
