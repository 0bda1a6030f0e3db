/** Space that a storage never uses: a share of the file system's bytes and inodes, or so many bytes. */
export type Reserve = { readonly fraction: number } | { readonly bytes: number };

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

/** Reads `1000`, `32MiB`, `10 GB`, `5G`; returns bytes, or null where the text is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]i?)?b?$/i.exec(text);
  const unit = UNITS[(match?.[2] ?? "").toLowerCase()];
  if (match === null || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Reads `5%` or a size; returns null where the text is neither. */
export function parseReserve(text: string): Reserve | null {
  const percent = /^(\d{1,2}(?:\.\d+)?)%$/.exec(text);
  if (percent !== null) return { fraction: Number(percent[1]) / 100 };
  const bytes = parseSize(text);
  return bytes === null ? null : { bytes };
}

/** Bytes as people read them: `1.5 GiB`. */
export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
