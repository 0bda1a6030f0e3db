import { ConfigurationError, UsageError } from "../errors.ts";
import { type AdminInbox, openInbox } from "../inbox/admin/inbox.ts";
import { ownersNotDrained, withoutReceipts } from "../inbox/admin/owners.ts";
import { listStorages, type RegisteredStorage } from "../inbox/admin/storages.ts";
import { type FilesDigest, filesDigest, type Proof } from "../storage/admin/proof.ts";
import { inBatches, type NamedEntry } from "../storage/admin/held_files.ts";
import type { Manifest } from "../storage/admin/manifest.ts";
import { count } from "../units.ts";

type Listed = NamedEntry & { readonly sha256: string };

/**
 * An owner's move to another inbox, by the proofs of it. Refuses to delete files that are not there, each in as
 * many copies as that inbox asks for before it lets a blob go: proven (`storage prove`) in every storage that it
 * requires, at least `min_copies` of either inbox and never fewer than two, none of them distrusted, with
 * receipts. Nor while something of the owner is in the inbox that is left, or could still come in: it must be
 * frozen.
 */
export class Move implements AsyncDisposable {
  private constructor(
    private readonly from: AdminInbox,
    private readonly other: AdminInbox,
    private readonly proofs: readonly Proof[],
  ) {}

  /**
   * @param to the other inbox's URL
   * @throws {UsageError} it is the same inbox, or a proof is not of the manifest's files
   */
  static async open(
    from: AdminInbox,
    to: string,
    proofs: readonly Proof[],
    manifest: Manifest,
  ): Promise<Move> {
    const move = new Move(from, await openInbox(to), proofs);
    try {
      if (move.other.uuid === from.uuid) {
        throw new UsageError("--moved-to is the inbox that the files are in; nothing was done");
      }
      requireDigest(proofs, filesDigest(manifest.entries(), manifest.owner.prefixSize));
      return move;
    } catch (error) {
      await move[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Asks both inboxes as they are now.
   *
   * @throws {ConfigurationError} saying what is not so
   */
  async require(files: readonly Listed[]): Promise<void> {
    const { from, other, proofs } = this;
    const holders = holdersOf(await listStorages(other), proofs, other, from.minCopies);
    const owners = [...new Set(files.map(({ ownerUuid }) => ownerUuid))];
    const [waiting] = await ownersNotDrained(from, owners);
    if (waiting !== undefined) {
      throw new ConfigurationError(
        `Owner ${waiting} is not frozen, or something of it has not left this inbox: \`owner show\` says ` +
          "what. Wait for it, then begin again with a new manifest",
      );
    }
    for await (const batch of inBatches(files, 1000)) {
      const missing = await withoutReceipts(other, holders.map(({ id }) => id), batch);
      if (missing === 0) continue;
      throw new ConfigurationError(
        `${count(missing, "file")} without a receipt of ${
          holders.map(({ name }) => name).join(" and ")
        } in the other inbox: \`storage rebuild --owner\` there`,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.other[Symbol.asyncDispose]();
  }
}

function requireDigest(proofs: readonly Proof[], { files, digest }: FilesDigest): void {
  const other = proofs.find((proof) => proof.digest !== digest || proof.files !== files);
  if (other === undefined) return;
  throw new UsageError(
    `The proof of ${other.storage} is of other files (${other.files}, the manifest has ${files}): ` +
      "`storage prove` with this manifest; nothing was done",
  );
}

/** The storages of the other inbox that count: exactly those that a blob there waits for. */
function holdersOf(
  storages: readonly RegisteredStorage[],
  proofs: readonly Proof[],
  inbox: AdminInbox,
  minCopies: number,
): RegisteredStorage[] {
  const required = storages.filter(({ retiredAt }) => retiredAt === null);
  for (const { name, uuid, distrustedReason } of required) {
    if (distrustedReason !== null) {
      throw new ConfigurationError(
        `${name} of the other inbox is distrusted (${distrustedReason})`,
      );
    }
    if (!proofs.some((proof) => proof.uuid === uuid && proof.inbox === inbox.uuid)) {
      throw new ConfigurationError(
        `There is no proof that ${name} of the other inbox (${uuid}) has these files: \`storage prove\` ` +
          "there, and give its result as another --proof",
      );
    }
  }
  const needed = Math.max(2, minCopies, inbox.minCopies);
  if (required.length >= needed) return required;
  throw new ConfigurationError(
    `The other inbox has ${count(required.length, "storage")}, and ${needed} copies are required`,
  );
}
