import { closeSync, fsyncSync, writeSync } from "node:fs";
import { PRIVATE_DIRECTORY } from "../layout.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import type { Owner } from "./ownership.ts";
import { AUDIT_LOG_PATH } from "./places.ts";
import { readPieces } from "./read_object.ts";

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

/** When an action was recorded last; null where it never was. */
export function lastLogged(tree: GuardedTree, action: string): Date | null {
  if (tree.look(AUDIT_LOG_PATH) === null) return null;
  const decoder = new TextDecoder();
  let text = "";
  for (const piece of readPieces(tree, AUDIT_LOG_PATH)) {
    text += decoder.decode(piece, { stream: true });
  }
  let last: Date | null = null;
  for (const line of text.split("\n")) {
    // A line that a run which died had not finished says nothing.
    if (!line.startsWith("{") || !line.endsWith("}")) continue;
    const found: unknown = JSON.parse(line);
    if (typeof found !== "object" || found === null) continue;
    // Lines of before the first release call it a deed.
    const logged = "action" in found ? found.action : "deed" in found ? found.deed : null;
    if (logged !== action || !("at" in found)) continue;
    last = new Date(String(found.at));
  }
  return last;
}
