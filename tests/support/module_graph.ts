import { fileURLToPath } from "node:url";

/** What `deno info --json` says of the modules that some files reach. */
export interface ModuleGraph {
  readonly modules: readonly {
    readonly kind: string;
    readonly local?: string;
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
  readonly npmPackages: Readonly<
    Record<string, { readonly name: string; readonly localPath?: string }>
  >;
}

/** The repository's root, as a path that ends in a slash. */
export const TOP = fileURLToPath(new URL("../../", import.meta.url));

/** Reads the graph of everything that these files reach. @param files absolute paths */
export async function readGraph(...files: string[]): Promise<ModuleGraph> {
  // The runtime reads the graph of one module: of several, the one that imports them all.
  const scratch = await Deno.makeTempDir({ prefix: "omoide-graph-" });
  try {
    const all = `${scratch}/all.ts`;
    const text = files.map((file) => `import ${JSON.stringify(`file://${file}`)};\n`).join("");
    await Deno.writeTextFile(all, text);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", `${TOP}deno.json`, all],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const graph = JSON.parse(new TextDecoder().decode(stdout)) as ModuleGraph;
    const broken = graph.modules.find(({ error }) => error !== undefined);
    if (broken !== undefined) throw new Error(`${broken.specifier}: ${broken.error}`);
    return { ...graph, modules: graph.modules.filter(({ local }) => local !== all) };
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** One import, of a value or of a type. Paths are relative to the repository's root. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

/** The imports between the repository's own modules. */
export function edgesOf(graph: ModuleGraph): Edge[] {
  const ours = `file://${TOP}`;
  const isOurs = (specifier: string) =>
    specifier.startsWith(ours) && !specifier.includes("/node_modules/");
  return graph.modules.filter(({ specifier }) => isOurs(specifier)).flatMap((module) =>
    (module.dependencies ?? []).flatMap(({ code, type }) => {
      const to = code?.specifier ?? type?.specifier ?? "";
      return isOurs(to)
        ? [{ from: module.specifier.slice(ours.length), to: to.slice(ours.length) }]
        : [];
    })
  );
}

/** Every TypeScript file below a directory of the repository, relative to its root. */
export function modulesBelow(directory: string): string[] {
  return [...Deno.readDirSync(`${TOP}${directory}`)].flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    if (isDirectory) return modulesBelow(path);
    return name.endsWith(".ts") ? [path] : [];
  }).sort();
}
