import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigurationError, StorageLostError } from "../../src/errors.ts";
import { exitCodeOf } from "../../src/exit_codes.ts";
import {
  formatIdentity,
  parseIdentity,
  readIdentity,
  sameIdentity,
} from "../../src/storage/identity.ts";
import { run } from "../lab/command.ts";
import { Fault } from "./support/calls.ts";
import { newIdentity, Scratch, TestStorage } from "./support/roots.ts";

const PATH = ".omoide/storage.json";

Deno.test("an identity that was written reads back the same", () => {
  const identities = fc.record({
    format: fc.constant(1 as const),
    storage: fc.stringMatching(/^[a-z][a-z0-9]{0,30}$/),
    uuid: fc.uuid(),
    inbox: fc.uuid(),
    prefixSize: fc.integer({ min: 1, max: 8 }),
  });
  const shown = fc.stringMatching(/^[\x20-\x7e]{1,40}$/);
  const at = fc.constant("2026-11-26T10:00:00.000Z");
  const mounts = fc.record(
    { type: shown, accepted: fc.record({ words: shown, at }) },
    { requiredKeys: ["type"] },
  );
  fc.assert(fc.property(identities, fc.option(mounts, { nil: undefined }), (bare, mount) => {
    const identity = { ...bare, ...(mount === undefined ? {} : { mount }) };
    const read = parseIdentity(formatIdentity(identity), "x");
    // Without fast-check's own prototypes.
    assert.deepEqual(read, JSON.parse(JSON.stringify(identity)));
    assert.ok(sameIdentity(read, bare));
  }));
});

Deno.test("identities that differ in anything are not the same", () => {
  const one = newIdentity();
  assert.ok(!sameIdentity(one, { ...one, uuid: crypto.randomUUID() }));
  assert.ok(!sameIdentity(one, { ...one, inbox: crypto.randomUUID() }));
  assert.ok(!sameIdentity(one, { ...one, storage: "cold" }));
  assert.ok(!sameIdentity(one, { ...one, prefixSize: 3 }));
});

Deno.test("an identity's every value is checked, and the error names it", () => {
  const good: Record<string, unknown> = { ...newIdentity() };
  const wrong: Record<string, readonly unknown[]> = {
    format: [undefined, 0, "1", null],
    storage: [undefined, 7, "", "Hot", "hot/..", "a".repeat(32)],
    uuid: [undefined, "x", "01234567-89AB-cdef-0123-456789abcdef"],
    inbox: [undefined, null],
    prefixSize: [undefined, 0, 9, 2.5, "2", NaN],
    mount: [
      ...[null, "ext4", {}, { type: "" }, { type: "a\n" }, { type: "x".repeat(201) }],
      ...[{ type: "nfs", accepted: null }, { type: "nfs", accepted: { words: "yes" } }],
      { type: "nfs", accepted: { words: "yes", at: "yesterday" } },
    ],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const text = JSON.stringify({ ...good, [name]: value });
      assert.throws(
        () => parseIdentity(text, "/r/storage.json"),
        (error) =>
          error instanceof ConfigurationError &&
          error.message.startsWith(`/r/storage.json: ${name} is `),
        text,
      );
    }
  }
});

Deno.test("a newer format is refused with the fix", () => {
  const text = JSON.stringify({ ...newIdentity(), format: 3 });
  assert.throws(
    () => parseIdentity(text, "x"),
    /format 3, this program knows 1 and 2; use the newer program/,
  );
});

Deno.test("text that is no identity at all is refused", () => {
  for (const text of ["", "{", "null", "[]", '"x"', "7"]) {
    assert.throws(() => parseIdentity(text, "x"), ConfigurationError, text);
  }
});

Deno.test("a root without a storage is lost, and the error says what is missing", () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  const lost = (missing: string) => (error: unknown) =>
    error instanceof StorageLostError && error.message.includes(`: ${missing} does not exist; `);
  assert.throws(() => readIdentity(root), lost(root));
  Deno.mkdirSync(root);
  assert.throws(() => readIdentity(root), lost(`${root}/.omoide`));
  Deno.mkdirSync(`${root}/.omoide`);
  assert.throws(() => readIdentity(root), lost(`${root}/${PATH}`));
});

Deno.test("an identity that is no regular file is refused, and a FIFO is not opened", async () => {
  for (
    const make of [
      (path: string) => Deno.mkdirSync(path),
      (path: string) => Deno.symlinkSync("/dev/zero", path),
      (path: string) => run("mkfifo", path).then(() => {}),
    ]
  ) {
    using storage = new TestStorage();
    Deno.removeSync(storage.at(PATH));
    await make(storage.at(PATH));
    assert.throws(() => readIdentity(storage.root), ConfigurationError);
  }
});

Deno.test("a file far too large is not read to its end", () => {
  using storage = new TestStorage();
  Deno.removeSync(storage.at(PATH));
  const text = formatIdentity(storage.identity) + " ".repeat(10_000) + "x";
  Deno.writeTextFileSync(storage.at(PATH), text);
  // Cut off after 4096 bytes, what is left would be a good identity and spaces.
  assert.throws(() => readIdentity(storage.root), ConfigurationError);
});

Deno.test("an identity that may not be read is for the administrator, and one on a bad disk is lost", () => {
  using storage = new TestStorage();
  const fault = new Fault();
  for (const [code, type] of [["EACCES", ConfigurationError], ["EIO", StorageLostError]] as const) {
    for (const name of ["lstat", "openRead", "read"] as const) {
      fault.set((call) => call.name === name && call.path.endsWith(PATH) ? code : null);
      assert.throws(() => readIdentity(storage.root, fault.calls), (error) => {
        assert.ok(error instanceof type, String(error));
        assert.equal(exitCodeOf(error), 4);
        return true;
      });
    }
  }
});
