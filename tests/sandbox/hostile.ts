/**
 * What somebody would try who got to run code inside a program of this project. Run by sandbox_test.ts
 * under the program's own flags, after the program's own start; prints one JSON line: what each attempt met, "out" where it got out.
 */
import { createSocket } from "node:dgram";
import { EventEmitter } from "node:events";
import process from "node:process";
import { Worker as Thread } from "node:worker_threads";
import { connect } from "node:net";
import { readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { lockDown } from "../../src/lock_down.ts";
import type { SandboxNeeds } from "../../src/sandbox.ts";

interface Targets {
  /** Absent where it is to run without a sandbox. */
  readonly needs?: SandboxNeeds;
  readonly root: string;
  readonly outside: string;
  readonly secret: string;
  /** Of servers at 127.0.0.1 and 127.0.0.2, and of a name server at the first. */
  readonly otherPort: number;
}

const { needs, root, outside, secret, otherPort } = JSON.parse(Deno.args[0] ?? "{}") as Targets;
if (needs !== undefined) await lockDown(needs);
const dynamic = (specifier: string) => import(specifier);

const KEEPER = `
  const { parentPort } = require("node:worker_threads");
  (async () => {
    try {
      await (await caches.open("cache")).put("https://example.org/", new Response("value"));
      parentPort.postMessage("out");
    } catch (error) {
      parentPort.postMessage(String(error));
    }
  })();`;

/** What a thread says. @throws it as an error unless it got out */
function messageOf(thread: EventEmitter): Promise<void> {
  return new Promise((resolve, reject) => {
    thread.on("message", (text: string) => text === "out" ? resolve() : reject(new Error(text)));
    thread.on("error", reject);
  });
}

const attempts: Record<string, () => unknown> = {
  "read a file beside the root": () => Deno.readTextFileSync(secret),
  "read it through node": () => readFileSync(secret, "utf8"),
  "read it by ..": () => Deno.readTextFileSync(`${root}/../outside/secret`),
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read its own environment in /proc": () => Deno.readTextFileSync("/proc/self/environ"),
  "list /": () => [...Deno.readDirSync("/")],
  "write beside the root": () => Deno.writeTextFileSync(`${outside}/new`, "x"),
  "write by ..": () => Deno.writeTextFileSync(`${root}/../outside/new`, "x"),
  "make a directory beside the root": () => Deno.mkdirSync(`${outside}/directory`),
  "link a file from outside into the root": () => Deno.linkSync(secret, `${root}/stolen`),
  "link a file of the root to outside": () => {
    Deno.writeTextFileSync(`${root}/mine`, "x");
    Deno.linkSync(`${root}/mine`, `${outside}/mine`);
  },
  "plant a symbolic link in the root": () => Deno.symlinkSync(outside, `${root}/planted`),
  "rename out of the root": () => {
    Deno.writeTextFileSync(`${root}/mine-too`, "x");
    Deno.renameSync(`${root}/mine-too`, `${outside}/mine-too`);
  },
  "make a temporary directory": () => Deno.makeTempDirSync(),
  "connect to another port of the database's host": async () =>
    (await Deno.connect({ hostname: "127.0.0.1", port: otherPort })).close(),
  "connect there through node": () =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port: otherPort });
      socket.on("connect", resolve).on("error", reject);
    }),
  "connect to another host": async () =>
    (await Deno.connect({ hostname: "127.0.0.2", port: otherPort })).close(),
  "fetch": () => fetch(`http://127.0.0.1:${otherPort}/`),
  "fetch a file": () => fetch(`file://${secret}`).then((answer) => answer.text()),
  "open a WebSocket": () =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${otherPort}/`);
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("refused"));
    }),
  "listen": () => Deno.listen({ port: 0, hostname: "127.0.0.1" }).close(),
  "send a datagram": () =>
    new Promise((resolve, reject) => {
      // A socket that may not be bound throws where nobody stands.
      addEventListener("error", (event) => {
        event.preventDefault();
        reject(event.error);
      }, { once: true });
      const socket = createSocket("udp4").on("error", reject);
      socket.send("secret", otherPort, "127.0.0.1", (error) => error ? reject(error) : resolve(0));
    }),
  "ask a name server": () =>
    Deno.resolveDns("example.org", "A", {
      nameServer: { ipAddr: "127.0.0.1", port: otherPort },
    }),
  "ask the machine's name service": () => Deno.resolveDns("example.org", "A"),
  "read an environment variable": () => {
    if (Deno.env.get("OMOIDE_TEST_SECRET") === undefined) throw new Error("hidden");
  },
  "read the environment through node": async () => {
    const { env } = await import("node:process");
    if (env["OMOIDE_TEST_SECRET"] === undefined) throw new Error("hidden");
  },
  "run a program": () => new Deno.Command("true").outputSync(),
  "run a program through node": () =>
    new Promise((resolve, reject) => spawn("true").on("exit", resolve).on("error", reject)),
  "open a library": () => Deno.dlopen("libc.so.6", {}),
  "import from the network": () => dynamic(`http://127.0.0.1:${otherPort}/module.ts`),
  "import from a host that is granted by default": () => dynamic("https://esm.sh/is-odd@3.0.1"),
  "import an npm package that is not there": () => dynamic("npm:left-pad@1.3.0"),
  "import a file beside the root": () => dynamic(`file://${outside}/module.ts`),
  "start a web worker from outside": () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(`file://${outside}/module.ts`, { type: "module" });
      worker.onmessage = resolve;
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    }),
  "read in a web worker": () =>
    new Promise((resolve, reject) => {
      const code = `try { Deno.readTextFileSync(${JSON.stringify(secret)}); postMessage("out") }
        catch (error) { postMessage(String(error)) }`;
      const worker = new Worker(`data:application/javascript,${encodeURIComponent(code)}`, {
        type: "module",
      });
      worker.onmessage = ({ data }) => data === "out" ? resolve(data) : reject(new Error(data));
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    }),
  // What the runtime keeps for a page lands in its cache directory, outside the root, and asks nobody.
  "keep something in localStorage": () => localStorage.setItem("key", "value"),
  "keep something in a cache": async () =>
    await (await caches.open("cache")).put("https://example.org/", new Response("value")),
  // A thread has a global scope of its own, and all of that again.
  "keep something in a thread's cache": () => messageOf(new Thread(KEEPER, { eval: true })),
  "keep something in the cache of a thread that is something else": () =>
    messageOf(Reflect.construct(Thread, [KEEPER, { eval: true }], class extends EventEmitter {})),
  "keep something in the cache of a thread that is loaded in another way": () =>
    messageOf(
      new (process.getBuiltinModule("node:worker_threads").Worker)(KEEPER, { eval: true }),
    ),
  "ask for more permission": async () => {
    if ((await Deno.permissions.request({ name: "read", path: "/" })).state !== "granted") {
      throw new Error("not granted");
    }
  },
  "signal another process": () => Deno.kill(1, "SIGCONT"),
  "learn the machine's name": () => Deno.hostname(),
};

// What only some programs may do.
if (!needs?.read.includes(root)) {
  attempts["list the root"] = () => [...Deno.readDirSync(root)];
}
if (!needs?.write.includes(root)) {
  attempts["write into the root"] = () => Deno.writeTextFileSync(`${root}/new`, "x");
  attempts["make a directory in the root"] = () => Deno.mkdirSync(`${root}/directory`);
}
if (needs?.sys.length === 0) {
  attempts["learn who it runs as"] = () => Deno.uid();
}

// Without a sandbox these would really fetch something, and the package into this project.
if (needs === undefined) {
  delete attempts["import an npm package that is not there"];
  delete attempts["import from a host that is granted by default"];
}

const met: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    met[name] = "out";
  } catch (error) {
    met[name] = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
}
console.log(JSON.stringify(met));
Deno.exit(0);
