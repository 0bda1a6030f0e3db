import { Buffer } from "node:buffer";
import type { Caller } from "./pool.ts";

/** Whose token it is. @param sha256 of its text @returns null if it is not known, or no longer valid */
export async function ownerOfToken(caller: Caller, sha256: Uint8Array): Promise<string | null> {
  const [row] = await caller.call<{ owner: string | null }>(
    "SELECT omoide.owner_of_token($1) AS owner",
    [sha256],
  );
  return row?.owner ?? null;
}

/** As `ownerOfToken` of many at once, in their order. */
export async function ownersOfTokens(
  caller: Caller,
  sha256s: readonly Uint8Array[],
): Promise<(string | null)[]> {
  const rows = await caller.call<{ owner: string | null }>(
    "SELECT omoide.owner_of_token(t.sha256) AS owner " +
      "FROM unnest($1::bytea[]) WITH ORDINALITY AS t (sha256, n) ORDER BY n",
    [sha256s.map((sha256) => Buffer.from(sha256))],
  );
  return rows.map(({ owner }) => owner);
}
