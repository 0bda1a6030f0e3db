/** What a client of the gateway can rely on. */
import assert from "node:assert/strict";
import { showEvents } from "../../src/gateway/events.ts";
import type { Gateway } from "../../src/gateway/gateway.ts";
import type { Watcher } from "../../src/gateway/watchers.ts";
import { acknowledge, release } from "../inbox/support/inbox_test.ts";
import {
  bytesOf,
  contentOf,
  digestOf,
  hexOf,
  OTHER,
  OWNER,
  stage,
  tokenOf,
} from "./support/stage.ts";

Deno.test("a whole file by PUT: 201, 200 where it is there already, and where it stands", () =>
  stage(async ({ gateway, inbox }) => {
    for (const size of [0, 5, 1_048_576, 1_048_577, 3_000_001]) {
      const item = crypto.randomUUID();
      const path = `/media/${OWNER}/${item}/content.jpg`;
      const content = bytesOf(size);
      const put = await gateway.send("PUT", path, {}, content as Uint8Array<ArrayBuffer>);
      assert.equal(put.status, 201, put.text);
      assert.deepEqual(put.json, { id: put.json.id, size, sha256: hexOf(content) });
      assert.deepEqual(await contentOf(inbox, put.json.id), content);
      const again = await gateway.send("PUT", path, {}, content as Uint8Array<ArrayBuffer>);
      assert.deepEqual([again.status, again.json], [200, put.json]);
      const [file] = (await gateway.send("GET", `/media/${OWNER}/${item}`)).json;
      assert.equal(file.path, `content/${OWNER}/${item.slice(0, 2)}/${item}.jpg`);
      assert.deepEqual(
        [
          file.media_type,
          file.ext,
          file.size,
          file.sha256,
          file.stored_in,
          file.owed_to,
          file.released_at,
        ],
        ["content", "jpg", size, hexOf(content), [], ["hot", "cold"], null],
      );
    }
  }));

Deno.test("other bytes under the same address live beside the first, and both are shown", () =>
  stage(async ({ gateway }) => {
    const item = crypto.randomUUID();
    const path = `/media/${OWNER}/${item}/content.jpg`;
    assert.equal((await gateway.send("PUT", path, {}, "one")).status, 201);
    assert.equal((await gateway.send("PUT", path, {}, "two")).status, 201);
    const files = (await gateway.send("GET", `/media/${OWNER}/${item}`)).json;
    assert.equal(files.length, 2);
    assert.match(files[1].path, /~[0-9a-f]{64}\.jpg$/);
    assert.deepEqual(
      (await gateway.send("GET", `/media/${OWNER}/${crypto.randomUUID()}`)).json,
      [],
    );
  }));

