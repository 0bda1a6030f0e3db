import { createHash, randomBytes } from "node:crypto";
import { ConfigurationError } from "../../errors.ts";
import { type AdminInbox, ask } from "./inbox.ts";

/** A token as the inbox has it: not its text, which only its owner has. */
export interface Token {
  readonly id: number;
  readonly owner: string;
  readonly label: string;
  readonly madeAt: Date;
  /** Null: never. */
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

const COLUMNS = `t.id, t.owner_uuid AS owner, t.label, t.made_at AS "madeAt",
  t.expires_at AS "expiresAt", t.revoked_at AS "revokedAt"`;

/**
 * Makes a token for an owner. Its text is returned this once; the inbox keeps a SHA-256 of it, which is
 * enough for 32 random bytes: nobody guesses them, slow hash or not.
 *
 * @param days until it expires; null: never
 */
export async function addToken(
  { connection }: AdminInbox,
  owner: string,
  label: string,
  days: number | null,
): Promise<Token & { readonly token: string }> {
  const token = randomBytes(32).toString("base64url");
  const sha256 = createHash("sha256").update(token).digest();
  const [made] = await ask<Token>(
    connection,
    `INSERT INTO omoide.token AS t (sha256, owner_uuid, label, expires_at)
    VALUES ($1, $2, $3, now() + make_interval(days => $4)) RETURNING ${COLUMNS}`,
    [sha256, owner, label, days],
  );
  if (made === undefined) throw new Error("the inbox made no token");
  return { ...made, token };
}

/** @param owner null: of all owners */
export async function listTokens(
  { connection }: AdminInbox,
  owner: string | null,
): Promise<Token[]> {
  return await ask(
    connection,
    `SELECT ${COLUMNS} FROM omoide.token t WHERE $1::uuid IS NULL OR t.owner_uuid = $1 ORDER BY t.id`,
    [owner],
  );
}

/** Makes every token of an owner worthless, from the next request on. @returns how many were not yet */
export async function revokeTokensOf({ connection }: AdminInbox, owner: string): Promise<number> {
  const revoked = await ask(
    connection,
    "UPDATE omoide.token SET revoked_at = now() WHERE owner_uuid = $1 AND revoked_at IS NULL RETURNING id",
    [owner],
  );
  return revoked.length;
}

/** Makes a token worthless, from the next request on. @throws {ConfigurationError} there is none */
export async function revokeToken({ connection }: AdminInbox, id: number): Promise<Token> {
  const [token] = await ask<Token>(
    connection,
    `UPDATE omoide.token t SET revoked_at = coalesce(t.revoked_at, now()) WHERE t.id = $1
    RETURNING ${COLUMNS}`,
    [id],
  );
  if (token !== undefined) return token;
  throw new ConfigurationError(`There is no token ${id}; \`token list\` shows them`);
}
