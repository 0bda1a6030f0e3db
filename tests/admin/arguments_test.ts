/** What administrators type: times, UUIDs, passwords. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { parseUtc } from "../../src/units.ts";
import { startPostgres } from "../support/postgres.ts";
import { admin } from "./support/run.ts";
import { identityOf, makeMedia, makeStorage, plant } from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-arguments-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));

Deno.test("a time without a zone is UTC, and one that does not exist is none", () => {
  const noon = Date.UTC(2026, 1, 28, 12) / 1000;
  for (
    const text of [
      "2026-02-28T12:00",
      "2026-02-28 12:00:00",
      "2026-02-28T12:00:00.000Z",
      "2026-02-28T13:30+01:30",
      "2026-02-28T07:00:00-05:00",
    ]
  ) assert.equal(parseUtc(text), noon, text);
  assert.equal(parseUtc("2026-02-28"), noon - 12 * 3600);
  assert.equal(parseUtc("2024-02-29T00:00Z"), Date.UTC(2024, 1, 29) / 1000);
  for (
    const text of [
      ...["2026-02-30", "2026-02-29", "2026-13-01", "2026-00-10", "2026-11-22T24:00"],
      ...["2026-11-22T08:60", "2026-11-22T08:00:60", "2026-11-22T08", "2026-11", "22.11.2026"],
      ...["2026-11-22T08:00+15:00", "2026-11-22 yesterday", "2026-11-22T08:00 PST", ""],
    ]
  ) assert.equal(parseUtc(text), null, text);
});

Deno.test("what --since and --until mean is the same in every zone of the world", async () => {
  const root = makeStorage(parent, identityOf("zones", randomUUID()));
  for (const hour of ["07", "08", "09"]) {
    const { object } = plant(root, makeMedia());
    const time = new Date(`2026-11-22T${hour}:00:00Z`);
    Deno.utimeSync(`${root}/${object}`, time, time);
  }
  const args = ["--since", "2026-11-22T08:00", "--until", "2026-11-22 09:00"];
  for (const TZ of ["UTC", "Asia/Tokyo", "America/Los_Angeles"]) {
    const { code, stdout, stderr } = await admin(["storage", "manifest", root, ...args], { TZ });
    assert.equal(code, 0, stderr);
    const listed = stdout.split("\n").filter((line) => /^[0-9a-f]/.test(line));
    assert.deepEqual(listed.map((line) => line.split("\t")[3]), ["2026-11-22T08:00:00Z"], TZ);
  }
  const refused = await admin(["storage", "manifest", root, "--until", "2026-02-30"]);
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /--until <time>' argument '2026-02-30' is invalid. It takes a time such as .*UTC without a zone/,
  );
});

Deno.test("a UUID in capitals is that UUID", async () => {
  const root = makeStorage(parent, identityOf("capitals", randomUUID()));
  const mine = plant(root, makeMedia());
  plant(root, makeMedia());
  const given = mine.ownerUuid.toUpperCase();
  const { code, stdout } = await admin(["storage", "manifest", root, "--owner", given]);
  assert.equal(code, 0);
  assert.deepEqual(
    stdout.trim().split("\n").slice(2).map((line) => line.split("\t")[4]),
    [mine.path],
  );
  const other = await admin(["storage", "manifest", root, "--owner", "mine"]);
  assert.match(other.stderr, /--owner <uuid>' argument 'mine' is invalid. It takes a UUID/);
});

Deno.test("whoever lacks a password, or has a wrong one, hears where this program takes it from", async () => {
  await using postgres = await startPostgres({ auth: "scram-sha-256" });
  const url = (user: string) => `postgres://${user}@127.0.0.1:${postgres.port}/postgres`;
  for (const user of ["postgres", "postgres:wrong"]) {
    const { code, stderr } = await admin(["inbox", "status", "--database", url(user)], {
      PGPASSWORD: "",
    });
    assert.equal(code, 4);
    assert.match(stderr, /password.*into --database or PGPASSWORD\n$/);
    assert.doesNotMatch(stderr, /--password-file/);
  }
});
