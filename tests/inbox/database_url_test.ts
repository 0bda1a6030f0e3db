/** What `--database` may be: libpq's URLs, as far as they can be used, with the fix for what cannot. */
import assert from "node:assert/strict";
import { UsageError } from "../../src/errors.ts";
import {
  parseAdminDatabaseUrl,
  parseDatabaseUrl,
  serversOf,
  showAddress,
} from "../../src/inbox/database_url.ts";
import { showHostPort } from "../../src/sandbox.ts";
import { run } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";

/** URLs and the hosts that libpq reads in them. */
const HOSTS: Record<string, string[]> = {
  "postgres://db.lan/omoide": ["db.lan:5432"],
  "postgresql://db.lan:/omoide": ["db.lan:5432"],
  "postgres://a,b,c/omoide": ["a:5432", "b:5432", "c:5432"],
  "postgres://a:1,b,c:65535/omoide": ["a:1", "b:5432", "c:65535"],
  "postgres://me@192.0.2.1:5433,192.0.2.2/omoide": ["192.0.2.1:5433", "192.0.2.2:5432"],
  "postgres://[::1],[fd00::2]:5433,db/omoide": ["[::1]:5432", "[fd00::2]:5433", "db:5432"],
  "postgres://d%62,node_1/omoide": ["db:5432", "node_1:5432"],
};

for (const [url, hosts] of Object.entries(HOSTS)) {
  Deno.test(`${url} names ${hosts.join(" and ")}`, () => {
    assert.deepEqual(parseDatabaseUrl(url, "omoide_hot").hosts.map(showHostPort), hosts);
  });
}

Deno.test("a URL with several hosts is shown as it can be given again, and is read the same", () => {
  const address = parseDatabaseUrl("postgres://me@[::1]:1,b/omoide", "");
  assert.equal(showAddress(address), "postgres://me@[::1]:1,b:5432/omoide");
  assert.deepEqual(parseDatabaseUrl(showAddress(address), ""), address);
});

Deno.test("with several hosts the first that takes writes is wanted, whoever asks", () => {
  const target = (url: string, needs?: "any") => parseDatabaseUrl(url, "me", needs).target;
  assert.equal(target("postgres://a/x"), "read-write");
  assert.equal(target("postgres://a,b/x"), "read-write");
  assert.equal(target("postgres://a/x", "any"), "any");
  assert.equal(target("postgres://a,b/x", "any"), "read-write");
  assert.equal(target("postgres://a,b/x?target_session_attrs=any", "any"), "any");
  assert.equal(target("postgres://a,b/x?target_session_attrs=primary"), "primary");
  assert.equal(parseAdminDatabaseUrl("postgres://a/x", "me").address.target, "any");
  assert.equal(parseAdminDatabaseUrl("postgres://a,b/x", "me").address.target, "read-write");
});

Deno.test("what all servers share, each server has", () => {
  const url = "postgres://me@a,b:2/x?sslmode=verify-full&target_session_attrs=primary";
  const login = { database: "x", user: "me", tls: "verify-full", target: "primary" };
  assert.deepEqual(serversOf(parseDatabaseUrl(url, "")), [
    { ...login, host: "a", port: 5432, connectMs: 2_000 },
    { ...login, host: "b", port: 2, connectMs: 2_000 },
  ]);
  assert.equal(serversOf(parseDatabaseUrl("postgres://a/x", ""))[0]?.connectMs, 10_000);
});

Deno.test("an administrator's password may have everything but what ends it", () => {
  const { address, password } = parseAdminDatabaseUrl("postgres://me:a:b%40%2F@h1,h2/x", "");
  assert.equal(password, "a:b@/");
  assert.deepEqual([address.user, address.hosts.length], ["me", 2]);
});

const PYTHON = "/usr/bin/python3", PSYCOPG = "/usr/lib/python3/dist-packages/psycopg2/__init__.py";

Deno.test({
  ...requireTools([PYTHON, PSYCOPG]),
  name: "libpq reads these URLs the same way",
  fn: async () => {
    const urls = Object.keys(HOSTS).map((url) =>
      url.replace("://", url.includes("@") ? "://" : "://me@") + "?target_session_attrs=primary"
    );
    const script = "import json, sys; from psycopg2.extensions import parse_dsn; " +
      "print(json.dumps([parse_dsn(url) for url in sys.argv[1:]]))";
    const parsed = JSON.parse(await run(PYTHON, "-c", script, ...urls)) as Record<string, string>[];
    for (const [n, url] of urls.entries()) {
      const { host = "", port = "", user, dbname, target_session_attrs } = parsed[n] ?? {};
      const ports = port.split(",");
      const address = parseDatabaseUrl(url, "");
      assert.deepEqual(
        address.hosts,
        host.split(",").map((each, at) => ({
          host: each,
          port: Number(ports[at] || "5432"),
        })),
      );
      assert.deepEqual(
        [address.user, address.database, address.target],
        [user, dbname, target_session_attrs],
      );
    }
  },
});

const REFUSED: Record<string, RegExp> = {
  "postgres://a,,b/x": /an empty host/,
  "postgres://a,/x": /an empty host/,
  "postgres://,a/x": /an empty host/,
  "postgres://:5432/x": /an empty host/,
  "postgres://a b/x": /the host "a b"/,
  "postgres://*/x": /the host "\*"/,
  "postgres://%2Fvar%2Frun/x": /the host "\/var\/run"; name hosts or addresses/,
  "postgres://a%2Cb/x": /the host "a,b"/,
  "postgres://::1/x": /IPv6 address without brackets; write \[ADDRESS\]:PORT/,
  "postgres://[::1/x": /without brackets/,
  "postgres://[not]/x": /the host "not"/,
  "postgres://a:0/x": /port at the host "a" that is none from 1 to 65535/,
  "postgres://a:70000,b/x": /port at the host "a"/,
  "postgres://a,b:http/x": /^(?!.*http)(?=.*port at the host "b")/,
  "mysql://a/x": /begins with mysql:\/\//,
  "postgres://a,b/x?target_session_attrs=any": /this program needs a server that takes writes/,
  "postgres://a,b/x?target_session_attrs=prefer-standby":
    /target_session_attrs=prefer-standby is none of any, read-write, primary/,
  "postgres://a/x?sslmode=prefer": /sslmode=prefer is none of disable, require, verify-full/,
  "postgres://a/x?host=b": /unknown parameter "host"/,
  "postgres://me:hush/hush@a/x": /^(?!.*hush).*@ \/ \? # in a name or password/,
  "postgres://me:secret@a@b/x": /^(?!.*secret).*is not a URL/,
};

for (const [url, says] of Object.entries(REFUSED)) {
  Deno.test(`${url} is refused, with the fix`, () => {
    assert.throws(() => parseDatabaseUrl(url, "omoide_hot"), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, says);
      return true;
    });
  });
}
