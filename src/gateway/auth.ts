import { createHash } from "node:crypto";
import { ownerOfToken } from "../inbox/application/tokens.ts";
import type { Caller } from "../inbox/application/pool.ts";
import { isUuid } from "../media.ts";
import { type Problem, problem } from "./problem.ts";

/**
 * A browser keeps the first only if the page came by TLS or from its own machine.
 * In a home network without TLS it would keep none, so there the second is given, and taken, as well.
 */
const SECURE_COOKIE = "__Host-omoide";
const PLAIN_COOKIE = "omoide";

/**
 * Whose request it is. The token is looked up each time, so taking it back works at once.
 *
 * @throws {Problem} 401 without a token that is known
 */
export async function ownerOf(inbox: Caller, request: Request): Promise<string> {
  const sha256 = tokenHash(request);
  const owner = sha256 === null ? null : await ownerOfToken(inbox, sha256);
  if (owner !== null) return owner;
  throw unauthorized(
    sha256 === null ? "The request has no token." : "The token is not known, or no longer valid.",
  );
}

/** The SHA-256 of the token that a request comes with; null if there is none. */
export function tokenHash(request: Request): Uint8Array | null {
  const token = bearerToken(request) ?? cookieToken(request);
  return token === null ? null : hashOf(token);
}

export function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}

function unauthorized(detail: string): Problem {
  return problem(
    ...[
      401,
      "token",
      "A token is needed",
      `${detail} An administrator makes one: admin token add.`,
    ],
    { "www-authenticate": "Bearer" },
  );
}

/** What a token may consist of. */
const TOKEN = /^[A-Za-z0-9_-]{20,100}$/;

function bearerToken(request: Request): string | null {
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  return token !== undefined && TOKEN.test(token) ? token : null;
}

function cookieToken(request: Request): string | null {
  const cookies = new Map(
    (request.headers.get("cookie") ?? "").split(";").map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
    }),
  );
  const plain = isSecure(request) ? undefined : cookies.get(PLAIN_COOKIE);
  const token = cookies.get(SECURE_COOKIE) ?? plain;
  return token !== undefined && TOKEN.test(token) ? token : null;
}

/** Whether the browser speaks TLS, with whoever stands in front. */
function isSecure(request: Request): boolean {
  return request.headers.get("x-forwarded-proto") === "https";
}

/** The headers that make a browser keep a token, or drop it if it is null. */
export function cookieHeaders(request: Request, token: string | null): Headers {
  const age = token === null ? 0 : 365 * 86_400;
  const rest = `${token ?? ""}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${age}`;
  const headers = new Headers();
  headers.append("set-cookie", `${SECURE_COOKIE}=${rest}; Secure`);
  if (!isSecure(request)) headers.append("set-cookie", `${PLAIN_COOKIE}=${rest}`);
  return headers;
}

/**
 * Refuses what another site makes a browser send. A link to the page may be followed from anywhere.
 *
 * @throws {Problem} 403
 */
export function refuseCrossSite(request: Request): void {
  const { headers, method } = request;
  const site = headers.get("sec-fetch-site");
  const foreign = site !== null && site !== "same-origin" && site !== "none";
  const isLink = method === "GET" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  if ((foreign && !isLink) || isOtherOrigin(request)) {
    throw problem(403, "cross-site", "Another site's request", "Only its own page may ask this.");
  }
}

/** Browsers without Sec-Fetch-Site, which are also all that speak without TLS, say at least this. */
function isOtherOrigin({ headers }: Request): boolean {
  const origin = headers.get("origin");
  if (origin === null) return false;
  const host = headers.get("x-forwarded-host") ?? headers.get("host");
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

/** The UUID in a path as the inbox spells it: the sender's own. @throws {Problem} 400, 403 */
export function ownUuid(text: string | undefined, ownerUuid: string): string {
  const uuid = uuidOf(text, "owner");
  if (uuid === ownerUuid) return uuid;
  throw problem(
    403,
    "owner",
    "Another owner's",
    "The token belongs to another owner than the path.",
  );
}

export function uuidOf(text: string | undefined, what: string): string {
  const uuid = (text ?? "").toLowerCase();
  if (isUuid(uuid)) return uuid;
  throw problem(400, "path", `The ${what} is not valid`, "It must be a UUID.");
}
