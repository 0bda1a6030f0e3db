/** The site that the project ships with its lines for TLS, in a real NGINX with a certificate of its own. */
import assert from "node:assert/strict";
import { run } from "../lab/command.ts";
import { Nginx } from "../deploy/support/nginx.ts";
import { requireTools } from "../support/require_tool.ts";
import { bytesOf, hexOf, OWNER, stage, tokenOf } from "./support/stage.ts";

Deno.test({
  ...requireTools(["nginx", "openssl"], { root: true }),
  name: "by TLS: an upload, a cookie that never goes unencrypted, a file for its owner, events",
  fn: () =>
    stage(async ({ gateway }) => {
      const directory = await Deno.makeTempDir({ prefix: "omoide-tls-" });
      const [certificate, key] = [`${directory}/certificate.pem`, `${directory}/key.pem`];
      await run(
        ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ...["-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"],
        ...["-addext", "basicConstraints=critical,CA:FALSE"],
        ...["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
      );
      const item = crypto.randomUUID();
      const path = `content/${OWNER}/${item.slice(0, 2)}/${item}.jpg`;
      const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-hot-" }));
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, "a picture");
      await run("chmod", "-R", "u=rwX,go=rX", root);
      await using nginx = await Nginx.start(
        {
          file: "omoide-gateway.conf",
          root,
          applicationPort: gateway.port,
          tls: { certificate, key },
        },
        { user: "www-data", group: "www-data" },
      );
      using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(certificate)] });
      const ask = (path: string, init: RequestInit = {}) =>
        fetch(nginx.url(path), { ...init, client });

      const page = await ask("/");
      assert.match(await page.text(), /<title>Omoide/);
      const hsts = (response: Response) => response.headers.get("strict-transport-security");
      assert.equal(hsts(page), "max-age=31536000");

      const login = await ask("/session", {
        method: "POST",
        body: JSON.stringify({ token: tokenOf(OWNER) }),
      });
      assert.deepEqual(await login.json(), { owner: OWNER });
      const cookies = login.headers.getSetCookie();
      assert.equal(cookies.length, 1);
      assert.match(cookies[0] ?? "", /^__Host-omoide=.*; Secure$/);
      const cookie = cookies[0]?.split(";")[0] ?? "";
      // The one that a page without TLS gets is nothing here.
      const plain = await ask("/session", { headers: { cookie: `omoide=${tokenOf(OWNER)}` } });
      assert.equal(plain.status, 401);
      await plain.body?.cancel();

      const content = bytesOf(2_000_000) as Uint8Array<ArrayBuffer>;
      const sent = await ask(`/media/${OWNER}/${crypto.randomUUID()}/content.mov`, {
        method: "PUT",
        headers: { cookie, origin: nginx.url("").replace(/\/$/, "") },
        body: content,
      });
      assert.equal(sent.status, 201);
      assert.equal((await sent.json()).sha256, hexOf(content));

      const file = await ask(`/${path}`, { headers: { cookie } });
      assert.deepEqual([file.status, await file.text()], [200, "a picture"]);
      assert.equal(hsts(file), "max-age=31536000");
      const nobodys = await ask(`/${path}`);
      assert.equal(nobodys.status, 401);
      assert.equal(hsts(nobodys), "max-age=31536000");
      await nobodys.body?.cancel();

      const events = await ask("/events", { headers: { cookie } });
      const reader = events.body?.getReader();
      const { value } = await reader?.read() ?? {};
      assert.match(new TextDecoder().decode(value), /^retry: 2000/);
      await reader?.cancel();
      await Deno.remove(directory, { recursive: true });
      await Deno.remove(root, { recursive: true });
    }),
});
