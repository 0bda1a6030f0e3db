import { problem } from "../problem.ts";
import type { HostPort } from "../sandbox.ts";

/** Whether only this machine's own programs reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Refuses a request under a name that is not this machine's. A page of anybody's, open in a browser here, may
 * have its own name point to 127.0.0.1 (DNS rebinding), and would then be allowed to read the answers as if
 * they were its own. It cannot help sending that name. The port may be another: that of a tunnel.
 *
 * @throws {Problem} 421
 */
export function requireLoopbackName(request: Request, listen: HostPort): void {
  const given = request.headers.get("host");
  // No browser leaves it out.
  if (given === null) return;
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(given) ?? [];
  const name = (bracketed ?? plain ?? "").toLowerCase();
  if (isLoopback(name) || name === listen.host.toLowerCase()) return;
  throw problem(
    ...[421, "host", "Not under this name"] as const,
    "Without a token the monitor answers under localhost or 127.0.0.1 only. A proxy such as NGINX " +
      "must send the monitor's own address as Host; or see --token-sha256.",
  );
}