Deno.test("an upload in parts of any size, gone on with where it was", () =>
  stage(async ({ gateway, inbox }) => {
    const content = bytesOf(2_500_000);
    const path = await gateway.open(crypto.randomUUID(), content.length);
    const opened = await gateway.send("HEAD", path);
    assert.equal(opened.status, 204);
    assert.equal(opened.headers.get("upload-length"), "2500000");
    assert.equal(opened.headers.get("upload-complete"), "?0");
    assert.match(opened.headers.get("upload-limit") ?? "", /^max-size=\d+, max-age=86400$/);
    assert.equal(opened.headers.get("cache-control"), "no-store");
    for (let at = 0; at < 2_400_000; at += 400_001) {
      const end = Math.min(at + 400_001, 2_400_000);
      const sent = await gateway.patch(path, at, content.subarray(at, end), false, {
        "content-digest": digestOf(content.subarray(at, end)),
      });
      assert.deepEqual([sent.status, sent.headers.get("upload-offset")], [204, String(end)]);
    }
    const rest = content.subarray(2_400_000);
    const last = await gateway.patch(path, 2_400_000, rest, true, {
      "repr-digest": digestOf(content),
    });
    assert.equal(last.status, 201, last.text);
    assert.deepEqual(last.json, { id: last.json.id, size: content.length, sha256: hexOf(content) });
    assert.deepEqual(await contentOf(inbox, last.json.id), content);

    const after = await gateway.send("HEAD", path);
    assert.equal(after.headers.get("upload-complete"), "?1");
    // The answer was lost: it can be asked for again, as often as need be.
    const again = await gateway.patch(path, content.length, new Uint8Array(), true);
    assert.deepEqual([again.status, again.json], [200, last.json]);
    const more = await gateway.patch(path, content.length, new Uint8Array(1), false);
    assert.equal(more.status, 409);
    assert.match(more.json.type, /#completed-upload$/);
    // And nobody takes it back.
    assert.equal((await gateway.send("DELETE", path)).status, 204);
    assert.deepEqual(await contentOf(inbox, last.json.id), content);
  }));

Deno.test("opening may bring bytes along, be repeated under one key, and be given up", () =>
  stage(async ({ gateway, inbox }) => {
    const path = `/media/${OWNER}/${crypto.randomUUID()}/content.mov`;
    const whole = await gateway.send("POST", path, { "upload-complete": "?1" }, "all of it");
    assert.equal(whole.status, 201, whole.text);
    assert.equal(whole.json.sha256, hexOf(new TextEncoder().encode("all of it")));
    const key = crypto.randomUUID();
    const open = { "upload-complete": "?0", "upload-length": "10", "idempotency-key": `"${key}"` };
    const some = await gateway.send("POST", path, open, "begin");
    assert.deepEqual([some.status, some.headers.get("upload-offset")], [201, "5"]);
    assert.equal(some.headers.get("location"), `/uploads/${key}`);
    const { "idempotency-key": _, ...unnamed } = open;
    assert.equal(
      (await gateway.send("POST", path, { ...open, "upload-length": "11" })).status,
      400,
    );
    const again = await gateway.send("POST", path, open);
    assert.deepEqual([again.status, again.headers.get("upload-offset")], [201, "5"]);
    assert.notEqual(
      (await gateway.send("POST", path, unnamed)).headers.get("location"),
      `/uploads/${key}`,
    );
    assert.equal((await gateway.send("DELETE", `/uploads/${key}`)).status, 204);
    for (const method of ["HEAD", "DELETE"]) {
      assert.equal((await gateway.send(method, `/uploads/${key}`)).status, 404);
    }
    await (await inbox.as("hot")).query("SELECT * FROM omoide.sweep()");
    const { rows } = await inbox.admin.query("SELECT key FROM omoide.upload WHERE key = $1", [key]);
    assert.deepEqual(rows, []);
  }));

Deno.test("names and dates are kept as the device gave them, and listed newest first", () =>
  stage(async ({ gateway }) => {
    const names: [string, string][] = [
      ["attachment; filename*=UTF-8''%E6%80%9D%E3%81%84%E5%87%BA.jpg", "思い出.jpg"],
      ['attachment; filename="a \\"b\\".jpg"', 'a "b".jpg'],
      ["attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"],
      ["attachment; filename*=UTF-8''x%E2%80%AEgpj.exe", "xgpj.exe"],
      // Without its joiner this word is another.
      [
        "attachment; filename*=UTF-8''%D9%85%DB%8C%E2%80%8C%D8%AE.jpg",
        "\u0645\u06cc\u200c\u062e.jpg",
      ],
    ];
    for (const [disposition] of names) {
      await gateway.send("PUT", `/media/${OWNER}/${crypto.randomUUID()}/content.jpg`, {
        "content-disposition": disposition,
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
      }, disposition);
    }
    const items = (await gateway.send("GET", `/media/${OWNER}?limit=4`)).json;
    assert.deepEqual(
      items.map(({ file_name }: { file_name: string }) => file_name),
      names.slice(1).reverse().map(([, name]) => name),
    );
    assert.equal(items[0].last_modified, "1994-11-06T08:49:37.000Z");
    const rest = (await gateway.send("GET", `/media/${OWNER}?before=${items[3].seq}`)).json;
    assert.deepEqual(rest.map(({ file_name }: { file_name: string }) => file_name), ["思い出.jpg"]);
    assert.equal(rest[0].files[0].media_type, "content");
  }));

Deno.test("events show an item all the way from received to released", () =>
  stage(async ({ gateway, inbox }) => {
    const answer = await fetch(`${gateway.url}/events`, {
      headers: { cookie: `omoide=${tokenOf(OWNER)}` },
    });
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    const events = eventsOf(answer);
    const item = crypto.randomUUID();
    const put = await gateway.send("PUT", `/media/${OWNER}/${item}/content.jpg`, {}, "a picture");
    const id = String(put.json.id);
    const next = async () => {
      for (;;) {
        const { value, done } = await events.next();
        if (done) throw new Error("the events ended");
        const shown = JSON.parse(value);
        if (shown.item === item) return shown.files[0];
      }
    };
    assert.deepEqual((await next()).owed_to, ["hot", "cold"]);
    const [hot, cold] = [await inbox.as("hot"), await inbox.as("cold")];
    await acknowledge(hot, [id]);
    assert.deepEqual((await next()).stored_in, ["hot"]);
    await acknowledge(cold, [id]);
    await release(cold, [id]);
    let file = await next();
    while (file.released_at === null) file = await next();
    assert.deepEqual(file.stored_in, ["hot", "cold"]);
    await events.return(undefined);
    const watching = await fetch(`${gateway.url}/events`, {
      headers: { authorization: `Bearer ${tokenOf(OWNER)}` },
    });
    await inbox.admin.query("UPDATE omoide.token SET revoked_at = now() WHERE owner_uuid = $1", [
      OWNER,
    ]);
    // It ends by itself, and says why.
    assert.match(await watching.text(), /\nevent: revoked\ndata: \{\}\n\n$/);
  }));

Deno.test("events follow an upload that ends when 200 others have come after it", () =>
  stage(async ({ gateway, inbox }) => {
    // What acknowledge() says that it has stored.
    const content = new TextEncoder().encode("a picture");
    const item = crypto.randomUUID();
    const upload = await gateway.open(item, content.length);
    const answer = await fetch(`${gateway.url}/events`, {
      headers: { authorization: `Bearer ${tokenOf(OWNER)}` },
      signal: AbortSignal.timeout(60_000),
    });
    const events = eventsOf(answer);
    const next = async (of: string) => {
      for await (const json of { [Symbol.asyncIterator]: () => ({ next: () => events.next() }) }) {
        const shown = JSON.parse(json);
        if (shown.item === of && shown.files.length > 0) return shown.files[0];
      }
      throw new Error("the events ended");
    };
    const first = crypto.randomUUID();
    const put = (of: string) =>
      gateway.send("PUT", `/media/${OWNER}/${of}/content.txt`, {}, "a picture");
    const { json: { id } } = await put(first);
    await next(first);
    for (let others = 0; others < 205; others++) await put(crypto.randomUUID());
    const hot = await inbox.as("hot");
    await acknowledge(hot, [String(id)]);
    assert.deepEqual((await next(first)).stored_in, ["hot"]);
    const last = await gateway.patch(upload, 0, content, true);
    assert.deepEqual((await next(item)).stored_in, []);
    await acknowledge(hot, [String(last.json.id)]);
    assert.deepEqual((await next(item)).stored_in, ["hot"]);
    await events.return(undefined);
  }));

Deno.test("an event stream that is not read ends, before it fills the memory", async () => {
  let show = (_items: readonly string[]) => {};
  let isWatched = true;
  const gateway = {
    watchers: {
      watch(_owner: string, watcher: Watcher) {
        show = watcher.show;
        return () => isWatched = false;
      },
    },
    tokens: { watch: () => () => {} },
    streams: { take: () => ({ [Symbol.dispose]() {} }) },
    stop: new AbortController().signal,
  };
  const { body } = showEvents(
    gateway as unknown as Gateway,
    {
      request: new Request("http://x/events", {
        headers: { authorization: `Bearer ${tokenOf(OWNER)}` },
      }),
      url: new URL("http://x/events"),
      ownerUuid: OWNER,
      groups: {},
    },
  );
  const item = "x".repeat(100_000);
  for (let times = 0; times < 10; times++) show([item]);
  assert.ok(isWatched);
  for (let times = 0; times < 10 && isWatched; times++) show([item]);
  assert.ok(!isWatched);
  await assert.rejects(async () => await new Response(body).text(), /does not read/);
});

async function* eventsOf(answer: Response): AsyncGenerator<string> {
  let text = "";
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += piece;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [, data] = /^event: item\ndata: (.*)$/s.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (data === undefined) continue;
      for (const line of data.split("\n")) yield line;
    }
  }
}

