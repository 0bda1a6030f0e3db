import type { Caller } from "./pool.ts";

/** Whose token it is. @param sha256 of its text @returns null if it is nobody's, or no longer */
export async function ownerOfToken(caller: Caller, sha256: Uint8Array): Promise<string | null> {
  const [row] = await caller.call<{ owner: string | null }>(
    "SELECT omoide.owner_of_token($1) AS owner",
    [sha256],
  );
  return row?.owner ?? null;
}
