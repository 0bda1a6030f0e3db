/**
 * The layout is the architecture: which room may know which, that no modules import each other in a
 * circle, who may touch files, and the order within `src/storage`. Imports of types count like others.
 */
import assert from "node:assert/strict";
import { type Edge, edgesOf, modulesBelow, readGraph, TOP } from "./support/module_graph.ts";
import { codeOf, nodeImports } from "./worker/support/source_text.ts";

/** The rooms, each with those that it may know beside itself. A new room here is a decision. */
const ROOMS: { readonly [room: string]: readonly string[] } = {
  "src": [],
  "src/inbox": ["src"],
  "src/storage": ["src"],
  "src/inbox/admin": ["src", "src/inbox"],
  "src/storage/admin": ["src", "src/storage"],
  "src/verdict": ["src", "src/inbox"],
  "src/worker": ["src", "src/inbox", "src/storage"],
  "main.ts": ["src", "src/worker"],
  "src/admin": [
    "src",
    "src/inbox",
    "src/storage",
    "src/inbox/admin",
    "src/storage/admin",
    "src/verdict",
  ],
  "src/gateway": ["src", "src/inbox"],
  "src/monitor": ["src", "src/inbox", "src/verdict"],
  "src/storage/scrub": ["src", "src/storage"],
  "src/scrub": ["src", "src/inbox", "src/storage", "src/storage/scrub"],
};

/** May import anything of `src`; nothing in `src` may import them. */
const OUTSIDE = ["scripts", "tests"];

/** `src/storage` from the bottom up: a module imports only from the lines above its own. */
const STORAGE: readonly (readonly string[])[] = [
  ["layout"],
  ["storage"],
  ["file_calls", "places", "slots", "file_systems", "media_check", "credential_file"],
  ["directories", "failures", "mounted", "top_names"],
  ["identity", "space", "existing"],
  ["pause", "unlinked_objects"],
  ["store"],
  ["timelines", "tree", "new_object"],
  ["names"],
  ["objects", "directory_sync", "object_writer"],
  ["publish"],
  ["batch"],
  ["write_once_storage"],
  ["open_storage"],
  ["check_root"],
];

/**
 * The administrator's commands resolve and check the paths that they are given; everything else that they
 * do with files is in `src/storage/admin`. A new line here is a decision.
 */
const FILES_IN_ADMIN = [
  "src/admin/commands/storage_adopt.ts: lstatSync",
  "src/admin/commands/storage_compare.ts: statSync",
  "src/admin/commands/storage_init.ts: lstatSync",
];

