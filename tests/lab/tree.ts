import { join } from "node:path";
import { MEDIA_TYPES } from "../../src/media.ts";
import { sha256Of } from "../support/media.ts";

/** A name below a root, as it is now. */
export interface Entry {
  readonly kind: "file" | "directory" | "other";
  readonly inode: number | null;
  readonly size: number;
  /** Of regular files only. */
  readonly sha256: string | null;
}

/** Everything below a root by its relative path, every file read and hashed. */
export async function readTree(root: string): Promise<Map<string, Entry>> {
  const tree = new Map<string, Entry>();
  await readInto(tree, root, "");
  return tree;
}

async function readInto(tree: Map<string, Entry>, root: string, directory: string) {
  for (const name of await namesIn(join(root, directory))) {
    const path = directory === "" ? name : `${directory}/${name}`;
    const info = await Deno.lstat(join(root, path));
    const kind = info.isFile ? "file" : info.isDirectory ? "directory" : "other";
    const sha256 = info.isFile ? sha256Of(await Deno.readFile(join(root, path))) : null;
    tree.set(path, { kind, inode: info.ino, size: info.size, sha256 });
    if (info.isDirectory) await readInto(tree, root, path);
  }
}

/** The names that readers see: relative paths of everything below the public directories but directories. */
export async function publicNames(root: string): Promise<string[]> {
  const found: string[] = [];
  const look = async (directory: string) => {
    const below: string[] = [];
    for await (const entry of Deno.readDir(join(root, directory))) {
      (entry.isDirectory ? below : found).push(`${directory}/${entry.name}`);
    }
    for (const each of below) await look(each);
  };
  for (const type of MEDIA_TYPES) await look(type);
  return found;
}

/** Whether anything has this name, a link that leads nowhere too. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(directory)) names.push(name);
  return names.sort();
}
