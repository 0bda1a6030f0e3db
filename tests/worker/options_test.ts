import assert from "node:assert/strict";
import { UsageError } from "../../src/errors.ts";
import { workerNeeds } from "../../src/sandbox.ts";
import { parseWorkerOptions } from "../../src/worker/options.ts";

const NEEDED = ["--storage", "hot", "--root", "/srv/hot", "--database", "postgres://db.lan/omoide"];

Deno.test("a worker needs a storage, a root and a database; the rest has defaults", () => {
  const { database, reserve, ...rest } = parseWorkerOptions(NEEDED);
  assert.deepEqual(database, {
    hosts: [{ host: "db.lan", port: 5432 }],
    database: "omoide",
    user: "omoide_hot",
    tls: "disable",
    target: "read-write",
  });
  assert.deepEqual(reserve, { fraction: 0.05 });
  assert.deepEqual(rest, {
    storage: "hot",
    root: "/srv/hot",
    mode: "serve",
    batchFiles: 1024,
    batchBytes: 32 * 1024 * 1024,
    writers: 64,
    pollInterval: 30,
    logFormat: "text",
    logLevel: "info",
  });
});

Deno.test("the sandbox follows from the options, files to read included", () => {
  const files = ["--password-file", "/run/secret", "--ca-file", "/etc/ca.pem"];
  assert.deepEqual(workerNeeds(parseWorkerOptions([...NEEDED, ...files])), {
    program: "The worker",
    net: [{ host: "db.lan", port: 5432 }],
    read: ["/srv/hot", "/run/secret", "/etc/ca.pem"],
    write: ["/srv/hot"],
    sys: ["statfs", "uid"],
    unchecked: [],
  });
});

Deno.test("an IPv6 database is taken without its brackets", () => {
  const args = ["--storage", "hot", "--root", "/r", "--database", "postgres://me@[::1]:5433/x"];
  const { hosts, user } = parseWorkerOptions(args).database;
  assert.deepEqual({ hosts, user }, { hosts: [{ host: "::1", port: 5433 }], user: "me" });
});

const REFUSED: Record<string, [args: string[], says: RegExp]> = {
  "no storage": [NEEDED.slice(2), /--storage NAME is missing/],
  "no root": [[...NEEDED.slice(0, 2), ...NEEDED.slice(4)], /--root DIR is missing/],
  "no database": [NEEDED.slice(0, 4), /--database URL is missing/],
  "a relative root": [replaced("/srv/hot", "srv/hot"), /must be absolute/],
  "the whole file system as root": [replaced("/srv/hot", "/"), /whole file system/],
  "a root with a comma": [replaced("/srv/hot", "/srv/a,b"), /comma/],
  "a root with ..": [replaced("/srv/hot", "/srv/../hot"), /empty part, \. or \.\./],
  "a storage's name in capitals": [replaced("hot", "Hot"), /lower-case letter/],
  "a database without a host": [replaced(NEEDED[5], "postgres:///omoide"), /names no host/],
  "a database without a name": [replaced(NEEDED[5], "postgres://db.lan"), /names no database/],
  "a database that is no URL": [replaced(NEEDED[5], "db.lan"), /is not a URL/],
  "a percent sign in the database": [
    replaced(NEEDED[5], "postgres://db.lan/om%oide"),
    /% in its database "om%oide".*%25/,
  ],
  "a percent sign at the end": [replaced(NEEDED[5], "postgres://db.lan/100%"), /database "100%"/],
  "a percent sign in the user": [replaced(NEEDED[5], "postgres://a%o@db.lan/x"), /user "a%o"/],
  "a percent sign in the host": [replaced(NEEDED[5], "postgres://d%zz/x"), /host "d%zz"/],
  "a percent sign in a password": [
    replaced(NEEDED[5], "postgres://me:secret%zz@db.lan/x"),
    /^(?!.*secret).*% in its password that/,
  ],
  "a password in the URL": [replaced(NEEDED[5], "postgres://u:p@db/x"), /--password-file FILE/],
  "an unknown parameter in the URL": [
    replaced(NEEDED[5], "postgres://db/x?ssl=1"),
    /unknown parameter/,
  ],
  "a second root": [[...NEEDED, "--root", "/etc"], /given twice/],
  "a second database": [[...NEEDED, "--database", "postgres://evil/x"], /given twice/],
  "--once with --check": [[...NEEDED, "--once", "--check"], /exclude each other/],
  "an unknown option": [[...NEEDED, "--delete"], /unknown option '--delete'/],
  "a word too many": [[...NEEDED, "now"], /too many arguments/],
  "no writers": [[...NEEDED, "--writers", "0"], /from 1 to 512/],
  "half a file": [[...NEEDED, "--batch-files", "1.5"], /whole number/],
  "a batch in elephants": [[...NEEDED, "--batch-bytes", "32 elephants"], /takes a size/],
  "a reserve of everything": [[...NEEDED, "--reserve", "100%"], /below 100%/],
  "an unknown log level": [[...NEEDED, "--log-level", "loud"], /one of debug/],
};

function replaced(old: string | undefined, value: string): string[] {
  return NEEDED.map((each) => each === old ? value : each);
}

Deno.test("what a worker cannot go by is refused, with the fix", async (t) => {
  for (const [name, [args, says]] of Object.entries(REFUSED)) {
    await t.step(name, () => {
      assert.throws(() => parseWorkerOptions(args), (error) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, says);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    });
  }
});
