/** The lab's strace and proxy: what they claim to do, they do. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { FaultyProxy } from "./proxy.ts";
import { descriptorPath, parseStrace, quoted, straced, succeeded } from "./strace.ts";

const STRACE = requireTools(["strace"]);
const WRITER = new URL("./tiny_writer.ts", import.meta.url).pathname;
const CALLS = ["openat", "write", "fdatasync", "fsync", "linkat"];

Deno.test({
  ...STRACE,
  name: "a trace shows each file's bytes, fdatasync, link and directory's fsync in their order",
  fn: async () => {
    const { code, calls, directory } = await traceWriter(3, []);
    assert.equal(code, 0);
    const object = join(directory, ".1");
    const mine = calls.filter((call) =>
      succeeded(call) &&
      (descriptorPath(call) === object || quoted(call).includes(object) ||
        descriptorPath(call) === directory && call.name === "fsync")
    );
    const names = mine.map((call) => call.name).join(" ");
    assert.ok(names.includes("fsync openat write fdatasync linkat fsync"), names);
  },
});

Deno.test({
  ...STRACE,
  name: "a kill at a file's fdatasync leaves it written and not linked",
  fn: async () => {
    const { code, names } = await traceWriter(3, ["fdatasync:signal=KILL:when=2"]);
    assert.ok(code !== 0);
    assert.deepEqual(names, [".0", ".1", "0"]);
  },
});

Deno.test({
  ...STRACE,
  name: "an injected EIO is the answer to a link",
  fn: async () => {
    const { code, calls } = await traceWriter(3, ["linkat:error=EIO:when=3"]);
    assert.ok(code !== 0);
    const links = calls.filter((call) => call.name === "linkat");
    assert.deepEqual(links.map(succeeded), [true, true, false]);
  },
});

Deno.test("calls that another thread interrupts in the trace are put together again", () => {
  const calls = parseStrace([
    `10 fdatasync(5</a/b> <unfinished ...>`,
    `11 linkat(AT_FDCWD</r>, "x", AT_FDCWD</r>, "y", 0) = 0`,
    `10 <... fdatasync resumed>) = -1 EIO (Input/output error) (INJECTED)`,
    `11 write(3</z>, "(a) = 1", 7 <unfinished ...>`,
    `11 +++ killed by SIGKILL +++`,
  ].join("\n"));
  assert.deepEqual(calls.map(({ name, began, ended }) => [name, began, ended]), [
    ["fdatasync", 0, 2],
    ["linkat", 1, 1],
    ["write", 3, Infinity],
  ]);
  assert.deepEqual(calls.map(succeeded), [false, true, false]);
  assert.equal(calls[0] && descriptorPath(calls[0]), "/a/b");
});

Deno.test("the proxy passes, holds back, swallows and cuts", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = serveUpperCase(server);
  {
    await using proxy = FaultyProxy.before(server.addr.port);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
    assert.equal(await ask(client, "hello"), "HELLO");

    proxy.freeze();
    const held = ask(client, "held");
    const first = await Promise.race([held, new Promise((ended) => setTimeout(ended, 100, "-"))]);
    assert.equal(first, "-");
    proxy.thaw();
    assert.equal(await held, "HELD");

    const swallowed = proxy.swallowAnswerTo("lose");
    await assert.rejects(ask(client, "lose this"));
    await swallowed;
    assert.equal(proxy.open, 0);
  }
  assert.deepEqual(await served, ["hello", "held", "lose this"]);
});

async function traceWriter(count: number, inject: string[]) {
  const directory = await Deno.makeTempDir({ prefix: "omoide-faults-" });
  const log = await Deno.makeTempFile({ prefix: "omoide-faults-" });
  const writer = [Deno.execPath(), "run", "-A", WRITER, directory, String(count), "all"];
  const [program = "", ...args] = straced(writer, { log, calls: CALLS, inject });
  const { code } = await new Deno.Command(program, { args, stdout: "null", stderr: "null" })
    .output();
  const calls = parseStrace(await Deno.readTextFile(log));
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  await Deno.remove(log);
  await Deno.remove(directory, { recursive: true });
  return { code, directory, names, calls };
}

/** Answers like PostgreSQL only in that each answer ends in ReadyForQuery. */
async function serveUpperCase(server: Deno.TcpListener): Promise<string[]> {
  const heard: string[] = [];
  for await (const peer of server) {
    const buffer = new Uint8Array(100);
    for (let got = await peer.read(buffer); got !== null; got = await peer.read(buffer)) {
      const text = new TextDecoder().decode(buffer.subarray(0, got));
      heard.push(text);
      const answer = new TextEncoder().encode(text.toUpperCase());
      await peer.write(new Uint8Array([...answer, 0x5a, 0, 0, 0, 5, 0x49]));
    }
    peer.close();
    // Leaving the loop closes the listener.
    break;
  }
  return heard;
}

async function ask(client: Deno.TcpConn, text: string): Promise<string> {
  await client.write(new TextEncoder().encode(text));
  const buffer = new Uint8Array(100);
  const got = await client.read(buffer);
  if (got === null) throw new Error("The connection ended");
  return new TextDecoder().decode(buffer.subarray(0, got - 6));
}