Deno.test("a token is traded for a cookie; each owner reaches its own things only", () =>
  stage(async ({ gateway, inbox }) => {
    const item = crypto.randomUUID();
    await gateway.send("PUT", `/media/${OWNER}/${item}/content.jpg`, {}, "mine");
    const upload = await gateway.open(item, 100);
    const asOther = (method: string, path: string, headers = {}) =>
      gateway.send(method, path, headers, null, OTHER);
    for (const path of [`/media/${OWNER}`, `/media/${OWNER}/${item}`]) {
      assert.equal((await asOther("GET", path)).status, 403);
    }
    assert.equal((await asOther("PUT", `/media/${OWNER}/${item}/content.jpg`)).status, 403);
    for (const method of ["HEAD", "DELETE"]) {
      assert.equal((await asOther(method, upload)).status, 404);
    }
    // Nor by the name that its client gave it.
    const guessed = await asOther("POST", `/media/${OTHER}/${item}/content.mov`, {
      "upload-complete": "?0",
      "upload-length": "100",
      "idempotency-key": upload.replace("/uploads/", ""),
    });
    assert.equal(guessed.status, 400, guessed.text);
    assert.equal(await gateway.offset(upload), 0);

    const body = JSON.stringify({ token: tokenOf(OWNER) });
    const login = await gateway.send(
      "POST",
      "/session",
      { "x-forwarded-proto": "https" },
      body,
      null,
    );
    assert.deepEqual(login.json, { owner: OWNER });
    const [cookie, ...others] = login.headers.getSetCookie();
    assert.deepEqual(others, []);
    assert.match(
      cookie ?? "",
      /^__Host-omoide=a{43}; Path=\/; HttpOnly; SameSite=Strict; .*Secure$/,
    );
    const headers = { cookie: cookie?.split(";")[0] ?? "" };
    assert.deepEqual((await gateway.send("GET", "/session", headers, null, null)).json, {
      owner: OWNER,
    });
    // Without TLS a browser keeps only the second; with it, only the first counts.
    const plain = await gateway.send("POST", "/session", {}, body, null);
    assert.equal(plain.headers.getSetCookie().length, 2);
    const unsafe = { cookie: `omoide=${tokenOf(OWNER)}`, "x-forwarded-proto": "https" };
    assert.equal((await gateway.send("GET", "/session", unsafe, null, null)).status, 401);

    const file = `/content/${OWNER}/aa/${item}.jpg`;
    const auth = (owner: string | null, uri: string) =>
      gateway.send("GET", "/auth", { "x-original-uri": uri }, null, owner);
    assert.equal((await auth(OWNER, file)).status, 204);
    assert.equal((await auth(OTHER, file)).status, 403);
    assert.equal((await auth(null, file)).status, 401);
    for (const path of [`/content/${OTHER}/../${OWNER}/aa/${item}.jpg`, `/content/${OTHER}/`, ""]) {
      assert.equal((await auth(OTHER, path)).status, 403, path);
    }

    await inbox.admin.query("UPDATE omoide.token SET revoked_at = now() WHERE owner_uuid = $1", [
      OWNER,
    ]);
    assert.equal((await gateway.send("GET", `/media/${OWNER}`)).status, 401);
    assert.equal((await gateway.send("GET", "/session", headers, null, null)).status, 401);
  }));

