/** What nobody means well with: paths, headers, lengths, digests, writers, slow and vanishing clients. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import {
  bearer,
  bytesOf,
  contentOf,
  digestOf,
  hexOf,
  OTHER,
  OWNER,
  stage,
  statusOn,
  tokenOf,
  writeAll,
} from "./support/stage.ts";

const ITEM = "0c0c0c0c-0000-4000-8000-0000000000cc";
const CHUNK = 262_144;

Deno.test("paths that are no file's, and methods that are none, are refused and store nothing", () =>
  stage(async ({ gateway, inbox }) => {
    const paths = [
      `/media/${OWNER}/${ITEM}/content`,
      `/media/${OWNER}/${ITEM}/content.`,
      `/media/${OWNER}/${ITEM}/content.jpg.exe`,
      `/media/${OWNER}/${ITEM}/content.j%2Fpg`,
      `/media/${OWNER}/${ITEM}/content.%00`,
      `/media/${OWNER}/${ITEM}/original.jpg`,
      `/media/${OWNER}/${ITEM}/content.${"x".repeat(17)}`,
      `/media/${OWNER}/not-a-uuid/content.jpg`,
      `/media/${OWNER}/${ITEM}%2F..%2F..%2Fx/content.jpg`,
      `/media/${OWNER}/../../etc/passwd`,
      `/media//${ITEM}/content.jpg`,
      `/content/${OWNER}/0c/${ITEM}.jpg`,
      `/uploads/${ITEM}`,
      "/%2e%2e/%2e%2e/etc/passwd",
      "//evil.example/media",
    ];
    for (const path of paths) {
      using connection = await gateway.raw(
        `PUT ${path} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Length: 1\r\n\r\nx`,
      );
      const status = await statusOn(connection) ?? 0;
      assert.ok([400, 403, 404, 405].includes(status), `${path}: ${status}`);
    }
    for (const method of ["DELETE", "PATCH", "TRACE", "constructor", "__proto__"]) {
      using connection = await gateway.raw(
        `${method} /media/${OWNER}/${ITEM}/content.jpg HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n`,
      );
      const status = await statusOn(connection);
      assert.ok([405, 400, null].includes(status), `${method}: ${status}`);
    }
    const { rows } = await inbox.admin.query("SELECT id FROM omoide.media");
    assert.deepEqual(rows, []);
  }));

Deno.test("headers that are not what they must be are named, and store nothing", () =>
  stage(async ({ gateway, inbox }) => {
    const path = `/media/${OWNER}/${ITEM}/content.mov`;
    const open = { "upload-complete": "?0", "upload-length": "100" };
    const refused: Record<string, string>[] = [
      { ...open, "upload-complete": "0" },
      { ...open, "upload-length": "-1" },
      { ...open, "upload-length": "1e3" },
      { ...open, "upload-length": "0x10" },
      { ...open, "upload-length": "99999999999999999999" },
      { ...open, "idempotency-key": "../../x" },
      { "upload-length": "100" },
    ];
    for (const headers of refused) {
      const { status, json } = await gateway.send("POST", path, headers);
      assert.deepEqual([status, typeof json.detail], [400, "string"], JSON.stringify(headers));
    }
    assert.equal((await gateway.send("POST", path, { "upload-complete": "?0" })).status, 411);
    const upload = await gateway.open(ITEM, 100);
    const patch = {
      "content-type": "application/partial-upload",
      "upload-offset": "0",
      "upload-complete": "?0",
    };
    const wrong: [Record<string, string>, number][] = [
      [{ ...patch, "content-type": "image/jpeg" }, 415],
      [{ ...patch, "upload-offset": "one" }, 400],
      [{ ...patch, "upload-length": "99" }, 400],
      [{ ...patch, "upload-offset": "1" }, 409],
      [{ ...patch, "upload-complete": "?1" }, 400],
      [{ ...patch, "content-digest": "sha-256=:AAAA:" }, 400],
      [{ ...patch, "content-digest": "nonsense" }, 400],
    ];
    for (const [headers, expected] of wrong) {
      const { status, text } = await gateway.send("PATCH", upload, headers, "0123456789");
      assert.equal(status, expected, `${JSON.stringify(headers)}: ${text}`);
    }
    assert.equal(await gateway.offset(upload), 0);
    assert.equal((await inbox.admin.query("SELECT id FROM omoide.media")).rowCount, 0);
  }));

Deno.test("tokens that are none are 401, however they come; another site's requests are 403", () =>
  stage(async ({ gateway }) => {
    const path = `/media/${OWNER}`;
    for (
      const headers of [
        {},
        { authorization: "Bearer " + "c".repeat(43) },
        { authorization: "Bearer ' OR true --" },
        { authorization: `Basic ${btoa(`x:${tokenOf(OWNER)}`)}` },
        { authorization: `Bearer ${"x".repeat(5000)}` },
        { cookie: `omoide="${tokenOf(OWNER)}"; __Host-omoide=` },
      ]
    ) {
      const { status, headers: answer } = await gateway.send("GET", path, headers, null, null);
      assert.deepEqual([status, answer.get("www-authenticate")], [401, "Bearer"]);
    }
    assert.equal(
      (await gateway.send("GET", `${path}?token=${tokenOf(OWNER)}`, {}, null, null)).status,
      401,
    );
    const foreign: Record<string, string>[] = [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { origin: "https://evil.example" },
      { origin: "null" },
    ];
    for (const headers of foreign) {
      for (const method of ["GET", "PUT"]) {
        const address = method === "GET" ? path : `${path}/${ITEM}/content.jpg`;
        const { status, headers: answer } = await gateway.send(method, address, headers);
        assert.equal(status, 403, JSON.stringify(headers));
        assert.equal(answer.get("access-control-allow-origin"), null);
      }
    }
    const login = await gateway.send(
      "POST",
      "/session",
      foreign[0],
      `{"token":"${tokenOf(OWNER)}"}`,
      null,
    );
    assert.deepEqual([login.status, login.headers.getSetCookie()], [403, []]);
    // A link to the page may be followed from anywhere.
    const link = { ...foreign[0], "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    assert.equal((await gateway.send("GET", "/", link, null, null)).status, 200);
    for (const body of ["", "[]", "null", '{"token":1}', '{"token":"x"}', "{".repeat(900)]) {
      assert.equal((await gateway.send("POST", "/session", {}, body, null)).status, 403, body);
    }
    assert.equal((await gateway.send("POST", "/session", {}, "x".repeat(2000), null)).status, 413);
  }));

Deno.test("a digest of other bytes stores nothing, small or large, whole or in parts", () =>
  stage(async ({ gateway, inbox }) => {
    for (const size of [1000, 1_500_000]) {
      const content = bytesOf(size) as Uint8Array<ArrayBuffer>;
      for (const header of ["content-digest", "repr-digest"]) {
        const path = `/media/${OWNER}/${ITEM}/content.jpg`;
        const { status } = await gateway.send(
          "PUT",
          path,
          { [header]: digestOf(bytesOf(size, 2)) },
          content,
        );
        assert.equal(status, 422);
        const upload = await gateway.open(ITEM, size);
        const sent = await gateway.patch(upload, 0, content, true, {
          [header]: digestOf(bytesOf(size, 2)),
        });
        assert.equal(sent.status, 422, sent.text);
        assert.equal((await gateway.send("HEAD", upload)).status, 404);
      }
    }
    assert.equal((await inbox.admin.query("SELECT id FROM omoide.media")).rowCount, 0);
  }));

Deno.test("lengths that lie are refused, and never make a file of other bytes", () =>
  stage(async ({ gateway, inbox }) => {
    const put = (length: string) =>
      `PUT /media/${OWNER}/${ITEM}/content.jpg HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Length: ${length}\r\n\r\n`;
    for (const [length, size] of [["1000", 500], ["2000000", 1_500_000]] as const) {
      const connection = await gateway.raw(put(length));
      await writeAll(connection, bytesOf(size));
      connection.close();
    }
    for (const length of ["-1", "1, 2", "99999999999999999999999"]) {
      using connection = await gateway.raw(put(length));
      const status = await statusOn(connection);
      assert.ok(status === null || status === 400 || status === 413, `${length}: ${status}`);
    }
    using chunked = await gateway.raw(
      `PUT /media/${OWNER}/${ITEM}/content.jpg HTTP/1.1\r\nHost: x\r\n${bearer()}Transfer-Encoding: chunked\r\n\r\n`,
    );
    assert.equal(await statusOn(chunked), 411);
    const upload = await gateway.open(ITEM, 1000);
    const more = await gateway.patch(upload, 0, bytesOf(1001), false);
    assert.equal(more.status, 400);
    const chunks = "4\r\nabcd\r\n".repeat(300);
    using lying = await gateway.raw(
      `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
        `Upload-Offset: 0\r\nUpload-Complete: ?1\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    assert.equal(await statusOn(lying), 400);
    assert.ok(await gateway.offset(upload) <= 1000);
    assert.equal((await inbox.admin.query("SELECT id FROM omoide.media")).rowCount, 0);
  }));

Deno.test("of two that write to one upload one goes on, and the file is whole", () =>
  stage(async ({ gateway, inbox }) => {
    const content = bytesOf(3_000_000);
    const upload = await gateway.open(ITEM, content.length);
    const sent = await Promise.all([0, 1, 2].map(() => gateway.patch(upload, 0, content, true)));
    const offset = await gateway.offset(upload);
    assert.ok(
      sent.every(({ status }) => [200, 201, 409, 422].includes(status)),
      `${sent.map((s) => s.text)}`,
    );
    const last = sent.find(({ status }) => status < 300) ??
      await gateway.patch(upload, offset, content.subarray(offset), true);
    assert.equal(last.json.sha256, hexOf(content));
    assert.deepEqual(await contentOf(inbox, last.json.id), content);
    assert.equal((await inbox.admin.query("SELECT id FROM omoide.media")).rowCount, 1);
  }));

Deno.test("a cut keeps what has come in, to the byte, and it goes on there", () =>
  stage(async ({ gateway, inbox }) => {
    const content = bytesOf(2_000_000);
    const upload = await gateway.open(ITEM, content.length);
    const head = (offset: number, complete: number) =>
      `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
      `Upload-Offset: ${offset}\r\nUpload-Complete: ?${complete}\r\n` +
      `Content-Length: ${content.length - offset}\r\n\r\n`;
    const connection = await gateway.raw(head(0, 1));
    await writeAll(connection, content.subarray(0, 1_234_567));
    connection.close();
    await until("what came in is stored", async () => await gateway.offset(upload) === 1_234_567);
    const last = await gateway.patch(upload, 1_234_567, content.subarray(1_234_567), true, {
      "repr-digest": digestOf(content),
    });
    assert.equal(last.status, 201, last.text);
    assert.deepEqual(await contentOf(inbox, last.json.id), content);
  }));

Deno.test("a slow client's bytes are stored as they come, and it holds no transaction", () =>
  stage(async ({ gateway, inbox }) => {
    const upload = await gateway.open(ITEM, 1_000_000);
    using connection = await gateway.raw(
      `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
        "Upload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: 1000000\r\n\r\n",
    );
    await writeAll(connection, bytesOf(1000));
    await until("they are stored", async () => await gateway.offset(upload) === 1000);
    const { rows } = await inbox.admin.query(
      "SELECT query FROM pg_stat_activity WHERE usename = 'omoide_app' AND state <> 'idle'",
    );
    assert.deepEqual(rows, []);
  }));

Deno.test("whoever keeps every place that one may have keeps nobody else out", () =>
  stage(async ({ gateway }) => {
    const held: Disposable[] = [];
    const hold = async (count: number, text: (item: string) => string) => {
      const opened = await Promise.all(
        Array.from({ length: count }, () => gateway.raw(text(crypto.randomUUID()))),
      );
      held.push(...opened);
      return opened;
    };
    // Without a token: a login that never ends, an upload of which nothing comes.
    const [login] = await hold(
      60,
      () => "POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n{",
    );
    await hold(
      450,
      (item) =>
        `PUT /media/${OWNER}/${item}/content.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n`,
    );
    // Requests whose headers never end.
    await hold(500, () => "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    // With one: uploads of which nothing comes, and event streams.
    const stalled = (item: string) =>
      `PUT /media/${OWNER}/${item}/content.jpg HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Length: 9\r\n\r\n`;
    await hold(250, stalled);
    await hold(32, () => `GET /events HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n`);
    await until("one has all it may have", async () => {
      const [one] = await hold(1, stalled);
      if (one === undefined) return false;
      await writeAll(one, bytesOf(9));
      return await statusOn(one) === 429;
    });
    await until("it has all its event streams", async () => {
      const [one] = await hold(1, () => `GET /events HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n`);
      return one !== undefined && await statusOn(one) === 429;
    });
    const path = `/media/${OTHER}/${crypto.randomUUID()}/content.jpg`;
    assert.equal((await gateway.send("PUT", path, {}, "another's", OTHER)).status, 201);
    const events = await fetch(`${gateway.url}/events`, {
      headers: { authorization: `Bearer ${tokenOf(OTHER)}` },
    });
    assert.equal(events.status, 200);
    await events.body?.cancel();
    assert.equal(login === undefined ? null : await statusOn(login), 408);
    for (const each of held) each[Symbol.dispose]();
    await until(
      "its places are free again",
      async () =>
        (await gateway.send("PUT", path.replace(OTHER, OWNER), {}, "its own")).status === 201,
    );
  }));

Deno.test("killed in the middle, the gateway that comes next goes on where it was", () =>
  stage(async ({ gateway, inbox }) => {
    const content = bytesOf(4_000_000);
    const upload = await gateway.open(ITEM, content.length);
    for (let kills = 0; kills < 3; kills++) {
      const offset = await gateway.offset(upload);
      const sending = gateway.patch(upload, offset, content.subarray(offset), false).catch(() =>
        null
      );
      await until("some of it came in", async () => {
        const { rows } = await inbox.admin.query("SELECT chunks FROM omoide.upload");
        return rows[0].chunks * CHUNK > offset ||
          rows[0].chunks * CHUNK === content.length - content.length % CHUNK;
      });
      await gateway.end("SIGKILL");
      await sending;
      await gateway.start();
    }
    const offset = await gateway.offset(upload);
    const last = await gateway.patch(upload, offset, content.subarray(offset), true, {
      "repr-digest": digestOf(content),
    });
    assert.equal(last.status, 201, last.text);
    assert.deepEqual(await contentOf(inbox, last.json.id), content);
  }));

Deno.test("asked to stop, it keeps what has come in, says so, and ends with 0", () =>
  stage(async ({ gateway }) => {
    const upload = await gateway.open(ITEM, 1_000_000);
    using connection = await gateway.raw(
      `PATCH ${upload} HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/partial-upload\r\n` +
        "Upload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: 1000000\r\n\r\n",
    );
    await writeAll(connection, bytesOf(300_000));
    await until("some of it came in", async () => await gateway.offset(upload) > 0);
    await writeAll(connection, bytesOf(100));
    const ended = gateway.end("SIGTERM");
    assert.equal(await statusOn(connection), 503);
    assert.deepEqual((await ended).code, 0);
    await gateway.start();
    assert.ok([300_000, 300_100].includes(await gateway.offset(upload)));
  }));

Deno.test("while the database is away requests are answered with 503, and it goes on when it is back", () =>
  stage(async ({ gateway, inbox }) => {
    const upload = await gateway.open(ITEM, 1000);
    await inbox.pg.kill();
    const { status, headers } = await gateway.send("HEAD", upload);
    assert.deepEqual([status, headers.get("retry-after")], [503, "5"]);
    await inbox.pg.startAgain();
    await until(
      "it answers again",
      async () => (await gateway.send("HEAD", upload)).status === 204,
    );
    assert.equal((await gateway.patch(upload, 0, bytesOf(1000), true)).status, 201);
    await inbox.admin.end().catch(() => {});
    Object.assign(inbox, { admin: await inbox.pg.connect(inbox.database) });
  }));

Deno.test("a wrong command line, a wrong password and a taken port end it with their codes", async () => {
  const launcher = new URL("../../scripts/gateway.ts", import.meta.url).pathname;
  const ends = async (args: string[]) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", launcher, ...args],
      stdin: "null",
    }).output();
    return { code, said: new TextDecoder().decode(stderr) };
  };
  const database = ["--database", "postgres://127.0.0.1:1/omoide"];
  for (
    const args of [
      database,
      ["--listen", "8080", ...database],
      ["--listen", "127.0.0.1:99999", ...database],
      ["--listen", "127.0.0.1:8080", "--database", "postgres://u:p@h/d"],
      ["--listen", "127.0.0.1:8080", ...database, "--root", "/"],
    ]
  ) {
    const { code, said } = await ends(args);
    assert.deepEqual([code, said.trim().split("\n").length], [2, 1], said);
  }
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { code, said } = await ends(["--listen", `127.0.0.1:${taken.addr.port}`, ...database]);
  assert.equal(code, 4, said);
  assert.match(said, /Cannot listen at 127\.0\.0\.1:\d+/);
  const missing = await ends([
    ...["--listen", "127.0.0.1:0"],
    ...database,
    "--password-file",
    "/nowhere",
  ]);
  assert.equal(missing.code, 4, missing.said);
});
