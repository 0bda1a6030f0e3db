import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { ConfigurationError } from "../../errors.ts";

const ITERATIONS = 4096;

/**
 * What PostgreSQL keeps of a password (RFC 5803): the server gets this instead of the password, which
 * would otherwise stand in its log wherever statements are logged.
 *
 * @throws {ConfigurationError} for characters outside printable ASCII, which clients prepare differently
 */
export function scramVerifier(password: string): string {
  if (!/^[\x20-\x7e]+$/.test(password)) {
    throw new ConfigurationError(
      "The password is empty or has characters other than printable ASCII; choose another",
    );
  }
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  const storedKey = createHash("sha256").update(clientKey).digest("base64");
  const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
