/**
 * Looks at a synthetic storage of as many files as the first argument says, an owner having as many as the
 * second, at every name and at every object, and prints what it saw and the peak memory of the process, in MiB.
 * A program of its own, so that its memory is its own. Its files have no bytes to read: what a look holds of
 * them is one buffer, however many they are.
 */
import { lookDeeply } from "../../../src/scrub/deep_look.ts";
import type { LookContext, ScrubInbox } from "../../../src/scrub/look.ts";
import { Pace } from "../../../src/scrub/pace.ts";
import { lookShallowly } from "../../../src/scrub/shallow_look.ts";
import { objectPath } from "../../lab/first_format.ts";
import { parseObjectName, publicPath } from "../../../src/storage/layout.ts";
import { type ReadCalls, ReadOnlyTree } from "../../../src/storage/scrub/read_only_tree.ts";

const names = Number(Deno.args[0]);
/** Files of each owner. */
const OWNERS_FILES = Number(Deno.args[1] ?? 1000);
const PREFIX_SIZE = 2;
const ROOT = "/synthetic";

const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0");

/** The media with this number, from 0: the objects' directories have equally many. */
function mediaAt(i: number) {
  const ownerUuid = `${hex(Math.floor(i / OWNERS_FILES), 8)}-0000-4000-8000-000000000000`;
  const itemUuid = `${hex(i % 256, 2)}${hex(i, 6)}-0000-4000-8000-000000000000`;
  const sha256 = `${hex(i % 256, 2)}${hex(i, 62)}`;
  const name = { mediaType: "content", ownerUuid, itemUuid, ext: "jpg" } as const;
  return { ...name, id: BigInt(i + 1), sha256, publicName: `${itemUuid}.jpg` };
}

function* directory(path: string): Generator<string> {
  const [top = "", second, third] = path.split("/").slice(2);
  if (top === "") yield* [".omoide", "content", "preview", "thumbnail"];
  else if (top === ".omoide" && second === undefined) yield* ["storage.json", "objects", "probe"];
  else if (top === ".omoide" && second === "objects") {
    for (let i = 0; i < 256 && third === undefined; i++) yield hex(i, 2);
    if (third === undefined) return;
    for (let i = parseInt(third, 16); i < names; i += 256) {
      yield objectPath(mediaAt(i)).split("/")[3] ?? "";
    }
  } else if (top === "content") {
    if (second === undefined) {
      for (let i = 0; i < names; i += OWNERS_FILES) yield mediaAt(i).ownerUuid;
      return;
    }
    const from = parseInt(second.slice(0, 8), 16) * OWNERS_FILES;
    const to = Math.min(names, from + OWNERS_FILES);
    if (third === undefined) {
      for (let i = from; i < Math.min(to, from + 256); i++) yield hex(i % 256, 2);
      return;
    }
    for (let i = from; i < to; i++) {
      if (i % 256 === parseInt(third, 16)) yield mediaAt(i).publicName;
    }
  }
}

const info = (ino: number, isFile: boolean) =>
  ({
    dev: 1,
    ino,
    isFile,
    isDirectory: !isFile,
    size: 1,
    nlink: 1,
    ctime: new Date(0),
  }) as Deno.FileInfo;
const unused = () => {
  throw new Error("nothing is read here");
};

const calls: ReadCalls = {
  names: (path) => [...directory(path)],
  lstat(path) {
    const last = path.slice(path.lastIndexOf("/") + 1);
    if (last.endsWith(".jpg")) return info(parseInt(last.slice(2, 8), 16), true);
    const object = parseObjectName(last);
    // Further names of an object are there only where an attempt died.
    if (object !== null) {
      return object.attempt === 1 ? info(Number(object.mediaId) - 1, true) : null;
    }
    return info(2 ** 40, last.endsWith(".json"));
  },
  statfs: unused,
  openRead: unused,
  read: unused,
  fstat: unused,
  close: unused,
};

let [found, asked] = [0, 0];
const between = {
  startedAt: null,
  position: null,
  files: 0,
  bytes: 0,
  lastStartedAt: null,
  finishedAt: null,
};
const session = {
  state: () => Promise.resolve({ shallow: between, deep: between, workerStores: false }),
  receipts(after, limit) {
    const from = Number(after), to = Math.min(names, from + limit);
    return Promise.resolve(
      Array.from({ length: Math.max(0, to - from) }, (_, i) => {
        const { id, sha256, ...name } = mediaAt(from + i);
        const path = publicPath({ ...name }, PREFIX_SIZE);
        return { mediaId: id, path, size: 1, sha256 };
      }),
    );
  },
  known(files) {
    asked += files.length;
    return Promise.resolve(new Set(files.map(({ path }) => path)));
  },
  report(_depth, findings) {
    found += findings.length;
    return Promise.resolve();
  },
  begin: () => Promise.resolve(),
  advance: () => Promise.resolve(),
  finish: () => Promise.resolve(0),
  openFindings: () => Promise.resolve([]),
  close: () => Promise.resolve(),
} satisfies ScrubInbox;

const { signal: stop } = new AbortController();
const tree = new ReadOnlyTree(ROOT, 1, calls);
const context: LookContext = { session, tree, prefixSize: PREFIX_SIZE, anew: true, stop };
const pace = () => new Pace({ perSecond: () => Infinity, isWorkerStoring: () => false, stop });
const began = performance.now();
await lookShallowly(context, pace());
await lookDeeply(context, pace());
const status = Deno.readTextFileSync("/proc/self/status");
const peakMiB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
const seconds = Math.round((performance.now() - began) / 100) / 10;
console.log(JSON.stringify({ names, asked, found, peakMiB, seconds }));
