import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import {
  gatewayNeeds,
  monitorNeeds,
  permissionFlags,
  type SandboxNeeds,
  scrubNeeds,
  workerNeeds,
} from "../../src/sandbox.ts";

const HOSTILE = new URL("./hostile.ts", import.meta.url).pathname;
const LOCKED = new URL("./locked.ts", import.meta.url).pathname;

const PROGRAMS = ["worker", "scrub", "gateway", "monitor"] as const;
type Program = (typeof PROGRAMS)[number];

interface Ground {
  readonly programs: Readonly<Record<Program, SandboxNeeds>>;
  readonly root: string;
  readonly outside: string;
  readonly cache: string;
  readonly otherPort: number;
  close(): Promise<void>;
}

/**
 * What the control may fail at, and why. Every other attempt must get out there: one that cannot succeed
 * proves nothing where it is refused.
 */
const CANNOT: Record<string, string> = {
  "ask the machine's name service": "a machine without a network has none",
};
if (Deno.build.os !== "linux") CANNOT["connect to another host"] = "127.0.0.2 is Linux's alone";

/** Two servers, one of them at an address that only it has. */
const DATABASE = {
  hosts: [{ host: "127.0.0.1", port: 5432 }, { host: "127.0.0.3", port: 5432 }],
};
const LISTEN = { host: "127.0.0.1", port: 8080 };

/** A root, a place beside it, servers that must not be reached, and an empty cache directory. */
async function ground(): Promise<Ground> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-sandbox-" }));
  const [root, outside, cache] = [
    `${directory}/root`,
    `${directory}/outside`,
    `${directory}/cache`,
  ];
  for (const path of [root, outside, cache]) await Deno.mkdir(path);
  await Deno.writeTextFile(`${outside}/secret`, "secret");
  await Deno.writeTextFile(`${outside}/module.ts`, 'self.postMessage?.("out"); export {};');
  const others = await servers();
  return {
    root,
    outside,
    cache,
    programs: {
      worker: workerNeeds({ root, database: DATABASE }),
      scrub: scrubNeeds({ root, database: DATABASE }),
      gateway: gatewayNeeds({ listen: LISTEN, database: DATABASE }),
      monitor: monitorNeeds({ listen: LISTEN, database: DATABASE }),
    },
    otherPort: others.port,
    close: async () => {
      await others.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** Servers on one port of 127.0.0.1 and 127.0.0.2, and a name server at the first. */
async function servers(): Promise<{ port: number; close(): Promise<void> }> {
  for (;;) {
    const open = [serve("127.0.0.1", 0)];
    const names = createSocket("udp4");
    const close = async () => {
      names.close();
      for (const server of open) await server.shutdown();
    };
    const port = open[0]?.addr.port ?? 0;
    try {
      if (Deno.build.os === "linux") open.push(serve("127.0.0.2", port));
      names.on("message", (question, from) => {
        names.send(answerTo(question), from.port, from.address);
      });
      names.bind(port, "127.0.0.1");
      await once(names, "listening");
      return { port, close };
    } catch (error) {
      await close();
      // Somebody else has that port there.
      const code = error instanceof Error && "code" in error ? error.code : null;
      if (code !== "EADDRINUSE") throw error;
    }
  }
}

function serve(hostname: string, port: number): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname, port, onListen: () => {} }, (request) => {
    if (request.headers.get("upgrade") === "websocket") {
      return Deno.upgradeWebSocket(request).response;
    }
    return new Response("export {};", { headers: { "content-type": "application/typescript" } });
  });
}

