/**
 * P2, its first layer: there is no call in the worker's code that deletes, renames, truncates or
 * overwrites. The whole graph that `main.ts` can reach is read, npm packages included.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readGraph } from "../support/module_graph.ts";
import { codeOf, FORBIDDEN, nodeImports, offences, takenFromFs } from "./support/source_text.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/**
 * All that our own code takes from Node, of which only `node:fs` could touch a file: `statfs` alone.
 * A new line here is a decision.
 */
const NODE_IMPORTS = [
  "src/inbox/connect.ts: node:stream type { Duplex }",
  "src/inbox/copy/copy_socket.ts: node:buffer { Buffer }",
  "src/inbox/copy/copy_socket.ts: node:stream { Duplex }",
  // To close it.
  "src/lock_down.ts: node:worker_threads { Worker as Thread }",
  "src/storage/existing.ts: node:crypto { createHash }",
  "src/storage/file_calls.ts: node:fs { statfs, statfsSync }",
  "src/storage/media_check.ts: node:crypto { createHash, hash }",
];

/** All that our own code asks of Deno: nothing else may follow `Deno.` anywhere in the graph. */
const ASKED_OF_DENO = [
  ...["FileInfo", "FsFile", "PermissionDescriptor", "SysPermissionDescriptor"],
  ...["TcpConn", "TlsConn"],
  ...["addSignalListener", "args", "connect", "errors", "exit", "inspect", "link", "linkSync"],
  ...["lstat", "lstatSync", "mkdir", "mkdirSync", "open", "openSync", "permissions", "readDir"],
  ...["readDirSync", "readTextFileSync", "realPath", "realPathSync", "startTls", "statSync"],
  ...["stderr", "stdout", "uid"],
];

const graph = await readGraph(MAIN);
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
  const found = ours.flatMap((path) =>
    offences(Deno.readTextFileSync(path)).map((offence) => `${path}: ${offence}`)
  );
  assert.deepEqual(found, []);
});

Deno.test("the worker's own code takes from Node only what is on the list", () => {
  const found = ours.flatMap((path) =>
    nodeImports(Deno.readTextFileSync(path)).map((each) =>
      `${path.slice(path.lastIndexOf("/src/") + 1)}: ${each}`
    )
  );
  assert.deepEqual(found.sort(), NODE_IMPORTS);
  // The text is read by patterns; the runtime's own list of modules shows that they miss none.
  const modules = graph.modules.filter(({ kind }) => kind === "node").map((each) => each.specifier);
  const named = NODE_IMPORTS.map((line) => /node:\w+/.exec(line)?.[0]);
  assert.deepEqual(new Set(modules), new Set(named));
});

Deno.test("each forbidden form is found, so the tests above can fail", () => {
  const forms = [
    ...FORBIDDEN.flatMap((word) => [`Deno.${word}(p);`, `const f = x\n  .${word};`]),
    ...['Deno["remove"](p);', "Deno[name](p);", "const { remove } = Deno;", "const d = Deno\n;"],
    ...[
      "call(Deno);",
      "globalThis.Deno.open(p);",
      "const all = globalThis;",
      "import { rmSync as harmless } from x;",
    ],
    ...['const fs = await import("node:fs");', "const fs = await import(`node:fs`);"],
    ...['const fs = createRequire(import.meta.url)("fs");', 'process.getBuiltinModule("fs");'],
    ...['const name = "node:fs"; await import(name);', "file?.truncateSync(0);"],
  ];
  assert.deepEqual(forms.filter((form) => offences(form).length === 0), []);
  const imports: Record<string, string> = {
    'import { rmSync } from "node:fs"; rmSync(p);': "node:fs { rmSync }",
    "import { statfsSync, rmSync } from 'node:fs';": "node:fs { statfsSync, rmSync }",
    'import {\n  rmSync,\n} from "node:fs";': "node:fs { rmSync, }",
    'import * as fs from "node:fs";': "node:fs * as fs",
    'import fs from "node:fs/promises";': "node:fs/promises fs",
    'export * from "node:fs";': "node:fs *",
    'import "node:fs";': "node:fs ",
  };
  for (const [text, found] of Object.entries(imports)) assert.deepEqual(nodeImports(text), [found]);
  for (const harmless of ["// Deno.remove(p)", 'say("never Deno.remove(p)");', "/* fs.rm() */"]) {
    assert.deepEqual(offences(harmless), []);
  }
});

