import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";
import { Nginx, type Site } from "./support/nginx.ts";

/** The worker's user and group; NGINX is another user of that group. */
const WORKER = "nobody:nogroup";
const READER = { user: "www-data", group: "nogroup" };
const UUID = "11111111-2222-4333-8444-555555555555";
const PICTURE = new Uint8Array(100_000).map((_, i) => i * i);

const NEEDS = requireTools(["nginx", "setpriv", "chown"], { root: true });

/** A storage into which a real worker has put a picture, NGINX before it, and an application behind. */
async function stage(
  use: (stage: Stage) => Promise<void>,
  more: Partial<Site> = {},
): Promise<void> {
  await using template = await Template.make({ storages: ["hot"] });
  await using world = await template.world();
  const ownerUuid = UUID;
  const itemUuid = new Random(1).uuid();
  const name = `/content/${ownerUuid}/${itemUuid.slice(0, 2)}/${itemUuid}`;
  for (const bytes of [PICTURE, new TextEncoder().encode("other bytes")]) {
    await world.submit(bytes, { ownerUuid, itemUuid, ext: "jpg" });
  }
  await world.submit(new TextEncoder().encode("<script>"), { ownerUuid, itemUuid, ext: "html" });
  await world.drainAll();
  // As root, since not everybody can enter the place where a Deno may lie; the modes are the worker's.
  await run("chown", "-R", WORKER, world.root("hot"));
  const requests: string[] = [];
  await using application = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const { byteLength } = await request.arrayBuffer();
      const asked = request.headers.get("x-original-uri");
      requests.push(
        `${request.method} ${pathname} ${byteLength}${asked === null ? "" : ` ${asked}`}`,
      );
      if (pathname === "/signed-in") {
        return new Response(null, { status: request.headers.has("cookie") ? 204 : 401 });
      }
      const redirect = pathname === "/broken" ? { "X-Accel-Redirect": `${name}.jpg` } : {};
      return new Response("the application", { headers: redirect });
    },
  );
  const site = { root: world.root("hot"), applicationPort: application.addr.port, ...more };
  await using nginx = await Nginx.start(site, READER);
  await use({ world, nginx, name, requests });
}

interface Stage {
  readonly world: World;
  readonly nginx: Nginx;
  /** The public path of the picture, without its extension. */
  readonly name: string;
  /** What the application has been asked. */
  readonly requests: string[];
}

