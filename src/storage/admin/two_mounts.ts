import { ConfigurationError, messageOf } from "../../errors.ts";
import { sleep } from "../../sleep.ts";
import { remoteCalls } from "../file_calls.ts";
import { OBJECT_MODE, PROBE_DIRECTORY } from "../layout.ts";
import { GuardedTree } from "./guarded_tree.ts";
import { readIdentityOf } from "./open_for_admin.ts";

/** One thing that workers on two machines rely on, tried from two mounts of one storage. */
export interface MountsResult {
  readonly name: string;
  readonly ok: boolean;
  /** What was found. */
  readonly detail: string;
}

/** Names that both mounts reach for at the same time, so many of them at once. */
const RACED_NAMES = 200;
const AT_ONCE = 16;

const RACED_LINKS = 100;

/** A name or a lock that the other mount sees so much later is a wait; later, it is not relied on. */
const SEEN_WITHIN_MS = 10_000;

/**
 * Tries, from two mounts of one storage at once, what a worker on another machine relies on: that a name is
 * won once, that what one has made the other sees, that locks are everybody's. Leaves its probes in
 * `.omoide/probe/`, for the administrator to sweep. May be run beside workers.
 *
 * Administrator's code, and no part of the worker's `--check`: that may reach one root and nothing else.
 *
 * @param second the same root, by another mount, at best another machine's
 * @throws {ConfigurationError} these are not two mounts of one storage
 */
export async function tryTwoMounts(root: string, second: string): Promise<MountsResult[]> {
  requireTwo(root, second);
  requireProbes(root);
  requireProbes(second);
  const probe = `${PROBE_DIRECTORY}/${crypto.randomUUID()}`;
  const both: Both = [`${root}/${probe}`, `${second}/${probe}`];
  const results: MountsResult[] = [];
  for (const [name, attempt] of PROOFS) {
    try {
      results.push({ name, ok: true, detail: await attempt(both) });
    } catch (error) {
      results.push({ name, ok: false, detail: messageOf(error) });
    }
  }
  return results;
}

/** The same path as each of the two mounts shows it; probes append to it. */
type Both = readonly [a: string, b: string];

const PROOFS: readonly (readonly [name: string, attempt: (both: Both) => Promise<string>])[] = [
  ["exclusive create", createTwice],
  ["negative look-ups", lookBeforeAndAfter],
  ["bytes", readElsewhere],
  ["race of creates", raceCreates],
  ["race of links", raceLinks],
  ["flock", lockElsewhere],
];

function requireTwo(root: string, second: string): void {
  const [one, other] = [root, second].map((path) => readIdentityOf(path).uuid);
  if (one !== other) {
    throw new ConfigurationError(
      `${root} and ${second} are different storages (${one}, ${other}); mount one of them twice`,
    );
  }
  if (Deno.lstatSync(root).dev === Deno.lstatSync(second).dev) {
    throw new ConfigurationError(
      `${root} and ${second} are one mount, which proves nothing: mount its file system a second time, at ` +
        "best as the other machine would",
    );
  }
}

/**
 * Whoever can put a link here is the tree's owner, with whose rights all of this is done: it leads them
 * nowhere new, but the probes should lie in the storage.
 */
function requireProbes(root: string): void {
  if (new GuardedTree(root, null).look(PROBE_DIRECTORY)?.isDirectory) return;
  throw new ConfigurationError(
    `${root}/${PROBE_DIRECTORY} is no directory of its own; see who changed that`,
  );
}

async function createTwice([a, b]: Both): Promise<string> {
  await create(`${a}.twice`);
  if (await wins(() => create(`${b}.twice`))) {
    throw new Error("both mounts created one name: it would be overwritten");
  }
  return "what one mount has created, the other cannot";
}

