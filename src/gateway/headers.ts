/** What is read from a request's headers. Whatever is not well formed is a 400 that names it. */
import { Buffer } from "node:buffer";
import { problem } from "./problem.ts";

/** A non-negative integer. @returns null if the header is absent */
export function integerHeader(headers: Headers, name: string): number | null {
  const text = headers.get(name);
  if (text === null) return null;
  const value = Number(text);
  if (/^\d{1,15}$/.test(text)) return value;
  throw problem(
    400,
    "header",
    `${name} is not valid`,
    `It takes a number of bytes, not ${quote(text)}.`,
  );
}

/** `?0` or `?1` (RFC 9651). @returns null if the header is absent */
export function booleanHeader(headers: Headers, name: string): boolean | null {
  const text = headers.get(name);
  if (text === null) return null;
  if (text === "?0" || text === "?1") return text === "?1";
  throw problem(400, "header", `${name} is not valid`, `It takes ?0 or ?1, not ${quote(text)}.`);
}

/**
 * The SHA-256 in a Content-Digest or Repr-Digest (RFC 9530). Other algorithms are passed over, as it says.
 *
 * @returns 32 bytes; null if there is none
 */
export function digestHeader(headers: Headers, name: string): Uint8Array | null {
  const text = headers.get(name);
  if (text === null) return null;
  for (const member of text.split(",")) {
    const [, algorithm, base64] =
      /^\s*([a-z][a-z0-9-]*)=:([A-Za-z0-9+/]*={0,2}):\s*$/.exec(member) ??
        [];
    if (algorithm === undefined || base64 === undefined) {
      throw problem(
        400,
        "header",
        `${name} is not valid`,
        `It takes sha-256=:BASE64:, not ${quote(text)}.`,
      );
    }
    if (algorithm !== "sha-256") continue;
    const digest = Buffer.from(base64, "base64");
    if (digest.length !== 32) {
      throw problem(400, "header", `${name} is not valid`, "A SHA-256 has 32 bytes.");
    }
    return new Uint8Array(digest);
  }
  return null;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** What the sender calls the file (RFC 6266): for showing only. @returns null if it does not say */
export function fileNameHeader(headers: Headers): string | null {
  const text = headers.get("content-disposition");
  if (text === null) return null;
  const [, encoded] = /;\s*filename\*=UTF-8''([^;\s]+)/i.exec(text) ?? [];
  const [, quoted, plain] = /;\s*filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(text) ?? [];
  const name = encoded === undefined ? quoted?.replace(/\\(.)/g, "$1") ?? plain : decoded(encoded);
  return name === undefined || name === null ? null : shownName(name);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The last part of a path, without what would not be seen, at most 255 characters. */
function shownName(name: string): string | null {
  const last = name.split(/[/\\]/).at(-1) ?? "";
  // Joiners stay: without them Persian words and families of emoji fall apart.
  const seen = last.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu, "").trim();
  const short = [...seen].slice(0, 255).join("");
  return short === "" ? null : short;
}

/** When the file was last modified, as its device says. @returns null if it does not say, or nonsense */
export function lastModifiedHeader(headers: Headers): Date | null {
  const date = new Date(headers.get("last-modified") ?? "");
  const year = date.getUTCFullYear();
  return Number.isNaN(year) || year < 1800 || year > 9998 ? null : date;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