/** A DNS answer that repeats the question and gives 127.0.0.1 as its one address. */
function answerTo(question: Uint8Array): Uint8Array {
  const end = question.indexOf(0, 12) + 5;
  const header = [question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
  return new Uint8Array([...header, ...question.subarray(12, end), ...record]);
}

async function run(flags: readonly string[], script: string, argument: unknown, cache?: string) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", ...flags, script, JSON.stringify(argument)],
    env: {
      OMOIDE_TEST_SECRET: "secret",
      NO_COLOR: "1",
      ...(cache === undefined ? {} : { DENO_DIR: cache, TMPDIR: cache }),
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

for (const program of PROGRAMS) {
  Deno.test(`nothing that a hostile module tries gets out of a ${program}'s permissions`, async () => {
    const { programs, root, outside, otherPort, close } = await ground();
    const needs = programs[program];
    try {
      const argument = { needs, root, outside, secret: `${outside}/secret`, otherPort };
      const { stdout, stderr } = await run(permissionFlags(needs), HOSTILE, argument);
      assert.notEqual(stdout, "", stderr);
      const met = JSON.parse(stdout) as Record<string, string>;
      assert.ok(Object.keys(met).length > 30);
      assert.deepEqual(Object.entries(met).filter(([, outcome]) => outcome === "out"), []);
      assert.deepEqual([...Deno.readDirSync(outside)].map(({ name }) => name).sort(), [
        "module.ts",
        "secret",
      ]);
      if (!needs.write.includes(root)) assert.deepEqual([...Deno.readDirSync(root)], []);
    } finally {
      await close();
    }
  });
}

Deno.test("the hostile module does get out where there is no sandbox, so the test above can fail", async () => {
  const { root, outside, cache, otherPort, close } = await ground();
  try {
    const argument = { root, outside, secret: `${outside}/secret`, otherPort };
    const { stdout } = await run(["-A", "--no-prompt", "--no-lock"], HOSTILE, argument, cache);
    const met = JSON.parse(stdout) as Record<string, string>;
    assert.deepEqual(
      Object.entries(met).filter(([name, outcome]) => outcome !== "out" && !(name in CANNOT)),
      [],
    );
    assert.ok(Object.keys(met).length > 30);
  } finally {
    await close();
  }
});

for (const program of PROGRAMS) {
  Deno.test(`a ${program} accepts exactly its own permissions`, async () => {
    const { programs, close } = await ground();
    const needs = programs[program];
    try {
      const { code, stderr } = await run(permissionFlags(needs), LOCKED, needs);
      assert.equal(code, 0, stderr);
    } finally {
      await close();
    }
  });

  Deno.test(`a ${program} refuses to start with any broad grant more, and names it`, async (t) => {
    const { programs, root, close } = await ground();
    const needs = programs[program];
    try {
      const parent = root.slice(0, root.lastIndexOf("/"));
      const without = (prefix: string) =>
        permissionFlags(needs).filter((flag) => !flag.startsWith(prefix));
      const cases: Record<string, string[]> = {
        "--allow-read": [...without("--allow-read"), "--allow-read"],
        "--allow-write": [...without("--allow-write"), "--allow-write"],
        "--allow-net": [...without("--allow-net"), "--allow-net"],
        "--allow-sys": [...without("--allow-sys"), "--allow-sys"],
        "--allow-run": [...permissionFlags(needs), "--allow-run"],
        "--allow-ffi": [...permissionFlags(needs), "--allow-ffi"],
        "--allow-env": [...without("--ignore-env"), "--allow-env"],
        "--allow-read=/": [...without("--allow-read"), "--allow-read=/"],
        "--allow-write=/": [...without("--allow-write"), "--allow-write=/"],
        "--allow-net=127.0.0.1": [...without("--allow-net"), "--allow-net=127.0.0.1"],
      };
      if (needs.read.length > 0) {
        cases[`--allow-read=${parent}`] = [...without("--allow-read"), `--allow-read=${parent}`];
        cases[`--allow-write=${parent}`] = [...without("--allow-write"), `--allow-write=${parent}`];
      }
      if (needs.read.length > 0 && needs.write.length === 0) {
        cases[`--allow-write=${root}`] = [...permissionFlags(needs), `--allow-write=${root}`];
      }
      for (const [named, flags] of Object.entries(cases)) {
        await t.step(named, async () => {
          const { code, stderr } = await run(flags, LOCKED, needs);
          assert.equal(code, 4, stderr);
          const shown = named === "--allow-net=127.0.0.1" ? "--allow-net=127.0.0.1:1" : named;
          assert.ok(
            stderr.includes(`more permissions than it needs: `) && stderr.includes(shown),
            stderr,
          );
        });
      }
      await t.step("all of them", async () => {
        const { code, stderr } = await run(["-A"], LOCKED, needs);
        assert.equal(code, 4, stderr);
      });
    } finally {
      await close();
    }
  });

  Deno.test(`a ${program} with less than it needs says what is missing`, async (t) => {
    const { programs, root, close } = await ground();
    const needs = programs[program];
    try {
      const listens = program === "gateway" || program === "monitor";
      const cases: Record<string, string> = {
        "--allow-net": [...listens ? ["8080"] : [], "5432"].map((port) =>
          `--allow-net=127.0.0.1:${port}`
        ).join(", ") + ", --allow-net=127.0.0.3:5432",
      };
      if (!listens) {
        cases["--allow-read"] = `--allow-read=${root}`;
        cases["--allow-sys"] = "--allow-sys=statfs, --allow-sys=uid";
      }
      if (program === "worker") {
        cases["--allow-write"] = `--allow-write=${root}`;
      }
      for (const [prefix, named] of Object.entries(cases)) {
        await t.step(prefix, async () => {
          const flags = permissionFlags(needs).filter((flag) =>
            !flag.startsWith(prefix)
          );
          const { code, stderr } = await run(flags, LOCKED, needs);
          assert.equal(code, 4, stderr);
          assert.ok(stderr.includes(`lacks permissions: ${named}`), stderr);
        });
      }
    } finally {
      await close();
    }
  });

  Deno.test(`a ${program} gives up importing code at its start, though the runtime grants it by default`, async () => {
    const { programs, close } = await ground();
    const needs = programs[program];
    try {
      const { stdout } = await run(permissionFlags(needs), LOCKED, needs);
      assert.deepEqual(JSON.parse(stdout), { import: "prompt", run: "prompt", ffi: "prompt" });
    } finally {
      await close();
    }
  });
}

Deno.test("an IPv6 address stands in brackets in the flags", () => {
  const flags = permissionFlags(
    workerNeeds({ root: "/r", database: { hosts: [{ host: "::1", port: 5433 }] } }),
  );
  assert.ok(flags.includes("--allow-net=[::1]:5433"));
});

Deno.test("certificates go unchecked only with sslmode=require, and of the database's hosts alone", () => {
  const hosts = [{ host: "db.lan", port: 5432 }, { host: "db.lan", port: 5433 }];
  const unchecked = (tls: string, more: readonly { host: string; port: number }[] = []) =>
    permissionFlags(workerNeeds({ root: "/r", database: { hosts: [...hosts, ...more], tls } }))
      .filter((flag) => flag.startsWith("--unsafely"));
  for (const tls of ["disable", "verify-full"]) assert.deepEqual(unchecked(tls), []);
  assert.deepEqual(unchecked("require"), ["--unsafely-ignore-certificate-errors=db.lan"]);
  // As Deno spells an address when it compares.
  assert.deepEqual(unchecked("require", [{ host: "FD00:0::5", port: 5432 }]), [
    "--unsafely-ignore-certificate-errors=db.lan,fd00::5",
  ]);
});

Deno.test("a gateway and a monitor have no flag for files, system or anything but two addresses", () => {
  const given = {
    listen: { host: "127.0.0.1", port: 8080 },
    database: { hosts: [{ host: "db.lan", port: 5432 }] },
  };
  for (const needs of [gatewayNeeds(given), monitorNeeds(given)]) {
    assert.deepEqual(permissionFlags(needs).filter((flag) => flag.startsWith("--allow")), [
      "--allow-net=127.0.0.1:8080,db.lan:5432",
    ]);
  }
});