Deno.test("the worker's own code asks of Deno only what is on the list", () => {
  const asked = ours.flatMap((path) =>
    [...codeOf(Deno.readTextFileSync(path)).matchAll(/\bDeno\.(\w+)/g)].map(([, word]) => word)
  );
  assert.deepEqual([...new Set(asked)].sort(), ASKED_OF_DENO);
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
    "/src/inbox/copy/copy_socket.ts",
  ]);
});

Deno.test("only src/storage touches files", () => {
  const touches = /\bDeno\.(open|lstat|stat|mkdir|link|realPath|read\w*|errors\.NotFound)\w*\b/;
  for (const path of ours.filter((each) => !each.includes("/src/storage/"))) {
    assert.doesNotMatch(codeOf(Deno.readTextFileSync(path)), touches, path);
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
 * The packages that touch files at all, and by which calls: reading certificates that a connection string
 * names (ours names none), reading a password file (it is given a password), looking for a subcommand's
 * program (there is none). Nothing writes.
 */
const TAKEN_BY_PACKAGES: Record<string, readonly string[]> = {
  "commander": ["existsSync", "realpathSync"],
  "pg-connection-string": ["readFileSync"],
  "pgpass": ["createReadStream", "stat"],
};

Deno.test("the npm packages of the worker take no call from Node that changes files", async () => {
  const packages = await packageDirectories();
  assert.ok(packages.length >= 8, `${packages}`);
  const found: Record<string, string[]> = {};
  for (const directory of packages) {
    const name = directory.slice(directory.lastIndexOf("/node_modules/") + "/node_modules/".length);
    const taken = [...scripts(directory)].flatMap((path) =>
      takenFromFs(Deno.readTextFileSync(path))
    );
    if (taken.length > 0) found[name] = [...new Set(taken)].sort();
  }
  assert.deepEqual(found, TAKEN_BY_PACKAGES);
  const allowed = Object.values(TAKEN_BY_PACKAGES).flat();
  assert.deepEqual(allowed.filter((name) => FORBIDDEN.includes(name)), []);
});

Deno.test("whatever a package takes from fs is found, so the test above can fail", () => {
  const forms: Record<string, string[]> = {
    'const fs = require("fs"); fs.unlink(p);': ["unlink"],
    "const fs = require('node:fs').promises; fs.rm(p);": ["rm"],
    'const { unlink, rm: gone } = require("fs");': ["rm", "unlink"],
    'var fs_1 = require("fs"); fs_1.unlink(p);': ["unlink"],
    'const fs_1 = __importDefault(require("fs")); fs_1.default.rmSync(p);': ["rmSync"],
    'const fs = wanted ? require("fs") : null; fs.rename(a, b);': ["rename"],
    'const gone = require("fs").unlinkSync;': ["unlinkSync"],
    'require("fs").unlinkSync(p);': ["unlinkSync"],
    'import fs from "node:fs"; fs.rmSync(p);': ["rmSync"],
    'import * as fs from "fs/promises"; await fs.rm(p);': ["rm"],
    'import { rm as gone } from "fs/promises";': ["rm"],
    'const { rm } = await import("node:fs/promises");': ["rm"],
    'const fs = require("fs"); fs[name](p);': ["*"],
    'const fs = require("fs"); hand(fs);': ["*"],
    'const fs = require("fs"); hand({ all: fs });': ["*"],
    'hand(require("fs"));': ["?"],
    'const name = "fs"; require(name);': ["?"],
    "const fs = 1; fs.unlink(p);": [],
  };
  for (const [text, taken] of Object.entries(forms)) {
    assert.deepEqual(takenFromFs(text), taken, text);
  }
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