Deno.test({
  ...NEEDS,
  name: "NGINX serves what has landed in the hot storage, and nothing else",
  fn: (t) =>
    stage(async ({ world, nginx, name, requests }) => {
      const root = world.root("hot");

      await t.step("a picture is fetched whole, to be kept for good", async () => {
        const answer = await fetch(nginx.url(`${name}.jpg`));
        assert.equal(answer.status, 200);
        assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), PICTURE);
        assert.equal(answer.headers.get("content-type"), "image/jpeg");
        const caching = "private, max-age=31536000, immutable";
        assert.equal(answer.headers.get("cache-control"), caching);
        const headers = { "if-none-match": answer.headers.get("etag") ?? "" };
        const again = await fetch(nginx.url(`${name}.jpg`), { headers });
        assert.equal(again.status, 304);
        await again.body?.cancel();
      });

      await t.step("and by range", async () => {
        const headers = { range: "bytes=1000-1999" };
        const answer = await fetch(nginx.url(`${name}.jpg`), { headers });
        assert.equal(answer.status, 206);
        assert.equal(answer.headers.get("content-range"), "bytes 1000-1999/100000");
        assert.deepEqual(new Uint8Array(await answer.arrayBuffer()), PICTURE.slice(1000, 2000));
      });

      await t.step("other bytes under the same name have an address of their own", async () => {
        const other = world.expected.media[1];
        const answer = await fetch(nginx.url(`${name}~${other?.sha256}.jpg`));
        assert.equal(await answer.text(), "other bytes");
      });

      await t.step("an uploaded page is not run as one", async () => {
        const answer = await fetch(nginx.url(`${name}.html`));
        await answer.body?.cancel();
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("content-type"), "application/octet-stream");
        assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
        assert.match(answer.headers.get("content-security-policy") ?? "", /^sandbox/);
      });

      await plantTraps(root);
      const object = world.expected.media[0];
      const inside = `.omoide/objects/${
        object?.sha256.slice(0, 2)
      }/${object?.sha256}-${object?.id}`;
      const attacks: Record<string, string> = {
        "the identity": "/.omoide/storage.json",
        "an object": `/${inside}`,
        "an object by ..": `/content/../${inside}`,
        "an object by encoded dots": `/content/%2e%2e/${inside}`,
        "an object by encoded slashes": `/content%2f..%2f${inside}`,
        "an object by double encoding": `/content/%252e%252e/${inside}`,
        "an object by a doubled slash": `//.omoide//storage.json`,
        "the dotfile of an owner": `/content/${UUID}/.secret`,
        "the system's users": "/content/../../../../etc/passwd",
        "the system's users, further on": `${name}.jpg/../../../../../../../etc/passwd`,
        "the system's users, encoded": "/content/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
        "an unknown owner": name.replace(UUID, UUID.replaceAll("1", "9")) + ".jpg",
        "an unknown item": `/content/${UUID}/11/${UUID}.jpg`,
        "a list of owners": "/content/",
        "a list of items": `/content/${UUID}/`,
        "a list of files": `/content/${UUID}/${name.split("/")[3]}/`,
        "a stray file": `/content/${UUID}/notes.txt`,
        "a name in capitals": `${name.toUpperCase()}.jpg`.replace("/CONTENT", "/content"),
        "a name with more behind it": `${name}.jpg/`,
        "a name with a null byte's escape": `${name}.jpg%00.txt`,
        "a symbolic link": `/content/${UUID}/aa/${UUID}.jpg`,
        "a file in a linked directory": `/content/${UUID}/bb/${UUID}.jpg`,
        "a directory with a picture's name": `/content/${UUID}/cc/${UUID}.jpg`,
      };
      for (const [what, path] of Object.entries(attacks)) {
        await t.step(`not served: ${what}`, async () => {
          const { status, body } = await nginx.raw(path);
          // 400 where NGINX itself does not take it for a path.
          assert.ok([400, 404].includes(status), `${status} ${body}`);
          assert.doesNotMatch(body, /root:|"uuid"|secret|Index of/);
        });
      }

      for (
        const method of ["PUT", "DELETE", "POST", "PATCH", "MKCOL", "MOVE", "COPY", "PROPFIND"]
      ) {
        await t.step(`refused: ${method} of a stored file`, async () => {
          const headers = `Destination: /content/x\r\nContent-Length: 0\r\n`;
          const { status } = await nginx.raw(`${name}.jpg`, method, headers);
          assert.ok([403, 405].includes(status), `${status}`);
        });
      }
      assert.deepEqual(requests, [], "some of it reached the application");

      await t.step("a broken application cannot have a file served in its name", async () => {
        const { body } = await nginx.raw("/broken");
        assert.match(body, /the application/);
      });

      await t.step("NGINX's user reads by its group, and can write nowhere", async () => {
        const script = `cat "${root}${name}.jpg" >/dev/null || exit 1
          for each in "${root}" "${root}/content" "${root}/content/${UUID}"; do
            ! touch "$each/new" 2>/dev/null || exit 2
          done
          ! dd if=/dev/null of="${root}${name}.jpg" 2>/dev/null || exit 3
          ! cat "${root}/.omoide/storage.json" 2>/dev/null || exit 4`;
        const { code } = await new Deno.Command("setpriv", {
          args: [
            ...["--reuid", READER.user, "--regid", READER.group, "--clear-groups"],
            ...["sh", "-c", script],
          ],
        }).output();
        assert.equal(code, 0);
      });
    }),
});

