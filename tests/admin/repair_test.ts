import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { GuardedTree } from "../../src/storage/admin/guarded_tree.ts";
import { LocalSource } from "../../src/storage/admin/source.ts";
import { readIdentity } from "../../src/storage/identity.ts";
import { quarantine, replaceName } from "../../src/storage/admin/quarantine.ts";
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
  const [corrupt] = media;
  assert.ok(corrupt);
  flipBit(`${bad}/${corrupt.object}`);
  const finding = {
    kind: "corrupt" as const,
    path: corrupt.object,
    detail: "",
    publicPath: corrupt.path,
  };
  const auditLog = { write: () => {} };
  return {
    bad,
    good,
    corrupt,
    finding,
    repair: {
      tree: new GuardedTree(bad, 1),
      good: new LocalSource(good, readIdentity(good)),
      owner: requireWriter(bad),
      auditLog,
    },
  };
}

async function requireMended(bad: string, good: string, path: string, bytes: Uint8Array) {
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  assert.equal((await admin(["storage", "verify", bad])).code, 0);
  assert.deepEqual(Deno.readFileSync(`${bad}/${path}`), new Uint8Array(bytes));
}

Deno.test("a repair that died before the public name passed on is finished by the next", async () => {
  const { bad, good, corrupt, finding, repair } = pair();
  const auditLog = {
    write() {
      throw new Error("died");
    },
  };
  await assert.rejects(() => repairObject(finding, { ...repair, auditLog }), /died/);
  await requireMended(bad, good, corrupt.path, corrupt.bytes);
});

Deno.test("a repair that died before the corrupt object lost its name is finished by the next", async () => {
  const { bad, good, corrupt, repair } = pair();
  const made = `${corrupt.object}.2`;
  Deno.writeFileSync(`${bad}/${made}`, corrupt.bytes, { mode: 0o440 });
  quarantine(repair.tree, corrupt.object, repair.owner);
  replaceName(repair.tree, corrupt.path, made, Deno.lstatSync(`${bad}/${corrupt.object}`));
  await requireMended(bad, good, corrupt.path, corrupt.bytes);
});

Deno.test("a public file that changed underneath is not replaced", async () => {
  const { bad, corrupt, finding, repair } = pair();
  const auditLog = {
    write() {
      Deno.removeSync(`${bad}/${corrupt.path}`);
      Deno.writeTextFileSync(`${bad}/${corrupt.path}`, "somebody's");
    },
  };
  await assert.rejects(
    () => repairObject(finding, { ...repair, auditLog }),
    /changed underneath/,
  );
  assert.equal(Deno.readTextFileSync(`${bad}/${corrupt.path}`), "somebody's");
});

Deno.test("what is corrupt in both storages is reported, and left as it is", async () => {
  const { bad, good, corrupt } = pair();
  flipBit(`${good}/${corrupt.object}`, 9);
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 6);
  assert.match(ran.stdout, /failed: .*there is no good copy of/);
  assert.equal(Deno.lstatSync(`${bad}/${corrupt.path}`).nlink, 2);
});

Deno.test("wrong modes and owners are put right", async () => {
  const { bad, good, corrupt } = pair();
  Deno.chmodSync(`${bad}/${corrupt.object}`, 0o644);
  Deno.chmodSync(`${bad}/.omoide/objects/00`, 0o755);
  const ran = await admin(["storage", "repair", bad, "--from", good]);
  assert.equal(ran.code, 0, ran.stdout);
  assert.equal((await admin(["storage", "verify", bad])).code, 0);
});
