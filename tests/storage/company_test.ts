import assert from "node:assert/strict";
import { ConfigurationError, StorageHeldError } from "../../src/errors.ts";
import { permissionFlags, workerNeeds } from "../../src/sandbox.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import {
  describeTree,
  makeRoot,
  Scratch,
  someBytes,
  storeOne,
  TestStorage,
} from "./support/roots.ts";
import { mediaOf } from "../support/media.ts";

const INNER = new URL("support/inner.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Another process with a worker's permissions, that does what `support/inner.ts` says. */
class Inner implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(root: string, ...task: string[]) {
    const flags = permissionFlags(
      workerNeeds({ root, database: { hosts: [{ host: "127.0.0.1", port: 1 }] } }),
    );
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--quiet", "--config", CONFIG, ...flags, INNER, root, ...task],
      stdout: "piped",
      stderr: "piped",
      stdin: "piped",
    }).spawn();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** The next line that it prints; what it said instead where it ended. */
  async says(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (!done) return value;
    return `ended: ${await new Response(this.#process.stderr).text()}`;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#process.status;
    await this.#process.stdin.close().catch(() => {});
    await this.#process.stderr.cancel().catch(() => {});
    await this.#lines.return?.();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    rest += text;
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

Deno.test("the store works with a worker's permissions and no others", async () => {
  using test = new TestStorage("disk");
  await using inner = new Inner(test.root, "all");
  assert.deepEqual(
    [await inner.says(), await inner.says(), await inner.says(), await inner.says()],
    ["stored stored", "present present", "checked", "done"],
  );
});

Deno.test("a storage that another process holds is not opened, until that one dies", async () => {
  using test = new TestStorage("disk");
  await using inner = new Inner(test.root, "hold");
  assert.equal(await inner.says(), "held");
  const before = describeTree(test.root);
  await assert.rejects(openStorage(test.root, { storage: "hot" }), StorageHeldError);
  await assert.rejects(openStorage(test.root, { storage: "hot" }), StorageHeldError);
  assert.deepEqual(describeTree(test.root), before);
  await inner.kill();
  // The kernel let go of the lock together with the process.
  const storage = await test.open();
  const bytes = someBytes(10);
  assert.equal((await storeOne(storage, mediaOf(bytes), bytes)).outcome, "stored");
});

Deno.test("a storage that is held within this process is not opened twice, and can be after close", async () => {
  using test = new TestStorage("disk");
  const first = await test.open();
  await assert.rejects(openStorage(test.root, { storage: "hot" }), StorageHeldError);
  first.close();
  (await test.open()).close();
});

Deno.test("opening another's root, or by a path with a link in it, is refused with the fix", async () => {
  using test = new TestStorage("disk");
  using scratch = new Scratch();
  Deno.symlinkSync(test.root, `${scratch.path}/link`);
  const refusals: [string, string, RegExp][] = [
    [test.root, "cold", /is the storage hot .* not cold; see --root and --storage/],
    [`${scratch.path}/link`, "hot", new RegExp(`symbolic link .* give ${test.root}`)],
    [`${test.root}/`, "hot", /plain form/],
    ["hot", "hot", /not absolute/],
  ];
  for (const [root, storage, reason] of refusals) {
    await assert.rejects(openStorage(root, { storage }), (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.ok(reason.test(error.message), error.message);
      return true;
    });
  }
});

Deno.test("a storage that changes hands while it is being locked is not opened", async () => {
  const path = ".omoide/storage.json";
  for (const change of ["another", "a copy"]) {
    using test = new TestStorage("disk");
    await assert.rejects(
      test.open({
        calls: {
          ...fileCalls,
          tryLock: (file, exclusive) => {
            const text = Deno.readTextFileSync(test.at(path));
            const uuid = change === "another" ? crypto.randomUUID() : test.identity.uuid;
            Deno.renameSync(test.at(path), test.at(`${path}.was`));
            Deno.writeTextFileSync(test.at(path), text.replace(test.identity.uuid, uuid));
            return fileCalls.tryLock(file, exclusive);
          },
        },
      }),
      { name: "StorageLostError" },
      change,
    );
  }
});

Deno.test("what cannot be opened leaves no lock behind", async () => {
  using test = new TestStorage("disk");
  Deno.removeSync(test.at("content"));
  await assert.rejects(test.open(), { name: "StorageLostError" });
  Deno.mkdirSync(test.at("content"), { mode: 0o750 });
  (await test.open()).close();
});

Deno.test("two storages live side by side on one disk", async () => {
  using scratch = new Scratch();
  const bytes = someBytes(1000);
  const media = mediaOf(bytes);
  for (const name of ["hot", "cold"]) makeRoot(`${scratch.path}/${name}`);
  const [hot, cold] = await Promise.all(
    ["hot", "cold"].map((name) => openStorage(`${scratch.path}/${name}`, { storage: "hot" })),
  );
  for (const storage of [hot, cold]) {
    if (storage === undefined) throw new Error("unreachable");
    assert.equal((await storeOne(storage, media, bytes)).outcome, "stored");
    storage.close();
  }
});
