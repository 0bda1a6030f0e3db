import { join } from "node:path";

/** A Deno and the runtime that its `deno compile` builds on, so that compiling downloads nothing. */
export interface BaseRuntime {
  readonly deno: string;
  readonly denort: string;
}

const SCRIPT = new URL("../../../shared/tools/denort.sh", import.meta.url).pathname;
/** Kept between runs, whose temporary directory goes with each: 200 MB from a registry, checked by checksum. */
const DIRECTORY = join(Deno.env.get("OMOIDE_KEPT") ?? Deno.env.get("TMPDIR") ?? "/tmp", "denort");

/**
 * For tests that run a compiled binary: the pair that `../shared/tools/denort.sh` fetches, where the
 * project has that beside it, else what DENORT_BIN names, which must fit the Deno that runs the tests.
 *
 * @returns null, after telling why, where there is neither
 */
export async function baseRuntime(): Promise<BaseRuntime | null> {
  if (await isFile(SCRIPT)) {
    await fetchPair();
    const deno = join(DIRECTORY, "node_modules/@deno/linux-x64-glibc/deno");
    return { deno, denort: join(DIRECTORY, "denort") };
  }
  const denort = Deno.env.get("DENORT_BIN");
  if (denort !== undefined) return { deno: Deno.execPath(), denort };
  console.error("left out: no base runtime; DENORT_BIN names one, see scripts/deploy/README.md");
  return null;
}

/** Test files run side by side, and each may be the first to need it. */
async function fetchPair(): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("flock", {
    args: [`${DIRECTORY}.lock`, "bash", SCRIPT, DIRECTORY],
    stdin: "null",
  }).output();
  if (success) return;
  const decoder = new TextDecoder();
  throw new Error(`${SCRIPT} fails: ${decoder.decode(stdout)}${decoder.decode(stderr)}`);
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
