import assert from "node:assert/strict";
import { basename } from "node:path";
import { permissionFlags, workerNeeds } from "../../src/sandbox.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";
import { instanceName } from "../../scripts/lib/compile/instance_name.ts";
import { readArtifact } from "../../scripts/lib/compile/read_artifact.ts";

const SCRIPT = new URL("../../scripts/compile.ts", import.meta.url).pathname;
const PLAIN = [
  ...["--storage", "hot", "--root", "/srv/omoide/hot"],
  ...["--database", "postgres://10.0.0.5/omoide"],
];

const directory = await Deno.makeTempDir({ prefix: "omoide-compile-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(directory, { recursive: true }));

/**
 * Compiles onto a program that is no runtime: what is baked is the same, and nothing is downloaded. The
 * binary cannot run; tests/system/compiled_test.ts runs one.
 */
async function compile(args: readonly string[], base = "/bin/true") {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", SCRIPT, ...args],
    env: { DENORT_BIN: base, NO_COLOR: "1" },
    cwd: directory,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function read(name: string): Uint8Array {
  return Deno.readFileSync(`${directory}/${name}`);
}

const VARIANTS: Record<string, string[]> = {
  "a plain worker": PLAIN,
  "a worker with password and certificates": [
    ...PLAIN,
    ...["--password-file", "/run/credentials/omoide-worker@hot.service/password"],
    ...["--ca-file", "/etc/omoide/ca.pem"],
  ],
  "a database by IPv6, on another port": [
    ...PLAIN.slice(0, 4),
    ...["--database", "postgres://omoide_hot@[fd00::5]:6432/omoide?sslmode=require"],
  ],
  "a database of three servers": [
    ...PLAIN.slice(0, 4),
    ...["--database", "postgres://192.0.2.1:6432,[fd00::5],db3.lan/omoide"],
  ],
};

for (const [name, args] of Object.entries(VARIANTS)) {
  Deno.test(`what is baked into ${name} is exactly its flags and options`, async () => {
    const { code, stdout, stderr } = await compile([...args, "--output", "exact"]);
    assert.equal(code, 0, stderr);
    const { permissions, args: baked, extras } = readArtifact(read("exact"));
    // The binary has no cache for this one to forbid.
    const flags = permissionFlags(workerNeeds(parseWorkerOptions(args)))
      .filter((flag) => flag !== "--cached-only");
    assert.deepEqual(permissions, flags.sort());
    assert.deepEqual(baked, args);
    assert.deepEqual(extras, []);
    for (const flag of flags) assert.ok(stdout.includes(flag), `${flag} is not shown`);
    assert.ok(stdout.includes(args.join(" ")), "the options are not shown");
  });
}

Deno.test("binaries and units are called after the storage, and the inbox if it has a name", () => {
  for (
    const [storage, role, name] of [
      ["hot", "omoide_hot", "hot"],
      ["hot", "omoide_hot_scrub", "hot"],
      ["hot", "omoide_tokyo_hot", "tokyo-hot"],
      ["hot", "omoide_tokyo_hot_scrub", "tokyo-hot"],
      ["scrub", "omoide_scrub", "scrub"],
      ["hot", "somebody", "hot"],
      ["hot", "omoide_tokyo_cold", "hot"],
    ] as const
  ) assert.equal(instanceName(storage, role), name, role);
});

Deno.test("the binary is called after its storage and put into dist", async () => {
  const { stdout, stderr } = await compile(PLAIN);
  assert.equal(
    stdout.split("\n")[0],
    `${Deno.realPathSync(directory)}/dist/omoide-worker-hot`,
    stderr,
  );
  const { mode } = Deno.statSync(`${directory}/dist/omoide-worker-hot`);
  assert.equal((mode ?? 0) & 0o777, 0o755);
});

Deno.test("the same inputs give the same bytes, wherever they are put", async () => {
  for (const output of ["first/worker", "second/worker"]) {
    assert.equal((await compile([...PLAIN, "--output", output])).code, 0);
  }
  assert.deepEqual(read("first/worker"), read("second/worker"));
  const text = new TextDecoder("latin1").decode(read("first/worker"));
  const project = new URL("../../", import.meta.url).pathname;
  assert.ok(!text.includes(project), "the binary tells where it was made");
});

Deno.test("a binary for arm64 is made by --target, and one for another processor is refused", async () => {
  const target = ["--target", "aarch64-unknown-linux-gnu"];
  const wrong = await compile([...PLAIN, ...target, "--output", "wrong"]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /is for x86_64, not for aarch64; see --target and DENORT_BIN/);
  assert.throws(() => read("wrong"), Deno.errors.NotFound);

  const arm = `${directory}/arm64-base`;
  const bytes = Deno.readFileSync("/bin/true");
  new DataView(bytes.buffer).setUint16(18, 183, true);
  Deno.writeFileSync(arm, bytes);
  const right = await compile([...PLAIN, ...target, "--output", "right"], arm);
  assert.equal(right.code, 0, right.stderr);
  assert.equal(readArtifact(read("right")).machine, "aarch64");
});

const REFUSED: Record<string, [string[], RegExp]> = {
  "a relative root": [["--root", "hot"], /The path must be absolute/],
  "a root with ..": [["--root", "/srv/../hot"], /empty part, \. or \.\./],
  "the whole file system": [["--root", "/"], /whole file system is not a place for a storage/],
  "a root with a comma": [["--root", "/srv/a,/etc"], /cannot carry a comma/],
  "a database without a host": [["--database", "postgres:///omoide"], /names no host/],
  "a password in the URL": [["--database", "postgres://u:secret@h/omoide"], /has a password in it/],
  "a relative password file": [["--password-file", "pw"], /The path must be absolute/],
  "an invalid name": [["--storage", "Hot!"], /lower-case letter/],
  "--check": [["--check"], /not baked in: give them to the binary/],
  "--once": [["--once"], /not baked in: give them to the binary/],
  "an unknown option": [["--prune"], /unknown option '--prune'/],
  "an output twice": [["--output", "a", "--output", "b"], /--output was given twice/],
  "an output without a name": [["--output"], /--output takes a value/],
};

for (const [name, [args, message]] of Object.entries(REFUSED)) {
  Deno.test(`refused in one line, with nothing made: ${name}`, async () => {
    const rest = PLAIN.filter((_, i) => !args.includes(PLAIN[i - i % 2] ?? ""));
    const { code, stdout, stderr } = await compile([...rest, ...args]);
    assert.equal(code, 2);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
    assert.ok(!stderr.includes("secret"));
  });
}

Deno.test("a file that no deno compile made is refused, as is one that holds two programs", () => {
  assert.throws(() => readArtifact(Deno.readFileSync("/bin/true")), /holds 0 programs/);
  const one = read("exact");
  const two = new Uint8Array(one.length * 2);
  two.set(one);
  two.set(one, one.length);
  assert.throws(() => readArtifact(two), /holds 2 programs/);
});

Deno.test("a wider permission, or whatever else could widen them, is seen when reading back", async () => {
  const script = `${directory}/wide.ts`;
  Deno.writeTextFileSync(script, "export {};");
  await new Deno.Command(Deno.execPath(), {
    args: [
      ...["compile", "--no-check", "--allow-read", "--allow-write=/", "--deny-net=h"],
      ...["--v8-flags=--expose-gc", "--unsafely-ignore-certificate-errors", "--unstable-ffi"],
      ...["--output", basename(script, ".ts"), script],
    ],
    env: { DENORT_BIN: "/bin/true" },
    cwd: directory,
    stdout: "null",
    stderr: "null",
  }).output();
  const { permissions, v8Flags, extras } = readArtifact(read("wide"));
  const wide = ["--allow-read", "--allow-write=/", "--deny-net=h"];
  for (const flag of [...wide, "--unsafely-ignore-certificate-errors"]) {
    assert.ok(permissions.includes(flag), `${permissions}`);
  }
  assert.ok(!permissions.includes("--no-prompt") && !permissions.includes("--no-remote"));
  assert.deepEqual([...extras].sort(), [
    "code_cache_key",
    "unstable_config",
  ]);
  assert.deepEqual(v8Flags, ["--expose-gc"]);
});
