import { ExternalSort } from "./external_sort.ts";

/** What two sides are compared by. */
export interface Compared {
  readonly path: string;
  /** null where the tree does not vouch for the bytes. */
  readonly sha256: string | null;
  readonly size: number;
  /** The object's file name, where the side has objects. */
  readonly object?: string | null;
}

/**
 * - `missing in B`, `missing in A`: one side alone has the path, and nobody has its bytes as that item
 *   under another name
 * - `different`: both have the path, with other bytes
 * - `renamed`: both have the item's bytes, under different names
 * - `unknown`: both have the path, but a side's file is no link to an object: only reading it would show
 */
export type Difference =
  | {
    readonly kind: "missing in B" | "missing in A";
    readonly path: string;
    readonly size: number;
    /** The object on the side that has it; null where it has none. */
    readonly object: string | null;
  }
  | { readonly kind: "different" | "unknown"; readonly path: string; readonly size: number }
  | {
    readonly kind: "renamed";
    readonly path: string;
    readonly pathInB: string;
    readonly size: number;
  };

export type Side<T> = Iterable<T> | AsyncIterable<T>;
type Pair<A, B> = { a: A; b: B } | { a: A; b: null } | { a: null; b: B };

/**
 * A path without the directory that its item's first characters name: storages may differ in how many
 * those are. Paths sorted with it are sorted without it, since the item's name follows it.
 */
function keyOf(path: string): string {
  const owner = path.indexOf("/", path.indexOf("/") + 1);
  const prefix = path.indexOf("/", owner + 1);
  return prefix < 0 ? path : path.slice(0, owner) + path.slice(prefix);
}

/** Merges two enumerations sorted by path: each media's path once, with what either side has. */
async function* merge<A extends { path: string }, B extends { path: string }>(
  sideA: Side<A>,
  sideB: Side<B>,
): AsyncGenerator<Pair<A, B>> {
  const nextA = puller(sideA), nextB = puller(sideB);
  // Only what is a promise is awaited.
  let a = nextA(), b = nextB();
  for (;;) {
    if (a instanceof Promise) a = await a;
    if (b instanceof Promise) b = await b;
    if (a === null && b === null) return;
    const keyA = a === null ? null : keyOf(a.path), keyB = b === null ? null : keyOf(b.path);
    if (b === null || keyB === null || keyA !== null && keyA < keyB) {
      if (a !== null) yield { a, b: null };
      a = nextA();
    } else if (a === null || keyA === null || keyB < keyA) {
      yield { a: null, b };
      b = nextB();
    } else {
      yield { a, b };
      a = nextA();
      b = nextB();
    }
  }
}

/** Takes one after the other: a promise of it only where the side is asynchronous. */
function puller<T>(side: Side<T>): () => T | null | Promise<T | null> {
  if (Symbol.iterator in side) {
    const iterator = side[Symbol.iterator]();
    return () => {
      const { value, done } = iterator.next();
      return done ? null : value;
    };
  }
  const iterator = side[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    return done ? null : value;
  };
}

/** How often each kind of difference came, and how many paths were the same; counts while it goes. */
export class Comparison {
  same = 0;
  missingInA = 0;
  missingInB = 0;
  different = 0;
  renamed = 0;
  unknown = 0;
}

/**
 * Compares two enumerations sorted by path, in constant memory. What one side alone has is sorted once
 * more, by item and checksum, to distinguish a file under another name from a missing one.
 *
 * @param count where it counts
 * @returns each difference; the missing ones come last
 */
export async function* compare(
  sideA: Side<Compared>,
  sideB: Side<Compared>,
  count: Comparison,
  onEntry: () => void = () => {},
): AsyncGenerator<Difference> {
  const alone = new ExternalSort();
  for await (const { a, b } of merge(sideA, sideB)) {
    onEntry();
    if (a === null || b === null) {
      const entry = a ?? b;
      alone.add(
        `${bytesKey(entry)}\t${entry.path}\t${a === null ? "B" : "A"}\t${entry.size}\t${
          entry.object ?? ""
        }`,
      );
    } else if (a.sha256 === null || b.sha256 === null) {
      count.unknown++;
      yield { kind: "unknown", path: a.path, size: a.size };
    } else if (a.sha256 !== b.sha256 || a.size !== b.size) {
      count.different++;
      yield { kind: "different", path: a.path, size: a.size };
    } else {
      count.same++;
    }
  }
  for (const { inA, inB } of groups(alone.sorted())) {
    while (inA.length > 0 && inB.length > 0) {
      const a = inA.shift(), b = inB.shift();
      if (a === undefined || b === undefined) break;
      count.renamed++;
      yield { kind: "renamed", path: a.path, pathInB: b.path, size: a.size };
    }
    for (const lone of inA) {
      count.missingInB++;
      yield { kind: "missing in B", ...lone };
    }
    for (const lone of inB) {
      count.missingInA++;
      yield { kind: "missing in A", ...lone };
    }
  }
}

/** The same directory, item, ext and checksum: the same media under whatever name. */
function bytesKey(entry: Compared): string {
  const plain = keyOf(entry.path).replace(/~[0-9a-f]{64}(?=\.[^.]*$)/, "");
  return `${plain}\t${entry.sha256 ?? "?" + entry.path}`;
}

type Lone = { path: string; size: number; object: string | null };

function* groups(sorted: Iterable<string>): Generator<{ inA: Lone[]; inB: Lone[] }> {
  let key = "", inA: Lone[] = [], inB: Lone[] = [];
  for (const line of sorted) {
    const [plain = "", sha256 = "", path = "", side, size, object = ""] = line.split("\t");
    const here = `${plain}\t${sha256}`;
    if (here !== key) {
      if (key !== "") yield { inA, inB };
      [key, inA, inB] = [here, [], []];
    }
    (side === "A" ? inA : inB).push({
      path,
      size: Number(size),
      object: object === "" ? null : object,
    });
  }
  if (key !== "") yield { inA, inB };
}
