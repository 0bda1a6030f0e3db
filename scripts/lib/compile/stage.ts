import { dirname, join, relative } from "node:path";

const PROJECT = new URL("../../../", import.meta.url).pathname;

/** Every file in the stage has this time: `deno compile` writes files' times into the binary. */
const EPOCH = new Date("2000-01-01T00:00:00Z");

/**
 * A copy of one program and the packages that it uses, and of nothing else, for `deno compile` to run
 * in. Compiled in the project itself, a worker would carry all of node_modules, the embedded PostgreSQL
 * included (80 MB more, tried), and the times at which this checkout and its packages were made.
 */
export class Stage implements AsyncDisposable {
  private constructor(
    readonly directory: string,
    /** The stage's own DENO_DIR, which holds those packages. */
    readonly denoDir: string,
  ) {}

  /** @param entries modules relative to the project: the program, then what it starts by name */
  static async of(entries: readonly string[]): Promise<Stage> {
    const parent = await Deno.makeTempDir({ prefix: "omoide-compile-" });
    const stage = new Stage(join(parent, "program"), join(parent, "deno"));
    try {
      await stage.#copyProgram(entries);
      await stage.#copyPackages(entries);
      await makeOld(parent);
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(dirname(this.directory), { recursive: true });
  }

  async #copyProgram(entries: readonly string[]): Promise<void> {
    const graphs = await Promise.all(entries.map((entry) => moduleGraph(PROJECT, entry)));
    for (const { local } of graphs.flatMap(({ modules }) => modules)) {
      if (local?.startsWith(PROJECT)) {
        await copy(local, join(this.directory, relative(PROJECT, local)));
      }
    }
    const used = new Set(
      graphs.flatMap(({ modules }) => modules).map(({ specifier }) => specifier)
        .filter((specifier) => specifier.startsWith("npm:"))
        .map((specifier) => specifier.replace("npm:/", "npm:")),
    );
    const config = JSON.parse(await Deno.readTextFile(join(PROJECT, "deno.json")));
    const imports = Object.entries<string>(config.imports)
      .filter(([, specifier]) => used.has(specifier));
    await Deno.writeTextFile(
      join(this.directory, "deno.json"),
      JSON.stringify({ imports: Object.fromEntries(imports) }),
    );
    await copy(join(PROJECT, "deno.lock"), join(this.directory, "deno.lock"));
  }

  async #copyPackages(entries: readonly string[]): Promise<void> {
    const { denoDir, npmCache } = await info(this.directory);
    const registries = [...Deno.readDirSync(npmCache)].filter(({ isDirectory }) => isDirectory);
    for (const entry of entries) {
      for (const { name, version } of packagesOf(await moduleGraph(this.directory, entry))) {
        for (const registry of registries) {
          const from = join(npmCache, registry.name, name);
          const to = join(this.denoDir, relative(denoDir, from));
          if (!await exists(join(from, version))) continue;
          // A fresh cache may lack it: what the lock file names is fetched without it.
          const metadata = join(from, "registry.json");
          if (await exists(metadata)) await copy(metadata, join(to, "registry.json"));
          await copyPackage(join(from, version), join(to, version));
        }
      }
    }
    // Where deno keeps the runtimes that it has downloaded.
    await Deno.mkdir(join(denoDir, "dl"), { recursive: true });
    await Deno.mkdir(this.denoDir, { recursive: true });
    await Deno.symlink(join(denoDir, "dl"), join(this.denoDir, "dl"));
  }
}

interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly local?: string;
    readonly npmPackage?: string;
  }[];
  readonly npmPackages?: Readonly<Record<string, Package>>;
}

interface Package {
  readonly name: string;
  readonly version: string;
  readonly dependencies: readonly string[];
}

/**
 * The packages that a graph's modules import, and theirs. Deno's own list is no answer: 2.7 gives all that
 * the lock file names when its cache lacks the metadata of one.
 */
function packagesOf({ modules, npmPackages = {} }: ModuleGraph): readonly Package[] {
  const found = new Map<string, Package>();
  const visit = (id: string) => {
    const each = npmPackages[id];
    if (each === undefined || found.has(id)) return;
    found.set(id, each);
    each.dependencies.forEach(visit);
  };
  for (const { npmPackage } of modules) if (npmPackage !== undefined) visit(npmPackage);
  return [...found.values()];
}

function moduleGraph(cwd: string, entry: string): Promise<ModuleGraph> {
  return info(cwd, "--unstable-raw-imports", entry);
}

// deno-lint-ignore no-explicit-any -- the answer's form is Deno's; callers name what they read of it
async function info(cwd: string, ...args: string[]): Promise<any> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", ...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`deno info ${args.join(" ")}: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout));
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(dirname(to), { recursive: true });
  await Deno.copyFile(from, to);
}

const IS_MODULE = /\.(?:[cm]?[jt]s|json)$/;

/**
 * Modules, and licences as JSON: whatever else there is, `deno compile` takes for a module, and what it
 * cannot parse (a README, a `.travis.yml`) it mentions in the binary, with its path on this machine.
 */
async function copyPackage(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const source = join(from, name);
    if (isDirectory) await copyPackage(source, join(to, name));
    else if (IS_MODULE.test(name)) await Deno.copyFile(source, join(to, name));
    else if (/^licen[cs]e/i.test(name)) {
      const text = await Deno.readTextFile(source);
      await Deno.writeTextFile(join(to, `${name}.json`), JSON.stringify(text));
    }
  }
}

async function makeOld(directory: string): Promise<void> {
  for await (const entry of Deno.readDir(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory) await makeOld(path);
    else if (entry.isFile) await Deno.utime(path, EPOCH, EPOCH);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
