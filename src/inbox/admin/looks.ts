import type { Depth, Finding } from "../../finding.ts";
import { findingColumns } from "../finding_columns.ts";
import { type AdminInbox, ask, transaction } from "./inbox.ts";

/** How many findings one statement takes. */
const PAGE = 1000;

/** The database's clock, which findings are dated by. Milliseconds since the epoch would lose some of it. */
export async function timeInInbox({ connection }: AdminInbox): Promise<string> {
  const [row] = await ask<{ time: string }>(connection, "SELECT clock_timestamp()::text AS time");
  if (row === undefined) throw new TypeError("the database has no time");
  return row.time;
}

/** A finding with what can find it well again: a look of a scrub, or only another `storage verify`. */
export interface RecordedFinding extends Finding {
  readonly closedBy: Depth | "verify";
}

/** What an administrator's own look at every byte of a storage came to. */
export interface DeepLook {
  /** When it began, as `timeInInbox` said. */
  readonly startedAt: string;
  readonly files: number;
  readonly bytes: number;
  readonly findings: readonly RecordedFinding[];
}

/**
 * Records a deep look that an administrator has made, all or nothing: it opens what it found and closes
 * what it found well. A scrub's own look that is under way is given up: everything has just been read.
 */
export async function recordDeepLook(
  inbox: AdminInbox,
  storageId: number,
  { startedAt, files, bytes, findings }: DeepLook,
): Promise<void> {
  const { connection } = inbox;
  // As the inbox keeps them: a name may have a wrong mode and a wrong owner.
  const count = new Set(findings.map(({ kind, path }) => `${kind}: ${path}`)).size;
  await transaction(inbox, async () => {
    await ask(
      connection,
      `INSERT INTO omoide.look AS l (storage_id, depth, started_at, seen_at, findings)
      VALUES ($1, 'deep', $2, clock_timestamp(), $3)
      ON CONFLICT (storage_id, depth) DO UPDATE SET started_at = excluded.started_at,
        seen_at = excluded.seen_at, position = NULL, files = 0, bytes = 0,
        findings = excluded.findings`,
      [storageId, startedAt, count],
    );
    for (const [closedBy, own] of Map.groupBy(findings, (each) => each.closedBy)) {
      for (let at = 0; at < own.length; at += PAGE) {
        await ask(
          connection,
          "SELECT omoide.keep_findings($1::smallint, $2, $3, $4, $5, $6)",
          [storageId, closedBy, ...findingColumns(own.slice(at, at + PAGE))],
        );
      }
    }
    // It also sees each name that does not belong there, as a shallow look does.
    await ask(
      connection,
      `UPDATE omoide.found SET closed_at = clock_timestamp()
      WHERE storage_id = $1 AND closed_at IS NULL AND seen_at < $2
        AND (depth = 'verify' OR depth = 'shallow' AND kind = 'unexpected')`,
      [storageId, startedAt],
    );
    await ask(connection, "SELECT omoide.end_look($1::smallint, 'deep', $2, $3)", [
      storageId,
      files,
      bytes,
    ]);
  });
}
