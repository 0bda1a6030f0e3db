import { join } from "node:path";
import { unprivilegedUser } from "./unprivileged.ts";

/** Files in PEM. */
export interface Certificates {
  /** Who signed the server's. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * A PostgreSQL server's certificate that names `subject` (`IP:127.0.0.1`, `DNS:db.lan`), signed by an
 * authority made for it. Needs openssl.
 *
 * @param directory becomes one that the server's user may enter
 */
export async function certify(directory: string, subject: string): Promise<Certificates> {
  const at = (name: string) => join(directory, name);
  const make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  await openssl(
    ...[...make, "-subj", "/CN=authority", "-keyout", at("ca.key"), "-out", at("ca.pem")],
  );
  await openssl(
    ...[...make, "-subj", "/CN=server", "-keyout", at("server.key"), "-out", at("server.pem")],
    ...["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-addext", `subjectAltName=${subject}`],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  );
  // The server refuses a key that others can read, and runs as a user of its own.
  const { uid, gid } = await unprivilegedUser();
  if (uid !== undefined) await Deno.chown(at("server.key"), uid, gid ?? null);
  await Deno.chmod(directory, 0o755);
  return { authority: at("ca.pem"), certificate: at("server.pem"), key: at("server.key") };
}

async function openssl(...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args] }).output();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
}
