import {
  OBJECT_MODE,
  type ObjectName,
  PRIVATE_DIRECTORY,
  PRIVATE_DIRECTORY_MODE,
  PUBLIC_DIRECTORY_MODE,
} from "../layout.ts";
import type { Find } from "./check_links.ts";
import type { Found } from "./walk.ts";

/** Compares modes and owners with what the worker makes: its user is whoever owns the root. */
export class ModeCheck {
  readonly #uid: number | null;
  readonly #gid: number | null;

  constructor(root: string, readonly find: Find) {
    const { uid, gid } = Deno.lstatSync(root);
    this.#uid = uid;
    this.#gid = gid;
  }

  object({ path, info }: Found<ObjectName>): void {
    this.#check(path, info, OBJECT_MODE);
  }

  directory(path: string, info: Deno.FileInfo): void {
    const isPrivate = path.startsWith(PRIVATE_DIRECTORY);
    this.#check(path, info, isPrivate ? PRIVATE_DIRECTORY_MODE : PUBLIC_DIRECTORY_MODE);
  }

  #check(path: string, info: Deno.FileInfo, mode: number): void {
    const found = (info.mode ?? 0) & 0o777;
    if (found !== mode) {
      this.find("mode", path, `has mode ${octal(found)}, not ${octal(mode)}`);
    }
    if (info.uid !== this.#uid || info.gid !== this.#gid) {
      this.find(
        "owner",
        path,
        `belongs to ${info.uid}:${info.gid}, the root to ${this.#uid}:${this.#gid}`,
      );
    }
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
