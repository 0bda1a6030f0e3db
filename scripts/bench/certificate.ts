import { unprivilegedUser } from "../lib/unprivileged.ts";
import { run } from "./command.ts";

/**
 * Makes a certificate that nobody has signed, which is enough for `sslmode=require`.
 *
 * @param directory exists, and is one that the server's user may enter
 * @returns the server's settings
 */
export async function certify(directory: string): Promise<Readonly<Record<string, string>>> {
  const [ssl_cert_file, ssl_key_file] = [`${directory}/server.pem`, `${directory}/server.key`];
  await run(
    "openssl",
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
    ...["-out", ssl_cert_file, "-keyout", ssl_key_file],
  );
  // The server refuses a key that others can read, and runs as a user of its own.
  const { uid, gid } = await unprivilegedUser();
  if (uid !== undefined) await Deno.chown(ssl_key_file, uid, gid ?? null);
  return { ssl: "on", ssl_cert_file, ssl_key_file };
}
