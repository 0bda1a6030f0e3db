import { messageOf } from "../../errors.ts";
import { publicPath } from "../layout.ts";
import type { Entry } from "./entries.ts";
import { type FileId, GuardedTree, sameFile } from "./guarded_tree.ts";
import type { HashPool } from "./hash_pool.ts";
import { nameEntry } from "./held_files.ts";
import { type FilesDigest, FilesDigester } from "./proof.ts";

/** A listed file that this storage does not have as it is listed. */
export interface Unproven {
  /** In this storage. */
  readonly path: string;
  readonly why: string;
}

/** A file to be read, at the path that it has here. */
interface Listed extends FileId {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface ProveReport extends FilesDigest {
  /** Bytes of the files that were read. */
  readonly bytes: number;
  readonly unproven: readonly Unproven[];
}

/**
 * Reads every file that a manifest of another storage lists, here, at the path that its media has here, and
 * compares its bytes with what the manifest says. Read-only. A public file that is a link to no object is
 * not proven, whatever its bytes: it has not come by the write-once protocol.
 *
 * @param prefixSizes of the manifest's storage, and of this one
 */
export async function prove(
  tree: GuardedTree,
  entries: Iterable<Entry>,
  prefixSizes: { readonly manifest: number; readonly here: number },
  pool: HashPool,
  onFile: (bytes: number) => void,
): Promise<ProveReport> {
  const digester = new FilesDigester(prefixSizes.manifest);
  const unproven: Unproven[] = [];
  let bytes = 0;

  function* listed(): Generator<Listed> {
    for (const entry of entries) {
      digester.add(entry);
      const found = locate(tree, entry, prefixSizes);
      if ("why" in found) unproven.push(found);
      else yield found;
    }
  }

  for await (const { thing, hashed } of pool.hashAll(listed())) {
    const { path, size, sha256 } = thing;
    bytes += size;
    onFile(bytes);
    if ("error" in hashed) unproven.push({ path, why: hashed.error });
    else if (!sameFile(hashed.file, thing)) unproven.push({ path, why: "was replaced meanwhile" });
    else if (hashed.sha256 !== sha256) {
      unproven.push({ path, why: `has the checksum ${hashed.sha256}` });
    }
  }
  return { ...digester.end(), bytes, unproven };
}

function locate(
  tree: GuardedTree,
  entry: Entry,
  prefixSizes: { readonly manifest: number; readonly here: number },
): Listed | Unproven {
  const name = nameEntry(entry, prefixSizes.manifest);
  if (name === null || name.sha256 === null) {
    return { path: entry.path, why: "is listed without a checksum" };
  }
  const path = publicPath(name, prefixSizes.here);
  const { size, sha256 } = name;
  try {
    const info = tree.look(path);
    if (info === null) return { path, why: "is missing" };
    if (!info.isFile || !tree.isOnDevice(info)) {
      return { path, why: "is not a file of this storage" };
    }
    if (info.size !== size) return { path, why: `has ${info.size} bytes, not ${size}` };
    if (info.nlink === 1) return { path, why: "is a link to no object" };
    return { path, size, sha256, dev: info.dev, ino: info.ino };
  } catch (error) {
    return { path, why: messageOf(error) };
  }
}
