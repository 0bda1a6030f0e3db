import { type Located, requireLocated } from "../storage/admin/located_tree.ts";
import { printError } from "../terminal.ts";
import { becomeOwner } from "./become_owner.ts";

/** Whether this process, being root, has to become a tree's owner to work on it. */
export function mustBecome({ owner }: Located): boolean {
  return Deno.uid() === 0 && owner !== null && owner.uid !== 0;
}

/**
 * Goes on as the owner of a tree, where this is root, and says so. Without an owner (it is to be made)
 * or with root as its owner it stays root, and `locate` has seen that only root can write there.
 */
export function enterTree(tree: Located): void {
  const { owner, path } = tree;
  if (owner === null || !mustBecome(tree)) return;
  becomeOwner(owner);
  printError(
    `omoide-admin: gave up root's rights: working as uid ${owner.uid}, gid ${owner.gid}, ` +
      `who owns ${path}`,
  );
  requireLocated(tree);
}