Deno.test({
  ...NEEDS,
  name: "the application hears of an upload only when NGINX has all of it",
  fn: () =>
    stage(async ({ nginx, requests }) => {
      const body = new Uint8Array(3_000_000);
      using slow = await Deno.connect({ hostname: "127.0.0.1", port: nginx.port });
      const head = `POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
      await writeAll(slow, new TextEncoder().encode(head));
      await writeAll(slow, body.subarray(0, 2_000_000));
      // Another request, from its sending to its answer, while the upload hangs.
      assert.equal((await nginx.raw("/other")).status, 200);
      assert.deepEqual(requests, ["GET /other 0"]);
      await writeAll(slow, body.subarray(2_000_000));
      const answer = new Uint8Array(1000);
      const length = await slow.read(answer) ?? 0;
      assert.match(new TextDecoder().decode(answer.subarray(0, length)), /^HTTP\/1\.1 200/);
      assert.deepEqual(requests, ["GET /other 0", "POST /upload 3000000"]);
    }),
});

Deno.test({
  ...NEEDS,
  name: "one address has 8 uploads at once, and large bodies are for uploads alone",
  fn: () =>
    stage(async ({ nginx, requests }) => {
      const begin = async () => {
        const upload = await Deno.connect({ hostname: "127.0.0.1", port: nginx.port });
        const head = "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000000\r\n\r\n";
        await writeAll(upload, new TextEncoder().encode(head + "some of it"));
        return upload;
      };
      const uploads = [];
      try {
        for (let i = 0; i < 8; i++) uploads.push(await begin());
        // Each has to be under way before the next one counts: NGINX answers them in turn.
        assert.equal((await nginx.raw("/other")).status, 200);
        uploads.push(await begin());
        assert.match(await firstLine(uploads[8]), /^HTTP\/1\.1 429 /);
      } finally {
        for (const upload of uploads) upload.close();
      }
      const large = "Content-Length: 2000000\r\n";
      assert.equal((await nginx.raw("/other", "POST", large)).status, 413);
      assert.deepEqual(requests, ["GET /other 0"]);
    }),
});

Deno.test({
  ...NEEDS,
  name: "whoever is not signed in leaves no body and reads no file, where NGINX asks",
  fn: () =>
    stage(async ({ nginx, name, requests }) => {
      const body = "Content-Length: 4000000000\r\n";
      assert.equal((await nginx.raw("/upload", "POST", body)).status, 401);
      assert.equal((await nginx.raw(`${name}.jpg`)).status, 401);
      assert.equal((await nginx.raw("/signed-in")).status, 404);
      const signedIn = "Cookie: session=mine\r\n";
      assert.equal((await nginx.raw(`${name}.jpg`, "GET", signedIn)).status, 200);
      assert.deepEqual(requests, [
        "GET /signed-in 0 /upload",
        `GET /signed-in 0 ${name}.jpg`,
        `GET /signed-in 0 ${name}.jpg`,
      ]);
    }, { asksWho: true }),
});

async function firstLine(connection: Deno.TcpConn | undefined): Promise<string> {
  const answer = new Uint8Array(1000);
  const length = await connection?.read(answer) ?? 0;
  return new TextDecoder().decode(answer.subarray(0, length));
}

/** What an administrator's slip, or a bug, could leave in the storage. */
async function plantTraps(root: string): Promise<void> {
  const owner = join(root, "content", UUID);
  await Deno.writeTextFile(join(owner, ".secret"), "secret");
  await Deno.writeTextFile(join(owner, "notes.txt"), "secret");
  const beside = await Deno.makeTempDir({ dir: join(root, "..") });
  await Deno.chmod(beside, 0o755);
  await Deno.writeTextFile(join(beside, `${UUID}.jpg`), "secret");
  await Deno.mkdir(join(owner, "aa"));
  await Deno.symlink("/etc/passwd", join(owner, "aa", `${UUID}.jpg`));
  await Deno.symlink(beside, join(owner, "bb"));
  await Deno.mkdir(join(owner, "cc", `${UUID}.jpg`), { recursive: true });
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
