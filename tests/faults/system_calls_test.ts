/** What a worker asks of the kernel, seen by strace: what it never does, and in which order it does the rest. */
import { ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import type { Submitted } from "./lab/expected.ts";
import { options, times } from "./lab/options.ts";
import { Random } from "./lab/random.ts";
import { descriptorPath, parseStrace, quoted, succeeded, type SystemCall } from "./lab/strace.ts";
import { sharedTemplate } from "./lab/template.ts";
import type { World } from "./lab/world.ts";

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
    strictEqual(wrong.map((call) => `${call.name}(${call.args})`).join("\n"), "");
    ok(run.calls.some((call) => call.name === "fdatasync" && concerns(call, root)));
  },
});

Deno.test({
  ...STRACE,
  name:
    "before each acknowledgement is sent, its file, its name and both directories are on the disk",
  fn: async () => {
    await using run = await tracedRun();
    const sent = acknowledgements(run.calls);
    const wrong = run.submitted.flatMap((media) => {
      const call = sent.find((call) => call.args.includes(media.sha256));
      if (call === undefined) return [`media ${media.id} was never acknowledged`];
      return missingBefore(call, media, run.calls, run.world.root("hot"))
        .map((what) => `media ${media.id} was acknowledged without ${what}`);
    });
    strictEqual(wrong.join("\n"), "");
  },
});

interface TracedRun extends AsyncDisposable {
  readonly world: World;
  readonly submitted: readonly Submitted[];
  readonly calls: readonly SystemCall[];
}

/** One run over small media, large ones, doubles and names that are there already. */
async function tracedRun(): Promise<TracedRun> {
  const random = new Random(options.seed);
  const stack = new AsyncDisposableStack();
  const world = stack.use(await template().world());
  const submitted = await world.submitMany(random, times(60, 600));
  submitted.push(...await world.submitMany(random, times(3, 20), () => 3_000_000));
  const log = await world.temporaryFile();
  const trace = { log, calls: [...FORBIDDEN, ...OPENING, ...STORING, ...SENDING] };
  const { code, output } = await world.drainOnce("hot", { trace, args: ["--batch-files", "16"] });
  strictEqual(code, 0, output);
  const calls = parseStrace(await Deno.readTextFile(log));
  return { world, submitted, calls, [Symbol.asyncDispose]: () => stack.disposeAsync() };
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
  media: Submitted,
  calls: readonly SystemCall[],
  root: string,
): string[] {
  const object = join(
    root,
    `.omoide/objects/${media.sha256.slice(0, 2)}/${media.sha256}-${media.id}`,
  );
  const done = calls.filter((call) => call.ended < sent.began && succeeded(call));
  const link = done.find(({ name, args }) => name.startsWith("link") && args.includes(object));
  if (link === undefined) return ["its link"];
  const [, publicPath = ""] = quoted(link);
  const synced = (path: string, name: string, after: SystemCall) =>
    done.some((call) =>
      call.name === name && descriptorPath(call) === path && call.began > after.ended
    );
  const created = done.find(({ name, args }) => OPENING.includes(name) && args.includes(object));
  const last =
    done.findLast(({ name, args }) => name.startsWith("write") && args.includes(object)) ??
      created;
  const dataSync = done.find((call) =>
    call.name === "fdatasync" && descriptorPath(call) === object
  );
  const missing: string[] = [];
  if (created === undefined || last === undefined) return ["its object"];
  if (dataSync === undefined || dataSync.began < last.ended) missing.push("its fdatasync");
  else if (dataSync.ended > link.began) missing.push("its fdatasync before its link");
  if (!synced(parent(object), "fsync", created)) {
    missing.push("the fsync of its object's directory");
  }
  if (!synced(parent(publicPath), "fsync", link)) missing.push("the fsync of its name's directory");
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

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
