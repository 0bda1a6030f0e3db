/** The gateway behind a real NGINX with the site that the project ships. */
import assert from "node:assert/strict";
import { run, until } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";
import { Nginx } from "../deploy/support/nginx.ts";
import {
  bearer,
  bytesOf,
  hexOf,
  OTHER,
  OWNER,
  stage,
  statusOn,
  tokenOf,
  writeAll,
} from "./support/stage.ts";

const NEEDS = requireTools(["nginx", "chown"], { root: true });
const ITEM = "0c0c0c0c-0000-4000-8000-0000000000cc";

Deno.test({
  ...NEEDS,
  name: "behind NGINX: uploads as they come, files for their owner only, events at once, limits",
  fn: (t) =>
    stage(async ({ gateway, inbox }) => {
      const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-hot-" }));
      const directory = `${root}/content/${OWNER}/0c`;
      await Deno.mkdir(directory, { recursive: true });
      await Deno.writeTextFile(`${directory}/${ITEM}.jpg`, "a picture");
      await run("chmod", "-R", "u=rwX,go=rX", root);
      await using nginx = await Nginx.start(
        { file: "omoide-gateway.conf", root, applicationPort: gateway.port },
        { user: "www-data", group: "www-data" },
      );
      const token = (owner: string) => ({ authorization: `Bearer ${tokenOf(owner)}` });
      const picture = nginx.url(`/content/${OWNER}/0c/${ITEM}.jpg`);
      const get = async (url: string, headers: HeadersInit = {}) => {
        const response = await fetch(url, { headers });
        return { status: response.status, text: await response.text(), headers: response.headers };
      };

      await t.step("a file is its owner's, by token or cookie, and nobody else's", async () => {
        const mine = await get(picture, token(OWNER));
        assert.deepEqual([mine.status, mine.text], [200, "a picture"]);
        assert.equal(mine.headers.get("cache-control"), "private, max-age=31536000, immutable");
        assert.equal(mine.headers.get("strict-transport-security"), null);
        assert.equal((await get(picture, { cookie: `omoide=${tokenOf(OWNER)}` })).status, 200);
        assert.equal((await get(picture, token(OTHER))).status, 403);
        assert.equal((await get(picture)).status, 401);
        // What the client writes may name one owner and mean another.
        for (
          const path of [
            `/content/${OTHER}/../${OWNER}/0c/${ITEM}.jpg`,
            `/content/${OTHER}/0c/..%2f..%2f${OWNER}/0c/${ITEM}.jpg`,
            `/content//${OWNER}/0c/${ITEM}.jpg`,
          ]
        ) {
          const header = `Authorization: Bearer ${tokenOf(OTHER)}\r\n`;
          const { status, body } = await nginx.raw(path, "GET", header);
          assert.ok(
            [403, 404].includes(status) && !body.includes("a picture"),
            `${path}: ${status}`,
          );
        }
        assert.equal((await get(nginx.url("/auth"), token(OWNER))).status, 404);
      });

      await t.step("part of an upload has reached the inbox before the rest is sent", async () => {
        const content = bytesOf(3_000_000);
        const upload = await gateway.open(crypto.randomUUID(), content.length);
        using slow = await Deno.connect({ hostname: "127.0.0.1", port: nginx.port });
        const head = `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}` +
          "Content-Type: application/partial-upload\r\nUpload-Offset: 0\r\nUpload-Complete: ?1\r\n" +
          `Content-Length: ${content.length}\r\n\r\n`;
        await writeAll(slow, new TextEncoder().encode(head));
        await writeAll(slow, content.subarray(0, 1_500_000));
        await until("it is stored", async () => await gateway.offset(upload) === 1_500_000);
        await writeAll(slow, content.subarray(1_500_000));
        const answer = new Uint8Array(2000);
        const length = await slow.read(answer) ?? 0;
        const text = new TextDecoder().decode(answer.subarray(0, length));
        assert.match(text, /^HTTP\/1\.1 201/);
        assert.ok(text.includes(hexOf(content)));
      });

      await t.step("a file by PUT, its refusals in words", async () => {
        const put = (item: string, body: Uint8Array, more = {}) =>
          fetch(nginx.url(`/media/${OWNER}/${item}/content.jpg`), {
            method: "PUT",
            headers: { ...token(OWNER), ...more },
            body: body as Uint8Array<ArrayBuffer>,
          });
        const stored = await put(crypto.randomUUID(), bytesOf(2_000_000));
        assert.equal(stored.status, 201, await stored.text());
        await inbox.admin.query("UPDATE omoide.settings SET max_media_bytes = 1000000");
        const refused = await put(crypto.randomUUID(), bytesOf(2_000_000));
        assert.equal(refused.status, 413);
        assert.match((await refused.json()).detail, /the limit is 1000000 bytes/);
        const foreign = await put(crypto.randomUUID(), bytesOf(10), {
          origin: "https://evil.example",
        });
        assert.equal(foreign.status, 403);
        await foreign.body?.cancel();
      });

      await t.step("events come at once", async () => {
        const answer = await fetch(nginx.url("/events"), { headers: token(OWNER) });
        const reader = answer.body?.getReader();
        const { value } = await reader?.read() ?? {};
        assert.match(new TextDecoder().decode(value), /^retry: 2000/);
        await reader?.cancel();
      });

      await t.step(
        "a request in a request's body is nobody's, whatever its lengths say",
        async () => {
          // Answered with the sender's own rights, if it were taken for one.
          const inner = `GET /session HTTP/1.1\r\nHost: x\r\n${bearer(OTHER)}X: `;
          const put = `PUT /media/${OWNER}/${ITEM}/content.bin HTTP/1.1\r\nHost: x\r\n${bearer()}`;
          const bodies = [
            `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
            `Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n`,
            `Content-Length: 0, ${inner.length}\r\n\r\n`,
            `Content-Length: +0\r\n\r\n`,
            `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
            `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
            `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
            `Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
            `X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
          ];
          for (const body of bodies) {
            using connection = await Deno.connect({ hostname: "127.0.0.1", port: nginx.port });
            await writeAll(connection, new TextEncoder().encode(put + body + inner));
            const status = await statusOn(connection);
            assert.ok(status === null || status >= 400, `${body}: ${status}`);
            // What stands behind NGINX's connections is asked at once, over all that it keeps open.
            const answers = await Promise.all(
              Array.from({ length: 8 }, () => get(nginx.url("/session"), token(OWNER))),
            );
            for (const answer of answers) {
              assert.ok([200, 429].includes(answer.status), `${body}: ${answer.status}`);
              if (answer.status === 200) {
                assert.deepEqual(JSON.parse(answer.text), { owner: OWNER });
              }
            }
          }
        },
      );

      await t.step("what NGINX says of a request cannot be said by its sender", async () => {
        const said = { "x-original-uri": `/content/${OTHER}/0c/${ITEM}.jpg` };
        assert.equal((await get(picture, { ...token(OTHER), ...said })).status, 403);
        const foreign = {
          "origin": "https://evil.example",
          "x-forwarded-host": "evil.example",
          "x-forwarded-proto": "https",
        };
        const list = nginx.url(`/media/${OWNER}`);
        assert.equal((await get(list, { ...token(OWNER), ...foreign })).status, 403);
        // It came without TLS: the cookie for that counts.
        const cookie = { cookie: `omoide=${tokenOf(OWNER)}`, "x-forwarded-proto": "https" };
        assert.equal((await get(list, cookie)).status, 200);
        // Many ranges of one small file are not many files.
        const ranges = Array.from({ length: 2000 }, (_, i) => `${i % 9}-`).join(",");
        const many = await get(picture, { ...token(OWNER), range: `bytes=${ranges}` });
        assert.ok(many.text.length < 1000, `${many.status}: ${many.text.length}`);
      });

      await t.step("elsewhere a body is small, and trying tokens is slow", async () => {
        const large = await fetch(nginx.url("/session"), {
          method: "POST",
          body: "x".repeat(20_000),
        });
        assert.equal(large.status, 413);
        await large.body?.cancel();
        const tries = await Promise.all(
          Array.from(
            { length: 30 },
            () => fetch(nginx.url("/session"), { method: "POST", body: '{"token":"x"}' }),
          ),
        );
        for (const { body } of tries) await body?.cancel();
        assert.ok(tries.some(({ status }) => status === 429));
        // Whoever only opens the page is not taken for somebody who tries.
        for (let opened = 0; opened < 15; opened++) {
          assert.equal((await get(nginx.url("/session"), token(OWNER))).status, 200);
        }
      });
      await Deno.remove(root, { recursive: true });
    }),
});

Deno.test("both sites serve a file in the same way, but for whom it is asked", async () => {
  const filesOf = async (name: string) => {
    const text = await Deno.readTextFile(
      new URL(`../../scripts/deploy/nginx/${name}`, import.meta.url),
    );
    const [from, to] = ['    location ~ "^/(?:content|', '    location ~ "/\\."'].map((part) =>
      text.indexOf(part)
    );
    assert.ok(from !== undefined && to !== undefined && from > 0 && to > from, name);
    const files = text.slice(from, to);
    return files.split("\n").filter((line) => !/omoide_file|auth_request|^\s*#/.test(line));
  };
  assert.deepEqual(await filesOf("omoide-gateway.conf"), await filesOf("omoide.conf"));
});
