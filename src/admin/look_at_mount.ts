import { defined } from "../defined.ts";
import { locate } from "../storage/admin/located_tree.ts";
import { mountTypeOf } from "../storage/admin/mount_table.ts";
import type { MountFound } from "../storage/admin/note_mount.ts";

/** Every command that makes a root takes it. */
export const ACCEPT = [
  "--accept <words>",
  "accept what ROOT's file system does not keep, in the words that the refusal asks for",
] as const;

/**
 * What is mounted at a root, as the administrator gave it. To be called in `prepare`: later, nothing may be
 * run any more.
 */
export function lookAtMount(
  root: string,
  accept: string | undefined,
): { readonly mounted?: MountFound } {
  const type = mountTypeOf(locate(root, true).path);
  if (type === null) return {};
  return { mounted: { type, ...defined({ accept }) } };
}
