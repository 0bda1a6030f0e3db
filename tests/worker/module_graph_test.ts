/**
 * P2, its first layer: there is no call in the worker's code that deletes, renames, truncates or
 * overwrites. The whole graph that `main.ts` can reach is read, npm packages included.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Every name under which Deno or Node changes or removes what exists. */
const FORBIDDEN = [
  ...["remove", "removeSync", "rename", "renameSync", "truncate", "truncateSync", "ftruncate"],
  ...[
    "unlink",
    "unlinkSync",
    "rm",
    "rmSync",
    "rmdir",
    "rmdirSync",
    "copyFile",
    "copyFileSync",
    "cp",
    "cpSync",
  ],
  ...[
    "chmod",
    "chmodSync",
    "chown",
    "chownSync",
    "utime",
    "utimeSync",
    "utimes",
    "futime",
    "symlink",
  ],
  ...[
    "symlinkSync",
    "writeFile",
    "writeFileSync",
    "writeTextFile",
    "writeTextFileSync",
    "appendFile",
  ],
  ...[
    "create",
    "createSync",
    "createWriteStream",
    "makeTempDir",
    "makeTempFile",
    "umask",
    "dlopen",
    "Command",
  ],
];

/** What our own code may ask of Deno: nothing else may follow `Deno.` anywhere in the graph. */
const ALLOWED_OF_DENO = [
  ...[
    "args",
    "exit",
    "stderr",
    "inspect",
    "permissions",
    "PermissionDescriptor",
    "SysPermissionDescriptor",
  ],
  ...[
    "addSignalListener",
    "errors",
    "FsFile",
    "FileInfo",
    "uid",
    "openSync",
    "open",
    "lstatSync",
    "statSync",
  ],
  ...[
    "mkdirSync",
    "linkSync",
    "realPathSync",
    "readTextFileSync",
    "readDirSync",
    "DirEntry",
    "stdout",
  ],
  ...["Signal", "OpenOptions"],
  ...["connect", "TcpConn"],
];

interface Graph {
  readonly modules: readonly {
    readonly kind: string;
    readonly local?: string;
    readonly specifier: string;
  }[];
  readonly npmPackages: Readonly<
    Record<string, { readonly name: string; readonly localPath?: string }>
  >;
}

async function readGraph(): Promise<Graph> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", MAIN],
    stderr: "null",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)) as Graph;
}

/** The text without comments and strings, where a forbidden word means nothing. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/(^|[^:])\/\/.*$/gm, "$1")
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

const graph = await readGraph();
const ours = graph.modules.flatMap(({ local }) =>
  local !== undefined && !local.includes("/node_modules/") && local.endsWith(".ts") ? [local] : []
);

Deno.test("the graph that is read is the worker's", () => {
  const names = ours.map((path) => path.slice(path.lastIndexOf("/") + 1));
  for (const name of ["main.ts", "service.ts", "store.ts", "session.ts"]) {
    assert.ok(names.includes(name), name);
  }
});

Deno.test("administrator's code is not in the worker's graph", () => {
  assert.deepEqual(
    ours.filter((path) => /\/admin\/|init_root|migrate|register_storage/.test(path)),
    [],
  );
});

Deno.test("no call in the worker's own code deletes, renames, truncates or overwrites", () => {
  const found = [];
  for (const path of ours) {
    const code = codeOf(Deno.readTextFileSync(path));
    for (const word of FORBIDDEN) {
      if (
        new RegExp(`\\.${word}\\s*\\(|\\b${word}\\s+as\\b|import[^;]*\\b${word}\\b[^;]*node:fs`)
          .test(code)
      ) {
        found.push(`${path}: ${word}`);
      }
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("the worker's own code asks of Deno only what is on the list", () => {
  const found = new Set<string>();
  for (const path of ours) {
    const code = codeOf(Deno.readTextFileSync(path));
    assert.doesNotMatch(code, /Deno\s*\[|=\s*Deno\s*[;,)]|globalThis\.Deno/, path);
    for (const [, word = ""] of code.matchAll(/\bDeno\.(\w+)/g)) {
      if (!ALLOWED_OF_DENO.includes(word)) found.add(`${path}: Deno.${word}`);
    }
  }
  assert.deepEqual([...found], []);
});

Deno.test("a file is opened for writing in one place, and only where there was none", () => {
  const places = ours.flatMap((path) => {
    const code = codeOf(Deno.readTextFileSync(path));
    const writes = [...code.matchAll(/\{[^{}]*\bwrite:\s*true[^{}]*\}/g)].map(([found]) => found);
    for (const options of writes) {
      assert.match(options, /createNew:\s*true/, path);
      assert.doesNotMatch(options, /truncate|append|\bcreate:/, path);
    }
    return writes.length > 0 ? [path.slice(path.lastIndexOf("/src/"))] : [];
  });
  assert.deepEqual(places, ["/src/storage/file_calls.ts"]);
});

Deno.test("only src/inbox connects, and in one place", () => {
  const places = ours.filter((path) =>
    /\bDeno\.(connect|listen)/.test(codeOf(Deno.readTextFileSync(path)))
  );
  assert.deepEqual(places.map((path) => path.slice(path.lastIndexOf("/src/"))), [
    "/src/inbox/copy_socket.ts",
  ]);
});

Deno.test("only src/storage touches files", () => {
  const touches =
    /\bDeno\.(open|lstat|stat|mkdir|link|realPath|read\w*|errors\.NotFound)\w*\b|from\s+""\s*;?\s*\/\/ node:fs/;
  for (const path of ours.filter((each) => !each.includes("/src/storage/"))) {
    const text = Deno.readTextFileSync(path);
    assert.doesNotMatch(codeOf(text), touches, path);
    assert.doesNotMatch(text, /from "node:fs/, path);
  }
});

Deno.test("only src/inbox names the database's driver", () => {
  for (const path of ours.filter((each) => !each.includes("/src/inbox/"))) {
    assert.doesNotMatch(Deno.readTextFileSync(path), /from "pg|from "npm:pg/, path);
  }
});

Deno.test("every import in the worker's own code is a literal, so that the graph is the whole", () => {
  for (const path of ours) {
    const code = codeOf(Deno.readTextFileSync(path));
    assert.doesNotMatch(
      code,
      /\bimport\s*\((?!\s*""\s*\))|\beval\s*\(|new\s+Function\b|new\s+Worker\b/,
      path,
    );
  }
});

/**
 * The packages that touch files at all, and how: reading certificates that a connection string names
 * (ours names none), reading a password file (it is given a password), looking for a subcommand's program
 * (there is none). Nothing writes.
 */
