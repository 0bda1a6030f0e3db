/** What a worker asks of the kernel, seen by strace: what it never does, and in which order it does the rest. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Outcome, OUTCOMES } from "../../src/media.ts";
import { requireTools } from "../support/require_tool.ts";
import { directoryOf, objectPath, parent, type Submitted } from "../lab/expected.ts";
import { options, times } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { descriptorPath, parseStrace, quoted, succeeded, type SystemCall } from "../lab/strace.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const STRACE = requireTools(["strace"]);

/** Each of these changes or removes what exists. */
const FORBIDDEN = [
  ...["unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2", "truncate", "ftruncate"],
  ...["chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "fallocate"],
  ...["setxattr", "lsetxattr", "fsetxattr", "removexattr", "utimensat", "pwrite64", "pwritev"],
  ...["symlink", "symlinkat", "mknod", "mknodat", "creat", "copy_file_range", "sendfile"],
];
const OPENING = ["open", "openat", "openat2"];
const STORING = ["write", "writev", "fdatasync", "fsync", "link", "linkat", "mkdir", "mkdirat"];
const SENDING = ["sendto", "sendmsg"];

Deno.test({
  ...STRACE,
  name:
    "a worker never asks the kernel to remove, rename, truncate or overwrite anything in its root",
  fn: async () => {
    await using run = await tracedRun();
    const root = run.world.root("hot");
    const wrong = run.calls.filter((call) => concerns(call, root) && isForbidden(call));
    assert.equal(wrong.map((call) => `${call.name}(${call.args})`).join("\n"), "");
    assert.ok(run.calls.some((call) => call.name === "fdatasync" && concerns(call, root)));
  },
});

Deno.test({
  ...STRACE,
  name:
    "before each acknowledgement is sent, its file, its name and both directories are on the disk",
  fn: async () => {
    await using run = await tracedRun();
    const sent = acknowledgements(run.calls);
    const wrong = run.kept.flatMap((kept) => {
      const { media, outcome } = kept;
      // By its id too: others may have the same bytes.
      const call = sent.find(({ args }) =>
        args.includes(media.sha256) && args.includes(`\\"${media.id}\\"`)
      );
      if (call === undefined) return [`media ${media.id} was never acknowledged`];
      return missingBefore(call, kept, run.calls, run.world.root("hot"))
        .map((what) => `media ${media.id} was acknowledged as ${outcome} without ${what}`);
    });
    assert.equal(wrong.join("\n"), "");
  },
});

/** A media with its receipt. */
interface Kept {
  readonly media: Submitted;
  readonly outcome: Outcome;
  /** Of its public name, relative to the root. */
  readonly path: string;
}

interface TracedRun extends AsyncDisposable {
  readonly world: World;
  readonly kept: readonly Kept[];
  readonly calls: readonly SystemCall[];
}

/** One run over small media, large ones, doubles and names that are there already. */
async function tracedRun(): Promise<TracedRun> {
  const random = new Random(options.seed);
  const stack = new AsyncDisposableStack();
  const world = stack.use(await template().world());
  const submitted = await world.submitMany(random, times(40, 600));
  submitted.push(...await world.submitMany(random, times(3, 20), () => 3_000_000));
  submitted.push(...await submitMeeting(world, random));
  const log = await world.temporaryFile();
  const trace = { log, calls: [...FORBIDDEN, ...OPENING, ...STORING, ...SENDING] };
  const { code, output } = await world.drainOnce("hot", { trace, args: ["--batch-files", "16"] });
  assert.equal(code, 0, output);
  const calls = parseStrace(await Deno.readTextFile(log));
  const kept = await keptOf(world, submitted);
  const outcomes = new Set(kept.map(({ outcome }) => outcome));
  assert.deepEqual([...outcomes].sort(), [...OUTCOMES].sort());
  return { world, kept, calls, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Media that meet another one's name, or a file that was there before them; of both ways to be written. */
async function submitMeeting(world: World, random: Random): Promise<Submitted[]> {
  const submitted: Submitted[] = [];
  for (const size of [5_000, 2_000_000]) {
    const bytes = random.bytes(size);
    const taken = { ownerUuid: random.uuid(), itemUuid: random.uuid() };
    submitted.push(await world.submit(bytes, taken), await world.submit(bytes, taken));
    submitted.push(await world.submit(random.bytes(size), taken));
    for (const planted of [bytes, random.bytes(size)]) {
      const media = await world.submit(bytes, { ...taken, itemUuid: random.uuid() });
      const directory = join(world.root("hot"), directoryOf(media));
      await Deno.mkdir(directory, { recursive: true });
      await Deno.writeFile(join(directory, `${media.itemUuid}.jpg`), planted);
      submitted.push(media);
    }
  }
  return submitted;
}

async function keptOf(world: World, submitted: readonly Submitted[]): Promise<Kept[]> {
  const receipts = await world.query<{ media_id: string; outcome: Outcome; path: string }>(
    "SELECT media_id, outcome, path FROM omoide.receipt WHERE storage = 'hot'",
  );
  const byId = new Map(receipts.map((receipt) => [receipt.media_id, receipt]));
  return submitted.map((media) => {
    const receipt = byId.get(String(media.id));
    assert.ok(receipt !== undefined, `media ${media.id} has no receipt`);
    return { media, outcome: receipt.outcome, path: receipt.path };
  });
}

function concerns(call: SystemCall, root: string): boolean {
  const descriptors = [...call.args.matchAll(/\d+<([^>]*)>/g)].map((match) => match[1] ?? "");
  return [...descriptors, ...quoted(call)].some((path) =>
    path === root || path.startsWith(`${root}/`)
  );
}

function isForbidden(call: SystemCall): boolean {
  if (FORBIDDEN.includes(call.name)) return true;
  if (!OPENING.includes(call.name)) return false;
  if (call.args.includes("O_TRUNC")) return true;
  return /O_WRONLY|O_RDWR/.test(call.args) && !/O_CREAT/.test(call.args) ||
    /O_CREAT/.test(call.args) && !/O_EXCL/.test(call.args);
}

/** The network writes that carry an acknowledgement's parameters. */
function acknowledgements(calls: readonly SystemCall[]): SystemCall[] {
  return calls.filter((call) =>
    [...SENDING, "write", "writev"].includes(call.name) && call.args.includes("omoide.acknowledge")
  );
}

/** What had not succeeded when an acknowledgement began to be sent. */
function missingBefore(
  sent: SystemCall,
  { media, outcome, path }: Kept,
  calls: readonly SystemCall[],
  root: string,
): string[] {
  const object = join(root, objectPath(media));
  const publicPath = join(root, path);
  const done = calls.filter((call) => call.ended < sent.began && succeeded(call));
  const synced = (path: string, name: string, after: SystemCall) =>
    done.some((call) =>
      call.name === name && descriptorPath(call) === path && call.began > after.ended
    );
  const missing: string[] = [];
  let named: SystemCall | undefined;
  if (outcome === "present") {
    // What was found may be the unsynced work of a process that died.
    named = done.find((call) => call.name === "fdatasync" && descriptorPath(call) === publicPath);
    if (named === undefined) return ["the fdatasync of what it found"];
  } else {
    named = done.find((call) => call.name.startsWith("link") && quoted(call)[1] === publicPath);
    if (named === undefined) return ["its link"];
    if (!named.args.includes(object)) return ["a link of its own object"];
    const created = done.find(({ name, args }) => OPENING.includes(name) && args.includes(object));
    if (created === undefined) return ["its object"];
    const last = done.findLast(({ name, args }) =>
      name.startsWith("write") && args.includes(object)
    ) ??
      created;
    const dataSync = done.find((call) =>
      call.name === "fdatasync" && descriptorPath(call) === object && call.began > last.ended
    );
    if (dataSync === undefined) missing.push("its fdatasync");
    else if (dataSync.ended > named.began) missing.push("its fdatasync before its link");
    if (!synced(parent(object), "fsync", created)) {
      missing.push("the fsync of its object's directory");
    }
  }
  if (!synced(parent(publicPath), "fsync", named)) {
    missing.push("the fsync of its name's directory");
  }
  for (let path = parent(publicPath); path !== root; path = parent(path)) {
    const made = done.find(({ name, args }) =>
      name.startsWith("mkdir") && args.includes(`"${path}"`)
    );
    if (made !== undefined && !synced(parent(path), "fsync", made)) {
      missing.push(`the fsync of ${parent(path)}`);
    }
  }
  return missing;
}
