import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { problem } from "../problem.ts";

/**
 * Lets whoever has the token pass: as a bearer token, as Prometheus sends it, or as the password of any
 * user, as a browser asks for it.
 *
 * @throws {Problem} 401
 */
export function requireToken(request: Request, tokenSha256: string): void {
  const token = tokenOf(request.headers.get("authorization") ?? "");
  const hash = createHash("sha256").update(token ?? "").digest();
  if (token !== null && timingSafeEqual(hash, Buffer.from(tokenSha256, "hex"))) return;
  throw problem(
    ...[401, "token", "A token is needed", "See --token-sha256 of the monitor."] as const,
    { "www-authenticate": 'Basic realm="Omoide", charset="UTF-8"' },
  );
}

function tokenOf(authorization: string): string | null {
  const [, scheme = "", value = ""] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === "bearer") return value;
  if (scheme.toLowerCase() !== "basic") return null;
  const pair = Buffer.from(value, "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}
