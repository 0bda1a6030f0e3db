import { parseObjectName } from "../layout.ts";
import { EventLoopYielder } from "./event_loop_yielder.ts";
import { ExternalSort } from "./external_sort.ts";
import type { GuardedTree } from "./guarded_tree.ts";
import { HashPool } from "./hash_pool.ts";
import { secondsOf, walkObjects, walkPublic } from "./walk.ts";

/** Over a network, more reads under way than a disk of this machine wants. */
const PARALLEL = 4;

/** A public file, and its object's file name; empty where nothing says which it is. */
export interface Joined {
  readonly path: string;
  readonly object: string;
  readonly size: number;
  /** Seconds since the epoch, UTC. */
  readonly writtenAt: number;
}

/**
 * Finds the object of each public file where links cannot be seen: by reading the file, and by its size
 * and time, which both names of a file share. Objects of other media with the same bytes, written in the
 * same second, cannot be distinguished: such a file has none here. In no particular order.
 */
export async function* joinByBytes(
  tree: GuardedTree,
  prefixSize: number,
  signal: AbortSignal,
): AsyncGenerator<Joined> {
  const same = new ExternalSort();
  function* files() {
    for (const { path, info } of walkPublic(tree, prefixSize, () => {})) {
      yield { path, size: info.size, writtenAt: secondsOf(info) };
    }
  }
  {
    using pool = new HashPool(tree.root, PARALLEL, 0, signal);
    for await (const { thing, hashed } of pool.hashAll(files())) {
      // What cannot be read has no object's bytes either.
      const sha256 = "sha256" in hashed ? hashed.sha256 : "-";
      same.add(`${sha256} ${thing.size} ${thing.writtenAt} 1 ${thing.path}`);
    }
  }
  const yielder = new EventLoopYielder(signal);
  for (const { path, name, info } of walkObjects(tree, () => {})) {
    const pause = yielder.tick();
    if (pause) await pause;
    const file = path.slice(path.lastIndexOf("/") + 1);
    same.add(`${name.sha256} ${info.size} ${secondsOf(info)} 0 ${file}`);
  }
  let key = "", object = "", media: bigint | null = null, alike = false;
  for (const line of same.sorted()) {
    const [sha256, size, writtenAt, kind, name = ""] = line.split(" ");
    const here = `${sha256} ${size} ${writtenAt}`;
    if (here !== key) [key, object, media, alike] = [here, "", null, false];
    if (kind === "0") {
      // Several attempts of one media are one media.
      const id = parseObjectName(name)?.mediaId ?? null;
      alike ||= media !== null && media !== id;
      if (object === "") [object, media] = [name, id];
    } else {
      const found = alike ? "" : object;
      yield { path: name, object: found, size: Number(size), writtenAt: Number(writtenAt) };
    }
  }
}