const PACKAGES_WITH_FILES: Record<string, RegExp> = {
  "commander": /existsSync/,
  "pg-connection-string": /readFileSync/,
  "pgpass": /createReadStream|stat/,
};

Deno.test("the npm packages of the worker hold no call that changes files", async () => {
  const packages = await packageDirectories();
  assert.ok(packages.length >= 8, `${packages}`);
  const found: string[] = [];
  for (const directory of packages) {
    const name = directory.slice(directory.lastIndexOf("/node_modules/") + "/node_modules/".length);
    for (const path of scripts(directory)) {
      const code = codeOf(Deno.readTextFileSync(path));
      if (!/require\(""\)|from ""/.test(code)) continue;
      const usesFiles = /['"](node:)?fs(\/promises)?['"]/.test(Deno.readTextFileSync(path));
      if (!usesFiles) continue;
      const writes = FORBIDDEN.filter((word) =>
        new RegExp(`\\bfs\\.${word}\\b|\\b${word}Sync\\s*\\(`).test(code)
      );
      if (writes.length > 0) found.push(`${path}: ${writes}`);
      if (PACKAGES_WITH_FILES[name]?.test(code) !== true) {
        found.push(`${path}: touches files, and is not on the list`);
      }
    }
  }
  assert.deepEqual(found, []);
});

/** The real directories of every package that the worker's modules can reach, dependencies included. */
async function packageDirectories(): Promise<string[]> {
  const root = fileURLToPath(new URL("../../node_modules/", import.meta.url));
  const seen = new Set<string>();
  const visit = async (name: string, from: string) => {
    const directory = await resolvePackage(name, from);
    if (directory === null || seen.has(directory)) return;
    seen.add(directory);
    const manifest = JSON.parse(await Deno.readTextFile(`${directory}/package.json`)) as {
      dependencies?: Record<string, string>;
      optionalDependencies?: Record<string, string>;
    };
    const names = { ...manifest.dependencies, ...manifest.optionalDependencies };
    for (const each of Object.keys(names)) await visit(each, directory);
  };
  for (const name of ["pg", "commander", "@logtape/logtape"]) {
    await visit(name, root);
  }
  return [...seen];
}

async function resolvePackage(name: string, from: string): Promise<string | null> {
  for (let at = from; at.includes("/node_modules"); at = at.slice(0, at.lastIndexOf("/"))) {
    const candidate = `${
      at.replace(/\/$/, "").replace(/\/node_modules$/, "")
    }/node_modules/${name}`;
    try {
      return await Deno.realPath(candidate);
    } catch {
      continue;
    }
  }
  return null;
}

function* scripts(directory: string): Generator<string> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(directory)) {
    const path = `${directory}/${name}`;
    if (isDirectory && name !== "node_modules") yield* scripts(path);
    else if (isFile && /\.(c|m)?js$/.test(name) && !/^(bench|test)/.test(name)) yield path;
  }
}
