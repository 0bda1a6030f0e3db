import { closeSync, fsyncSync, writeSync } from "node:fs";
import { PRIVATE_DIRECTORY } from "../layout.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import type { Owner } from "./ownership.ts";
import { AUDIT_LOG_PATH } from "../places.ts";

/** Who started this program, before it became the tree's owner. */
const STARTED_BY = Deno.uid();

/**
 * What an administrator's tool did to a storage, one JSON object a line in `.omoide/record.jsonl`. Opened
 * to append only; each line is on the disk before `write` returns, and actions come after their line.
 */
export class AuditLog implements Disposable {
  readonly #fd: number;

  constructor(tree: GuardedTree, owner: Owner) {
    this.#fd = tree.openAppend(AUDIT_LOG_PATH, 0o600);
    try {
      tree.settle(AUDIT_LOG_PATH, owner, 0o600);
      tree.sync(PRIVATE_DIRECTORY);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  /** Appends one action, with the time (UTC) and who did it. */
  write(action: string, facts: object): void {
    const line = { at: new Date().toISOString(), by: STARTED_BY, action, ...facts };
    writeSync(this.#fd, JSON.stringify(line) + "\n");
    fsyncSync(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
