/** What numbers and moments look like to people. */

const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function showBytes(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A message of the gateway's, whose numbers of bytes are exact. */
export function withBytesShown(text) {
  return text.replace(/\b(\d{4,}) bytes\b/g, (_, bytes) => showBytes(Number(bytes)));
}

/**
 * Without what is not seen and turns what is: U+202E shows `gpj.exe` as `exe.jpg`. Joiners stay, without which
 * Persian words and families of emoji fall apart.
 */
export function shownName(name) {
  return name.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu, "") || "(no name)";
}

export function showSeconds(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

export function showDay(iso) {
  return new Date(iso).toLocaleDateString(undefined, { dateStyle: "medium" });
}

export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

/** As `crypto.randomUUID`, which a page without TLS does not have. */
export function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = bytes[6] & 0x0f | 0x40;
  bytes[8] = bytes[8] & 0x3f | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
