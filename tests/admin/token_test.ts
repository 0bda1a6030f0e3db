import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { sharedTemplate } from "../lab/template.ts";
import { admin, adminJson } from "./support/run.ts";

const template = sharedTemplate();
const OWNER = "6f1c1c0e-9a5b-4f0e-8d3a-0c2f5a7b9e11";

Deno.test("a token is shown once, alone on the last line, and the inbox keeps its SHA-256 only", async (t) => {
  await using world = await template().world();
  const database = ["--database", world.server.url(world.database)];
  const ownerOf = async (token: string) => {
    const sha256 = createHash("sha256").update(token).digest("hex");
    const rows = await world.query<{ owner: string | null }>(
      `SELECT omoide.owner_of_token(decode('${sha256}', 'hex')) AS owner`,
    );
    return rows[0]?.owner ?? null;
  };
  const made = await admin(["token", "add", OWNER.toUpperCase(), "--label", "phone", ...database]);
  const token = made.stdout.trimEnd().split("\n").at(-1) ?? "";
  await t.step("add", async () => {
    assert.equal(made.code, 0, made.stderr);
    assert.match(token, /^[\w-]{43}$/);
    assert.equal(await ownerOf(token), OWNER);
    const kept = await world.query("SELECT * FROM omoide.token");
    assert.ok(!JSON.stringify(kept).includes(token));
  });
  await t.step("add --json has it as .token", async () => {
    const { result } = await adminJson<{ token: string; id: number }>(
      ["token", "add", OWNER, "--label", "\x1b[2Jevil", "--days", "1", ...database],
    );
    assert.equal(await ownerOf(result.token), OWNER);
    assert.equal(result.id, 2);
  });
  await t.step("list, which shows no token, and no terminal's orders", async () => {
    const { stdout } = await admin(["token", "list", "--owner", OWNER, ...database]);
    assert.match(stdout, /^1: owner 6f1c.* phone, .*valid until it is revoked$/m);
    assert.match(stdout, /^2: .*\\x1b\[2Jevil.*valid until 20/m);
    assert.ok(!stdout.includes(token) && !stdout.includes("\x1b"));
  });
  await t.step("revoke, twice if need be", async () => {
    for (let i = 0; i < 2; i++) {
      assert.equal((await admin(["token", "revoke", "1", ...database])).code, 0);
    }
    assert.equal(await ownerOf(token), null);
    const missing = await admin(["token", "revoke", "99", ...database]);
    assert.equal(missing.code, 4);
    assert.match(missing.stderr, /There is no token 99; `token list` shows them/);
  });
  await t.step("what is no owner, label or time is refused", async () => {
    const nil = "00000000-0000-0000-0000-000000000000";
    for (
      const args of [
        ["nobody", "--label", "x"],
        [nil, "--label", "x"],
        [OWNER, "--label", " "],
        [OWNER],
        [OWNER, "--label", "x", "--days", "0"],
      ]
    ) {
      const { code, stdout } = await admin(["token", "add", ...args, ...database]);
      assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    }
  });
});
