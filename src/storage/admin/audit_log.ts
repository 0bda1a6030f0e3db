import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  writeSync,
} from "node:fs";
import { PRIVATE_DIRECTORY } from "../layout.ts";
import { type Owner, syncDirectory } from "./ownership.ts";
import { AUDIT_LOG_PATH } from "./places.ts";

/**
 * What an administrator's tool did to a storage, one JSON object a line in `.omoide/record.jsonl`. Opened
 * to append only; each line is on the disk before `write` returns, and actions come after their line.
 */
export class AuditLog implements Disposable {
  readonly #fd: number;

  constructor(root: string, owner: Owner) {
    const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
    const path = `${root}/${AUDIT_LOG_PATH}`;
    this.#fd = openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
    fchownSync(this.#fd, owner.uid, owner.gid);
    fchmodSync(this.#fd, 0o600);
    syncDirectory(`${root}/${PRIVATE_DIRECTORY}`);
  }

  /** Appends one action, with the time (UTC) and who did it. */
  write(action: string, facts: object): void {
    const line = { at: new Date().toISOString(), by: Deno.uid(), action, ...facts };
    writeSync(this.#fd, JSON.stringify(line) + "\n");
    fsyncSync(this.#fd);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** When a action was recorded last; null where it never was. */
export function lastLogged(root: string, action: string): Date | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${root}/${AUDIT_LOG_PATH}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
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