function roomOf(path: string): string | undefined {
  const outside = OUTSIDE.find((room) => path.startsWith(`${room}/`));
  if (outside !== undefined) return outside;
  const directory = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  if (path in ROOMS || directory === "src") return directory === "" ? path : directory;
  // The deepest that holds it: `src/inbox/admin` before `src/inbox`.
  return Object.keys(ROOMS).filter((room) => room !== "src" && path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** What a worker, the gateway, … must not import, in words. */
function trespasses(edges: readonly Edge[]): string[] {
  return edges.flatMap(({ from, to }) => {
    const room = roomOf(from), other = roomOf(to);
    if (room === undefined || other === undefined) {
      return [`${room === undefined ? from : to} is in no room that this test knows`];
    }
    if (room === other || room === "tests") return [];
    if (room === "scripts") return other === "main.ts" ? [`${from} imports ${to}`] : [];
    return ROOMS[room]?.includes(other) ? [] : [`${from} imports ${to}`];
  });
}

function levelOf(path: string): number {
  const name = /^src\/storage\/(\w+)\.ts$/.exec(path)?.[1] ?? "";
  return STORAGE.findIndex((level) => level.includes(name));
}

/** Imports within `src/storage` that do not go downwards, and modules that have no place in its order. */
function disorder(edges: readonly Edge[]): string[] {
  return edges.filter((edge) => [edge.from, edge.to].every((path) => isStorage(path)))
    .filter(({ from, to }) => levelOf(to) >= levelOf(from))
    .map(({ from, to }) => `${from} imports ${to}`);
}

function isStorage(path: string): boolean {
  return roomOf(path) === "src/storage";
}

/** Circles, each once, as `a → b → a`. */
function circles(edges: readonly Edge[]): string[] {
  const imports = Map.groupBy(edges, ({ from }) => from);
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, above: readonly string[]) => {
    const at = above.indexOf(path);
    if (at >= 0) found.push([...above.slice(at), path].join(" → "));
    if (at >= 0 || done.has(path)) return;
    for (const { to } of imports.get(path) ?? []) visit(to, [...above, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return found;
}

const files = ["main.ts", ...modulesBelow("src"), ...modulesBelow("scripts")];
const edges = edgesOf(await readGraph(...files.map((file) => `${TOP}${file}`)));

Deno.test("the graph that is read is the repository's", () => {
  assert.ok(files.length > 150, `${files.length} files`);
  const known = [
    ["main.ts", "src/worker/options.ts"],
    // Of a type only.
    ["src/inbox/delivery_calls.ts", "src/stored.ts"],
    ["src/admin/main.ts", "src/admin/program.ts"],
    ["scripts/demo.ts", "scripts/demo/run.ts"],
  ];
  for (const [from, to] of known) {
    assert.ok(edges.some((edge) => edge.from === from && edge.to === to), `${from} → ${to}`);
  }
});

Deno.test("no modules import each other in a circle", () => {
  assert.deepEqual(circles(edges), []);
});

Deno.test("each room knows only those that it may know", () => {
  assert.deepEqual(trespasses(edges), []);
});

Deno.test("src/storage is a stack: each module imports only from below", () => {
  const names = modulesBelow("src/storage").filter(isStorage);
  assert.deepEqual(names.filter((path) => levelOf(path) < 0), [], "has no place in STORAGE");
  assert.deepEqual(STORAGE.flat().map((name) => `src/storage/${name}.ts`).sort(), names);
  assert.deepEqual(disorder(edges), []);
});

/** What a module asks of the file system, each once. */
function fileCallsIn(text: string): string[] {
  const calls =
    /\bDeno\.((?:open|lstat|stat|mkdir|link|symlink|realPath|read\w*|write\w*|remove|rename|chmod|chown|truncate|copyFile|makeTemp\w*|create|umask|utime)(?:Sync)?)\b/g;
  const asked = [...codeOf(text).matchAll(calls)].map(([, call = ""]) => call);
  const modules = nodeImports(text).filter((line) => /^node:fs(\/promises)? /.test(line));
  return [...new Set([...asked, ...modules])];
}

Deno.test("only src/storage touches files", () => {
  const found = files.filter((path) => {
    const room = roomOf(path);
    return room !== "scripts" && !room?.startsWith("src/storage");
  }).flatMap((path) =>
    fileCallsIn(Deno.readTextFileSync(`${TOP}${path}`)).map((call) => `${path}: ${call}`)
  );
  assert.deepEqual(found, FILES_IN_ADMIN);
});

Deno.test("each rule is broken by one import or call more, so the tests above can fail", () => {
  const forbidden = [
    ["src/inbox/session.ts", "src/storage/storage.ts"],
    ["src/storage/publish.ts", "src/inbox/session.ts"],
    ["src/storage/batch.ts", "src/storage/admin/walk.ts"],
    ["src/inbox/session.ts", "src/inbox/admin/init_inbox.ts"],
    ["src/worker/service.ts", "src/storage/admin/walk.ts"],
    ["src/worker/service.ts", "src/inbox/admin/roles.ts"],
    ["src/worker/service.ts", "src/admin/roots.ts"],
    ["src/admin/program.ts", "src/worker/options.ts"],
    ["src/errors.ts", "src/inbox/session.ts"],
    ["src/units.ts", "src/storage/storage.ts"],
    ["main.ts", "src/storage/open_storage.ts"],
    ["main.ts", "src/inbox/session.ts"],
    ["src/gateway/main.ts", "src/storage/storage.ts"],
    ["src/storage/batch.ts", "scripts/lib/launcher.ts"],
    ["src/storage/batch.ts", "tests/support/postgres.ts"],
    ["src/attic/any.ts", "src/errors.ts"],
  ];
  for (const [from = "", to = ""] of forbidden) {
    assert.deepEqual(trespasses([{ from, to }]).length, 1, `${from} → ${to}`);
  }
  for (const [from = "", to = ""] of [["store", "batch"], ["batch", "write_once_storage"]]) {
    const edge = { from: `src/storage/${from}.ts`, to: `src/storage/${to}.ts` };
    assert.deepEqual(disorder([...edges, edge]), [`${edge.from} imports ${edge.to}`]);
    assert.ok(circles([...edges, edge]).length > 0, `${from} → ${to}`);
  }
  assert.deepEqual(circles([{ from: "a", to: "b" }, { from: "b", to: "c" }]), []);
  assert.deepEqual(
    circles([{ from: "a", to: "b" }, { from: "b", to: "c" }, { from: "c", to: "b" }]),
    ["b → c → b"],
  );
  for (const text of ["Deno.openSync(p);", "await Deno.remove(p);", 'import fs from "node:fs";']) {
    assert.deepEqual(fileCallsIn(text).length, 1, text);
  }
});
