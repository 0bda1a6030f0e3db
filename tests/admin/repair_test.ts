import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { keepAside, replaceName } from "../../src/storage/admin/aside.ts";
import { requireWriter } from "../../src/storage/admin/ownership.ts";
import { repairObject } from "../../src/storage/admin/repair.ts";
import { admin } from "./support/run.ts";
import { flipBit, identityOf, makeMedia, makeStorage, plant } from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-repair-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));

let pairs = 0;
function pair() {
  const inbox = randomUUID(), directory = `${parent}/${++pairs}`;
  const bad = makeStorage(directory, identityOf("hot", inbox));
  const good = makeStorage(directory, identityOf("cold", inbox));
  const media = Array.from({ length: 5 }, () => makeMedia());
  for (const root of [bad, good]) for (const each of media) plant(root, each);
  const [rotten] = media;
  assert.ok(rotten);
  flipBit(`${bad}/${rotten.object}`);
  const finding = {
    kind: "rotten" as const,
    path: rotten.object,
    detail: "",
    publicPath: rotten.path,
  };
  const record = { write: () => {} };
  return {
    bad,
    good,
    rotten,
    finding,
    repair: { root: bad, good, owner: requireWriter(bad), record },
  };
}

async function requireMended(bad: string, good: string, path: string, bytes: Uint8Array) {
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.equal((await admin(["storage", "verify", bad])).code, 0);
  assert.deepEqual(Deno.readFileSync(`${bad}/${path}`), new Uint8Array(bytes));
}

Deno.test("a repair that died before the public name passed on is finished by the next", async () => {
  const { bad, good, rotten, finding, repair } = pair();
  const record = {
    write() {
      throw new Error("died");
    },
  };
  assert.throws(() => repairObject(finding, { ...repair, record }), /died/);
  await requireMended(bad, good, rotten.path, rotten.bytes);
});

Deno.test("a repair that died before the rotten object lost its name is finished by the next", async () => {
  const { bad, good, rotten, repair } = pair();
  const made = `${rotten.object}.2`;
  Deno.writeFileSync(`${bad}/${made}`, rotten.bytes, { mode: 0o440 });
  keepAside(bad, rotten.object, repair.owner);
  replaceName(bad, rotten.path, made, Deno.lstatSync(`${bad}/${rotten.object}`).ino);
  await requireMended(bad, good, rotten.path, rotten.bytes);
});

Deno.test("a public file that changed underneath is not replaced", () => {
  const { bad, rotten, finding, repair } = pair();
  const record = {
    write() {
      Deno.removeSync(`${bad}/${rotten.path}`);
      Deno.writeTextFileSync(`${bad}/${rotten.path}`, "somebody's");
    },
  };
  assert.throws(() => repairObject(finding, { ...repair, record }), /changed underneath/);
  assert.equal(Deno.readTextFileSync(`${bad}/${rotten.path}`), "somebody's");
});

Deno.test("what is rotten in both storages is told, and left as it is", async () => {
  const { bad, good, rotten } = pair();
  flipBit(`${good}/${rotten.object}`, 9);
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 6);
  assert.match(ran.stdout, /failed: .*there is no good copy of/);
  assert.equal(Deno.lstatSync(`${bad}/${rotten.path}`).nlink, 2);
});

Deno.test("wrong modes and owners are put right", async () => {
  const { bad, good, rotten } = pair();
  Deno.chmodSync(`${bad}/${rotten.object}`, 0o644);
  Deno.chmodSync(`${bad}/.omoide/objects/00`, 0o755);
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 0, ran.stdout);
  assert.equal((await admin(["storage", "verify", bad])).code, 0);
});