/** The other mount has just found nothing there, and may believe it for longer than is true. */
async function lookBeforeAndAfter([a, b]: Both): Promise<string> {
  const [here, there] = [`${a}.negative`, `${b}.negative`];
  if (await remoteCalls.lstat(there) !== null) throw new Error(`${there} exists already`);
  await create(here);
  const waited = await until(async () => await remoteCalls.lstat(there) !== null);
  if (waited === null) {
    throw new Error(`the other mount sees no new file for ${SEEN_WITHIN_MS / 1000} s`);
  }
  return `a new file is seen by the other mount after ${waited} ms`;
}

async function readElsewhere([a, b]: Both): Promise<string> {
  const bytes = crypto.getRandomValues(new Uint8Array(4096));
  const file = await remoteCalls.openNew(`${a}.bytes`, OBJECT_MODE);
  try {
    await remoteCalls.write(file, bytes);
    await remoteCalls.syncData(file);
  } finally {
    remoteCalls.close(file);
  }
  const found = await Deno.readFile(`${b}.bytes`);
  if (String(found) !== String(bytes)) throw new Error("the other mount reads other bytes");
  return "what was written and synced is read by the other mount";
}

async function raceCreates(both: Both): Promise<string> {
  return await race(RACED_NAMES, both, (path, i) => create(`${path}.race${i}`));
}

/** Each name for a file of its own: GlusterFS has at most 100 links to one, and counts those that lose. */
async function raceLinks(both: Both): Promise<string> {
  for (let i = 0; i < RACED_LINKS; i++) await create(`${both[0]}.linked${i}`);
  return await race(
    RACED_LINKS,
    both,
    async (path, i) => await remoteCalls.link(`${path}.linked${i}`, `${path}.link${i}`),
  );
}

/** Both mounts reach for the same names, now one a little earlier, now the other; each is to be won once. */
async function race(
  names: number,
  both: Both,
  reach: (path: string, i: number) => Promise<void>,
): Promise<string> {
  const won: [number, number] = [0, 0];
  const tryFor = async (side: 0 | 1, i: number) => {
    if (await wins(() => reach(both[side], i))) won[side] += 1;
  };
  let next = 0;
  const runner = async () => {
    while (next < names) {
      const i = next++;
      await Promise.all(i % 2 === 0 ? [tryFor(0, i), tryFor(1, i)] : [tryFor(1, i), tryFor(0, i)]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, runner));
  const said = `${won[0]} and ${won[1]} of ${names} names won`;
  if (won[0] + won[1] !== names) throw new Error(`${said}: each must be won once`);
  return said;
}

/** As the storage's lock, which lanes share and a tool has alone. */
async function lockElsewhere([a, b]: Both): Promise<string> {
  await create(`${a}.lock`);
  using there = await seen(`${b}.lock`);
  {
    using here = await seen(`${a}.lock`);
    if (!await here.tryLock(true)) throw new Error("nobody has the lock, and it is refused");
    if (await there.tryLock(true) || await there.tryLock(false)) {
      throw new Error("both mounts have an exclusive lock: it is each machine's own");
    }
  }
  const waited = await until(() => there.tryLock(true));
  if (waited === null) throw new Error("a lock outlives the file that had it");
  return `refused to the other mount while it is held, free ${waited} ms after its end`;
}

/** Opens a file as soon as it is seen. */
async function seen(path: string): Promise<Deno.FsFile> {
  await until(async () => await remoteCalls.lstat(path) !== null);
  return await remoteCalls.openRead(path);
}

async function create(path: string): Promise<void> {
  remoteCalls.close(await remoteCalls.openNew(path, OBJECT_MODE));
}

/** False where the name exists. */
async function wins(reach: () => Promise<void>): Promise<boolean> {
  try {
    await reach();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

/** How many milliseconds it took; null if it took too long. */
async function until(holds: () => Promise<boolean>): Promise<number | null> {
  const began = performance.now();
  for (;;) {
    if (await holds()) return Math.round(performance.now() - began);
    if (performance.now() - began > SEEN_WITHIN_MS) return null;
    await sleep(10);
  }
}
