import type { FindingKind } from "../finding.ts";
import { openInbox } from "../inbox/admin/inbox.ts";
import { recordDeepLook, type RecordedFinding, timeInInbox } from "../inbox/admin/looks.ts";
import type { VerifyFinding, VerifyKind } from "../storage/admin/findings.ts";
import { OBJECTS_DIRECTORY } from "../storage/layout.ts";
import type { VerifyReport } from "../storage/admin/verify.ts";
import { requireRegistered } from "./registered.ts";
import type { Root } from "./roots.ts";

/** What a finding of `verify` is called in the inbox; null for those that are none there. */
const KINDS: Readonly<Record<VerifyKind, FindingKind | null>> = {
  corrupt: "corrupt",
  unreadable: "unreadable",
  // Nobody can say whether its bytes are right.
  unvouched: "unexpected",
  misnamed: "unexpected",
  unlinked: "missing",
  unexpected: "unexpected",
  mode: "unexpected",
  owner: "unexpected",
  link: "unexpected",
  // A look under way or an attempt that died: the scrub does not report it either.
  orphan: null,
};

/** Of these a scrub's look sees too whether they are well; of the others only `verify`. */
const SEEN_BY_SCRUBS: ReadonlySet<VerifyKind> = new Set(["corrupt", "unreadable", "unexpected"]);

/** A verification that the inbox is to hear of. Reading takes hours, for which no connection is kept. */
export class RecordedLook {
  private constructor(
    private readonly database: string,
    private readonly root: Root,
    private readonly startedAt: string,
  ) {}

  /** @throws {ConfigurationError} the root is not registered there */
  static async begin(database: string, root: Root): Promise<RecordedLook> {
    await using inbox = await openInbox(database);
    await requireRegistered(inbox, root);
    return new RecordedLook(database, root, await timeInInbox(inbox));
  }

  /** Only a look at everything is one. */
  async finish({ objects, bytes, findings }: VerifyReport): Promise<void> {
    await using inbox = await openInbox(this.database);
    const { id } = await requireRegistered(inbox, this.root);
    await recordDeepLook(inbox, id, {
      startedAt: this.startedAt,
      ...{ files: objects, bytes },
      findings: findings.flatMap(inInbox),
    });
  }
}

function inInbox({ kind, path, detail }: VerifyFinding): RecordedFinding[] {
  const known = KINDS[kind];
  if (known === null) return [];
  const seenBy = path.startsWith(`${OBJECTS_DIRECTORY}/`) ? "deep" : "shallow";
  const closedBy = SEEN_BY_SCRUBS.has(kind) ? seenBy : "verify";
  return [{ kind: known, path, detail, mediaId: null, closedBy }];
}
