import { basename, dirname, join, resolve } from "node:path";
import { createHash } from "node:crypto";
import { v8Arguments } from "../program_command.ts";
import { type Artifact, readArtifact } from "./read_artifact.ts";
import { Stage } from "./stage.ts";

/** What to make one binary of. */
export interface Compilation {
  /** The program's entry module, relative to the project. */
  readonly entry: string;
  /** Modules that the program starts by name, which no import shows. */
  readonly includes?: readonly string[];
  readonly permissions: readonly string[];
  /** Features of the runtime that are off unless named, such as `raw-imports`. */
  readonly unstable?: readonly string[];
  /** Of the JavaScript engine. */
  readonly v8Flags?: readonly string[];
  /** Baked in, in front of whatever the binary is given. */
  readonly args: readonly string[];
  readonly output: string;
  /** Such as `aarch64-unknown-linux-gnu`; this machine's where absent. */
  readonly target?: string;
}

/** A binary that was made, and what was read back from it. */
export interface Compiled extends Artifact {
  /** Absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** `deno compile` could not make the binary, or not as it was asked to. */
export class CompileError extends Error {
  override readonly name = "CompileError";
}

/**
 * Makes one binary. The same sources, options and Deno give the same bytes, wherever and whenever.
 *
 * What was baked is read back before the binary gets its place: one that has other permissions than
 * asked for, or whatever else could widen them, is not left behind.
 *
 * @throws {CompileError} saying why there is no binary
 */
export async function compile(compilation: Compilation): Promise<Compiled> {
  const { entry, includes = [], unstable = [], v8Flags = [], permissions, args, target } =
    compilation;
  const path = resolve(compilation.output);
  await using stage = await Stage.of([entry, ...includes]);
  const staged = join(stage.directory, "..", basename(path));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      "--no-check",
      // A binary with a code cache trusts whatever lies in /tmp under a name that everybody can guess.
      "--no-code-cache",
      ...unstable.map((each) => `--unstable-${each}`),
      ...v8Arguments(v8Flags),
      ...permissions,
      ...includes.map((each) => `--include=${each}`),
      ...(target === undefined ? [] : [`--target=${target}`]),
      `--output=${staged}`,
      entry,
      ...args,
    ],
    cwd: stage.directory,
    env: { DENO_DIR: stage.denoDir, NO_COLOR: "1" },
    stdout: "null",
  }).output();
  if (!success) throw new CompileError(explain(new TextDecoder().decode(stderr)));
  const bytes = await Deno.readFile(staged);
  const artifact = readArtifact(bytes);
  refuseOther(artifact, compilation);
  await putInPlace(staged, path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { ...artifact, path, size: bytes.length, sha256 };
}

function refuseOther(artifact: Artifact, compilation: Compilation): void {
  const { permissions, unstable, v8Flags = [], args, target } = compilation;
  // Not kept in a binary, which has no cache to look into and nothing to fetch with.
  const asked = permissions.filter((flag) => flag !== "--cached-only").sort();
  const differs = (what: string, is: readonly string[], should: readonly string[]) => {
    if (JSON.stringify(is) === JSON.stringify(should)) return;
    throw new CompileError(
      `The binary's ${what} are ${is.join(" ")}; asked for: ${should.join(" ")}`,
    );
  };
  differs("permissions", artifact.permissions, asked);
  differs("options", artifact.args, args);
  differs("flags of V8", artifact.v8Flags, v8Flags);
  differs("other settings", artifact.extras, unstable === undefined ? [] : ["unstable_config"]);
  const machine = (target ?? Deno.build.target).split("-")[0];
  if (artifact.machine !== machine) {
    throw new CompileError(
      `The binary is for ${artifact.machine}, not for ${machine}; see --target and DENORT_BIN`,
    );
  }
}

/** Under its name it is either not there or whole, also where the old one is running. */
async function putInPlace(staged: string, path: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const beside = await Deno.makeTempFile({ dir: dirname(path), prefix: `.${basename(path)}-` });
  try {
    await Deno.copyFile(staged, beside);
    await Deno.chmod(beside, 0o755);
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside).catch(() => {});
    throw error;
  }
}

/** What Deno said, as one sentence: of its output what follows `error:`, without the backtrace. */
function explain(stderr: string): string {
  const hint = /download|dl\.deno\.land|denort/i.test(stderr) && !Deno.env.has("DENORT_BIN")
    ? ". Where that host cannot be reached, DENORT_BIN names the runtime to build on: the `denort` of " +
      `exactly Deno ${Deno.version.deno}, for the target.`
    : "";
  const [output = ""] = stderr.split("Stack backtrace:");
  const message = output.slice(Math.max(0, output.search(/^error: /m))).replace(/^error: /, "");
  const lines = message.split("\n").map((line) => line.trim()).filter((line) =>
    !["", "Caused by:"].includes(line)
  );
  return `deno compile failed: ${lines.join("; ")}${hint}`;
}

/** What was baked, for people. */
export function show(compiled: Compiled): string {
  const { path, size, sha256, machine, args, permissions } = compiled;
  return [
    `${path}`,
    `  ${(size / 1e6).toFixed(1)} MB for Linux on ${machine}, SHA-256 ${sha256}`,
    "  permissions, read back from the binary:",
    ...permissions.map((flag) => `    ${flag}`),
    ...(args.length === 0 ? [] : [`  options: ${args.join(" ")}`]),
  ].join("\n");
}
