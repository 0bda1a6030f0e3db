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
