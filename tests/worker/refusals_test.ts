import assert from "node:assert/strict";
import { join } from "node:path";
import { run } from "../lab/command.ts";
import { requireTools } from "../support/require_tool.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import type { WorkerPlan } from "../lab/worker_process.ts";

/** One thing that is wrong, and what a worker says to it. */
interface Refusal {
  readonly arrange: (world: World) => Promise<Partial<WorkerPlan> & { port?: number }>;
  readonly code: number;
  readonly says: RegExp;
}

async function fileWith(world: World, text: string): Promise<string> {
  const path = await world.temporaryFile();
  await Deno.writeTextFile(path, text);
  return path;
}

const REFUSALS: Record<string, Refusal> = {
  "a database that is not there": {
    arrange: () => Promise.resolve({ port: 1 }),
    code: 3,
    says: /Cannot reach the database at .*; see that it runs/,
  },
  "a wrong password": {
    arrange: async (world) => ({ passwordFile: await fileWith(world, "wrong") }),
    code: 4,
    says: /the password is wrong; put the role's password into the file/,
  },
  "a password file that is not there": {
    arrange: () => Promise.resolve({ passwordFile: "/nonexistent/password" }),
    code: 4,
    says: /Cannot read --password-file \/nonexistent\/password/,
  },
  "an empty password file": {
    arrange: async (world) => ({ passwordFile: await fileWith(world, "\n") }),
    code: 4,
    says: /is empty/,
  },
  "a password file that an editor gave a byte order mark": {
    arrange: async (world) => ({ passwordFile: await fileWith(world, "\ufeffsecret\n") }),
    code: 4,
    says: /--password-file .* begins with a byte order mark/,
  },
  "a password file of several lines": {
    arrange: async (world) => ({ passwordFile: await fileWith(world, "secret\n\n") }),
    code: 4,
    says: /--password-file .* has more than one line/,
  },
  "a database without an inbox": {
    arrange: (world) =>
      Promise.resolve({ database: { port: world.server.port, name: "postgres" } }),
    code: 4,
    says: /inbox init|may not connect/,
  },
  "a schema newer than the worker": {
    arrange: async (world) => {
      await world.query("UPDATE omoide.settings SET schema_version = schema_version + 1");
      return {};
    },
    code: 4,
    says: /The worker is older: install the release/,
  },
  "a schema older than the worker": {
    arrange: async (world) => {
      await world.query("UPDATE omoide.settings SET schema_version = schema_version - 1");
      return {};
    },
    code: 4,
    says: /The database is older: run `inbox init`/,
  },
  "a root that does not exist": {
    arrange: () => Promise.resolve({ root: "/nonexistent/omoide" }),
    code: 4,
    says: /There is no storage at \/nonexistent\/omoide.*storage init/,
  },
  "an empty root, as a disk that is not mounted leaves it": {
    arrange: async (world) => ({ root: await world.temporaryDirectory() }),
    code: 4,
    says: /There is no storage at .*; mount its disk, or make it with `storage init`/,
  },
  "another storage's root": {
    arrange: (world) => Promise.resolve({ root: world.root("cold") }),
    code: 4,
    says: /is the storage cold .*, not hot/,
  },
  "a storage that the inbox does not know": {
    arrange: async (world) => {
      await world.query(
        "DELETE FROM omoide.delivery; DELETE FROM omoide.storage WHERE name = 'hot'",
      );
      return {};
    },
    code: 4,
    says: /belongs to no storage of this inbox/,
  },
  "another storage's role": {
    arrange: () => Promise.resolve({ role: "omoide_cold" }),
    code: 4,
    says: /the role omoide_cold belongs to the storage cold, not to 'hot'/,
  },
  "a retired storage": {
    arrange: async (world) => {
      await world.query("UPDATE omoide.storage SET retired_at = now() WHERE name = 'hot'");
      return {};
    },
    code: 4,
    says: /was retired/,
  },
  "a distrusted storage": {
    arrange: async (world) => {
      await world.query(
        "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'EIO' WHERE name = 'hot'",
      );
      return {};
    },
    code: 5,
    says: /is distrusted since .*storage trust hot/,
  },
  "a root with another prefix size than the inbox": {
    arrange: async (world) => {
      await world.query("UPDATE omoide.storage SET prefix_size = 3 WHERE name = 'hot'");
      return {};
    },
    code: 4,
    says:
      /\(prefix size 3\) is not the one that this storage belongs to.*see --root and --database/,
  },
};

Deno.test("a worker that cannot work says why in one line, and how to fix it", async (t) => {
  await using template = await Template.make();
  const random = new Random(4);
  for (const [name, { arrange, code, says }] of Object.entries(REFUSALS)) {
    await t.step(name, async () => {
      await using world = await template.world();
      await world.submitMany(random, 2);
      const wrong = await arrange(world);
      const before = await world.trees();
      const ended = await world.drainOnce("hot", wrong);
      assert.equal(ended.code, code, ended.output);
      assert.match(ended.output, says);
      const lines = ended.output.trim().split("\n").filter((line) =>
        !line.includes("running as root")
      );
      assert.equal(lines.length, 1, ended.output);
      assert.deepEqual(await world.trees(), before);
      const checked = await world.check("hot", wrong);
      assert.equal(checked.code, code, checked.output);
      assert.match(checked.output, says);
    });
  }
});

Deno.test({
  ...requireTools(["chown", "setpriv"], { root: true }),
  name:
    "a root that the worker may not read or not write is refused with the fix, nothing is stored",
  fn: async (t) => {
    await using template = await Template.make();
    // Root without root's privileges: a user's own copy of Deno and of this project would be needed else.
    const under = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
    for (const part of [".", ".omoide/objects", "content"]) {
      await t.step(part, async () => {
        await using world = await template.world();
        await world.submitMany(new Random(5), 3);
        await run("chown", "65534:65534", join(world.root("hot"), part));
        for (
          const ended of [
            await world.drainOnce("hot", { under }),
            await world.check("hot", { under }),
          ]
        ) {
          assert.equal(ended.code, 4, ended.output);
          assert.match(ended.output, /run (this|the worker) as the user that owns/);
        }
        assert.equal(await world.receipts("hot"), 0);
        assert.deepEqual(await world.query("SELECT FROM omoide.delivery WHERE attempts > 0"), []);
      });
    }
  },
});

Deno.test("--once beside a worker that holds the storage ends with 3 and says so", async (t) => {
  await using template = await Template.make();
  await using world = await template.world();
  await using worker = world.start("hot", { args: ["--poll-interval", "3600"] });
  await world.becomes("hot", "idle");
  await t.step("on the same root, by its lock", async () => {
    const { code, output } = await world.drainOnce("hot");
    assert.equal(code, 3, output);
    assert.match(output, /Another process holds the storage at /);
  });
  await t.step("on another machine, by the inbox's", async () => {
    const copy = `${world.root("hot")}-copy`;
    await run("cp", "--archive", world.root("hot"), copy);
    const { code, output } = await world.drainOnce("hot", { root: copy });
    assert.equal(code, 3, output);
    assert.match(output, /another worker holds the storage hot\. It can be taken when/);
  });
  assert.equal((await worker.stop()).code, 0, worker.output);
});
