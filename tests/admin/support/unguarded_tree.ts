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

export class UnguardedTree implements Pick<GuardedTree, keyof GuardedTree> {
  readonly objects = ObjectLayout.of(1);

  constructor(readonly root: string) {}

  isOnDevice(): boolean {
    return true;
  }
  look(path: string): Deno.FileInfo | null {
    try {
      return Deno.statSync(at(this, path));
    } catch {
      return null;
    }
  }
  requireFile(path: string): Deno.FileInfo {
    return Deno.statSync(at(this, path));
  }
  list(path: string): Listed[] {
    if (this.look(path) === null) return [];
    return [...Deno.readDirSync(at(this, path))]
      .map(({ name }) => ({ name, info: Deno.statSync(at(this, `${path}/${name}`)) }));
  }
  *each(path: string): Generator<Listed> {
    yield* this.list(path);
  }
  openRead(path: string): number {
    return openSync(at(this, path), "r");
  }
  openAppend(path: string, mode: number): number {
    return openSync(at(this, path), "a", mode);
  }
  create(path: string, mode: number): number {
    return openSync(at(this, path), "wx", mode);
  }
  makeDirectory(path: string, mode: number): void {
    Deno.mkdirSync(at(this, path), { mode, recursive: true });
  }
  link(from: string, to: string): void {
    Deno.linkSync(at(this, from), at(this, to));
  }
  remove(path: string): void {
    Deno.removeSync(at(this, path));
  }
  replace(draft: string, path: string): void {
    Deno.renameSync(at(this, draft), at(this, path));
  }
  settle(path: string, owner: Owner | null, mode: number | null, _expected?: FileId): void {
    if (owner !== null) chownSync(at(this, path), owner.uid, owner.gid);
    if (mode !== null) chmodSync(at(this, path), mode);
  }
  sync(path: string): void {
    closeSync(openSync(at(this, path), "r"));
  }
}

/** No private method: the methods also take the guard's place in the whole program. */
function at({ root }: { readonly root: string }, path: string): string {
  return `${root}/${path}`;
}
