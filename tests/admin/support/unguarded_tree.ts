import { chmodSync, chownSync, closeSync, openSync } from "node:fs";
import { type FileId, GuardedTree, type Listed } from "../../../src/storage/admin/guarded_tree.ts";
import { ObjectLayout } from "../../../src/storage/layout.ts";
import type { Owner } from "../../../src/storage/admin/ownership.ts";

/**
 * A tree that is trusted: paths are used as they are, links are followed. It is what the guard is compared
 * with, since a test that nothing outside changes must be able to fail.
 */
export function unguarded(root: string): GuardedTree {
  return new UnguardedTree(root) as unknown as GuardedTree;
}

class UnguardedTree implements Pick<GuardedTree, keyof GuardedTree> {
  readonly objects = ObjectLayout.of(1);

  constructor(readonly root: string) {}

  isOnDevice(): boolean {
    return true;
  }
  look(path: string): Deno.FileInfo | null {
    try {
      return Deno.statSync(this.#at(path));
    } catch {
      return null;
    }
  }
  requireFile(path: string): Deno.FileInfo {
    return Deno.statSync(this.#at(path));
  }
  list(path: string): Listed[] {
    return [...Deno.readDirSync(this.#at(path))]
      .map(({ name }) => ({ name, info: Deno.statSync(this.#at(`${path}/${name}`)) }));
  }
  openRead(path: string): number {
    return openSync(this.#at(path), "r");
  }
  openAppend(path: string, mode: number): number {
    return openSync(this.#at(path), "a", mode);
  }
  create(path: string, mode: number): number {
    return openSync(this.#at(path), "wx", mode);
  }
  makeDirectory(path: string, mode: number): void {
    Deno.mkdirSync(this.#at(path), { mode, recursive: true });
  }
  link(from: string, to: string): void {
    Deno.linkSync(this.#at(from), this.#at(to));
  }
  remove(path: string): void {
    Deno.removeSync(this.#at(path));
  }
  replace(draft: string, path: string): void {
    Deno.renameSync(this.#at(draft), this.#at(path));
  }
  settle(path: string, owner: Owner | null, mode: number | null, _expected?: FileId): void {
    if (owner !== null) chownSync(this.#at(path), owner.uid, owner.gid);
    if (mode !== null) chmodSync(this.#at(path), mode);
  }
  sync(path: string): void {
    closeSync(openSync(this.#at(path), "r"));
  }

  #at(path: string): string {
    return `${this.root}/${path}`;
  }
}
