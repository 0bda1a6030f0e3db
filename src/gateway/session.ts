import { ownerOfToken } from "../inbox/application/tokens.ts";
import { within } from "../within.ts";
import { cookieHeaders, hashOf, ownerOf } from "./auth.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { problem } from "./problem.ts";

const MAX_BYTES = 1000;
/** It fits into one packet. */
const READ_MS = 5_000;

/** `POST /session` with `{"token": "…"}`: trades it for a cookie, which holds the same. */
export async function logIn({ inbox }: Gateway, request: Request): Promise<Response> {
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!(length <= MAX_BYTES)) {
    throw problem(413, "too-large", "The token is too long", 'Send {"token": "…"}.');
  }
  const text = await within(READ_MS, request.text());
  if (text === null) {
    const close = { "connection": "close" };
    throw problem(408, "silent", "The token does not come", 'Send {"token": "…"}.', close);
  }
  const token = tokenIn(text);
  const ownerUuid = token === null ? null : await ownerOfToken(inbox, hashOf(token));
  if (token === null || ownerUuid === null) {
    throw problem(
      ...[403, "token", "This token is not known"] as const,
      "It is mistyped, has expired, or was revoked. An administrator makes one: admin token add.",
    );
  }
  const headers = cookieHeaders(request, token);
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify({ owner: ownerUuid }), { headers });
}

function tokenIn(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("token" in value)) return null;
    return typeof value.token === "string" ? value.token.trim() : null;
  } catch {
    return null;
  }
}

/** `GET /session`: who the browser is. */
export function showSession(_gateway: Gateway, { ownerUuid }: OwnRequest): Response {
  return Response.json({ owner: ownerUuid });
}

/** `DELETE /session`: the browser forgets the token. It stays valid elsewhere. */
export function logOut(_gateway: Gateway, request: Request): Response {
  return new Response(null, { status: 204, headers: cookieHeaders(request, null) });
}

/** As a worker names what it stores, with the owner in it; NGINX serves nothing else. */
const FILE =
  /^\/(?:content|preview|thumbnail)\/([0-9a-f-]{36})\/[0-9a-f-]{1,8}\/[0-9a-f-]{36}(?:~[0-9a-f]{64})?\.[A-Za-z0-9]{1,16}$/;

/**
 * `GET /auth`: NGINX's auth_request asks whether a browser may have the file in X-Original-URI. 204 for
 * its owner, 401 or 403 for everybody else, and NGINX takes no other answer.
 */
export async function mayRead({ inbox }: Gateway, request: Request): Promise<Response> {
  const owner = await ownerOf(inbox, request);
  const path = FILE.exec(request.headers.get("x-original-uri") ?? "")?.[1];
  if (path === owner) return new Response(null, { status: 204 });
  throw problem(
    403,
    "owner",
    "Another owner's",
    "The token belongs to another owner than the file.",
  );
}
