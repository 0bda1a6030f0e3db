/** `deno task demo --serve` on a machine without NGINX: what it prints works, and it serves a file to its owner. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";
import { bytesOf, OTHER } from "./support/stage.ts";

const DEMO = new URL("../../scripts/demo.ts", import.meta.url).pathname;

/** What the demo prints, as it comes. */
class Said {
  #text = "";
  readonly #pieces: AsyncIterator<string>;

  constructor(demo: Deno.ChildProcess) {
    this.#pieces = demo.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  }

  /** Waits until it has said this. @returns the first group */
  async match(pattern: RegExp): Promise<string> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`the demo never said ${pattern}, but ${this.#text}`));
    }, 120_000);
    try {
      for (;;) {
        const [, found] = pattern.exec(this.#text) ?? [];
        if (found !== undefined) return found;
        const { value, done } = await Promise.race([this.#pieces.next(), late.promise]);
        if (done) throw new Error(`the demo ended: ${this.#text}`);
        this.#text += value;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

Deno.test({
  ...requireTools([]),
  sanitizeOps: false,
  sanitizeResources: false,
  name: "the demo without NGINX: its own server gives a stored file to its owner, and nothing else",
  async fn() {
    const demo = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", DEMO, "--serve"],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      // Here is no NGINX.
      env: { PATH: "/nowhere" },
    }).spawn();
    try {
      const said = new Said(demo);
      // On a line of its own.
      const address = await said.match(/^(http:\/\/\S+)\n/m);
      const root = await said.match(/--allow-write=(\S+\/hot)/);
      const [base = "", token = ""] = address.split("/#token=");
      const own = { authorization: `Bearer ${token}` };
      const ask = async (path: string, init: RequestInit = {}) => {
        const answer = await fetch(base + path, init);
        return { status: answer.status, headers: answer.headers, text: await answer.text() };
      };
      assert.match((await ask("/")).text, /<title>Omoide/);
      const { owner } = JSON.parse((await ask("/session", { headers: own })).text);

      const content = bytesOf(3_000_000) as Uint8Array<ArrayBuffer>;
      const item = `/media/${owner}/${crypto.randomUUID()}`;
      const put = await ask(`${item}/content.mov`, { method: "PUT", headers: own, body: content });
      assert.equal(put.status, 201, put.text);
      const file = await until("the hot storage has it", async () => {
        const [file] = JSON.parse((await ask(item, { headers: own })).text);
        return file.is_served ? `/${file.path}` : false;
      });

      const whole = await fetch(base + file, { headers: own });
      assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), content);
      assert.equal(whole.headers.get("cache-control"), "private, max-age=31536000, immutable");
      const part = await fetch(base + file, { headers: { ...own, range: "bytes=2999990-" } });
      assert.deepEqual(
        [part.status, new Uint8Array(await part.arrayBuffer())],
        [206, content.subarray(2_999_990)],
      );
      const head = await ask(file, { method: "HEAD", headers: own });
      assert.deepEqual([head.status, head.headers.get("content-length")], [200, "3000000"]);

      assert.equal((await ask(file)).status, 401);
      assert.equal((await ask(file, { method: "DELETE", headers: own })).status, 405);
      const refused: [string, number][] = [
        [file.replace(owner, OTHER), 403],
        ["/content/", 404],
        ["/.omoide/storage.json", 404],
        ["/auth", 404],
        [file.replace("/content/", "/content/../.omoide/"), 404],
        [`${file}/..%2f..%2f..%2f..%2fetc/passwd`, 404],
      ];
      for (const [path, status] of refused) {
        assert.equal((await ask(path, { headers: own })).status, status, path);
      }
      // Nothing beside the storage is reached through it.
      const link = file.replace(/[^/]*$/, `${crypto.randomUUID()}.mov`);
      await Deno.symlink("/etc/passwd", root + link);
      assert.equal((await ask(link, { headers: own })).status, 404);
      assert.match((await ask(item, { headers: own })).text, /"stored_in":\["hot"/);

      // Whoever is killed comes back, as people are told to try.
      for (
        const [name, came] of [["Gateway", "the gateway"], ["Worker of hot", "the worker of hot"]]
      ) {
        const pid = await said.match(new RegExp(`${name}, process (\\d+)`));
        Deno.kill(Number(pid), "SIGKILL");
        const next = await said.match(
          new RegExp(`${came} had ended; here it is again, process (\\d+)`),
        );
        assert.notEqual(next, pid);
      }
      const again = `/media/${owner}/${crypto.randomUUID()}`;
      await until("the gateway takes uploads", async () => {
        const sent = await ask(`${again}/content.txt`, {
          method: "PUT",
          headers: own,
          body: "again",
        });
        return sent.status < 300;
      });
      await until("the hot storage has it", async () => {
        const [{ is_served }] = JSON.parse((await ask(again, { headers: own })).text);
        return is_served;
      });
    } finally {
      demo.kill("SIGINT");
      await demo.status;
    }
  },
});
