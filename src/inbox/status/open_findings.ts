import type { Connection } from "../connect.ts";
import { ask } from "./ask.ts";
import { ASK_FINDINGS, type OpenFinding } from "./details.ts";

/** What looks have found wrong and no later look has found well, the earliest first. Errors as `ask`. */
export async function openFindings(connection: Connection, limit: number): Promise<OpenFinding[]> {
  return await ask<OpenFinding>(connection, ASK_FINDINGS, [limit]);
}