Deno.test("limits are known before the first byte, and a refusal says what to do", () =>
  stage(async ({ gateway, inbox }) => {
    const limit = (settings: string) => inbox.admin.query(`UPDATE omoide.settings SET ${settings}`);
    const path = `/media/${OWNER}/${crypto.randomUUID()}/content.mov`;
    const open = (size: number) =>
      gateway.send("POST", path, { "upload-complete": "?0", "upload-length": String(size) });
    await limit("max_media_bytes = 3000000, owner_bytes_per_day = 5000000");
    const options = await gateway.send("OPTIONS", path);
    assert.match(options.headers.get("upload-limit") ?? "", /^max-size=3000000,/);
    const large = await open(3_000_001);
    assert.equal(large.status, 413);
    assert.equal(large.headers.get("content-type"), "application/problem+json");
    assert.match(large.json.detail, /the limit is 3000000 bytes/);
    await open(2_999_999);
    const day = await open(2_999_999);
    assert.equal(day.status, 429);
    assert.ok(Number(day.headers.get("retry-after")) > 0);
    await limit("owner_bytes_per_day = 50000000, owner_pending_uploads = 1");
    const many = await open(10);
    assert.deepEqual([many.status, many.json.type], [429, "urn:omoide:too-many-uploads"]);
    await limit("owner_pending_uploads = 64, max_inbox_bytes = 2000000");
    const full = await gateway.send("PUT", path, {}, bytesOf(2_000_001) as Uint8Array<ArrayBuffer>);
    assert.equal(full.status, 507, full.text);
    assert.match(full.json.detail, /What has come in is kept/);
    assert.equal((await gateway.send("PUT", path, {}, "small")).status, 201);
  }));

Deno.test("the page comes with a strict policy, and asks nobody else", () =>
  stage(async ({ gateway }) => {
    const page = await gateway.send("GET", "/", {}, null, null);
    assert.equal(page.status, 200);
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|https?:|\*/);
    const paths = [...page.text.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) =>
      path ?? ""
    );
    assert.ok(paths.length >= 5);
    for (const path of paths) {
      const file = await gateway.send("GET", path, {}, null, null);
      assert.equal(file.status, 200, path);
      assert.equal(file.headers.get("x-content-type-options"), "nosniff");
      for (const [, module] of file.text.matchAll(/from "\.(\/[\w.]+)"/g)) {
        assert.equal((await gateway.send("GET", module ?? "", {}, null, null)).status, 200, path);
      }
      // The icon's namespace is an address that nothing asks for.
      assert.doesNotMatch(
        file.text.replaceAll("http://www.w3.org/2000/svg", ""),
        /https?:\/\/(?!www\.npmjs)/,
        path,
      );
    }
    const etag = page.headers.get("etag") ?? "";
    assert.equal(
      (await gateway.send("GET", "/", { "if-none-match": etag }, null, null)).status,
      304,
    );
  }));

Deno.test("the checksum that the page ships is the package's own file", async () => {
  const path = (name: string) => new URL(`../../${name}`, import.meta.url);
  assert.equal(
    await Deno.readTextFile(path("src/gateway/page/vendor/sha256.umd.min.js")),
    await Deno.readTextFile(path("node_modules/hash-wasm/dist/sha256.umd.min.js")),
  );
});
