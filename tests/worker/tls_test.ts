/** Workers on encrypted connections to a PostgreSQL with a certificate of our own. */
import assert from "node:assert/strict";
import { type Certificates, certify } from "../../scripts/lib/certify.ts";
import { CHUNK_BYTES } from "../../src/inbox/copy/chunk_bytes.ts";
import { Random } from "../lab/random.ts";
import { Template } from "../lab/template.ts";
import { requireTools } from "../support/require_tool.ts";

const MiB = 1024 * 1024;
/** Connections of one worker. */
const CONNECTIONS = 4;

async function withTls(
  subject: string,
  body: (template: Template, certificates: Certificates) => Promise<void>,
): Promise<void> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-tls-" }));
  try {
    const certificates = await certify(directory, subject);
    const { certificate: ssl_cert_file, key: ssl_key_file } = certificates;
    await using template = await Template.make({
      settings: { ssl: "on", ssl_cert_file, ssl_key_file },
    });
    await body(template, certificates);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test({
  ...requireTools(["openssl"]),
  name: "on encrypted connections every media arrives as on others, at any speed of the disk",
  fn: async (t) => {
    await withTls("IP:127.0.0.1", async (template, { authority }) => {
      const modes = {
        "verify-full": ["--ca-file", authority],
        "require": [],
      };
      for (const [sslmode, caFile] of Object.entries(modes)) {
        await t.step(`sslmode=${sslmode}`, async () => {
          await using world = await template.world();
          const random = new Random(8);
          await world.submitMany(random, 300);
          for (const size of [0, 1, CHUNK_BYTES + 1, 5 * MiB + 7, 20 * MiB + 3]) {
            await world.submit(random.bytes(size), {
              ownerUuid: random.uuid(),
              itemUuid: random.uuid(),
            });
          }
          // One writer and small windows: reading waits for the disk again and again.
          const args = [...caFile, "--writers", "1", "--batch-bytes", "4MiB"];
          await using hot = world.start("hot", { sslmode, args });
          await using cold = world.start("cold", { sslmode, args });
          await world.drained();
          const encrypted = await world.query<{ role: string; count: string }>(
            `SELECT usename AS role, count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
             WHERE ssl AND usename IN ('omoide_hot', 'omoide_cold') GROUP BY usename ORDER BY 1`,
          );
          assert.deepEqual(encrypted, [
            { role: "omoide_cold", count: String(CONNECTIONS) },
            { role: "omoide_hot", count: String(CONNECTIONS) },
          ]);
          assert.equal((await hot.stop()).code, 0, hot.output);
          assert.equal((await cold.stop()).code, 0, cold.output);
          await world.requireInvariants({ drained: true });
        });
      }
    });
  },
});

Deno.test({
  ...requireTools(["openssl"]),
  name: "a server that cannot prove who it is gets no password, and the worker says what to do",
  fn: async (t) => {
    await withTls("DNS:db.lan", async (template, { authority }) => {
      const cases = { "another name": ["--ca-file", authority], "an unknown authority": [] };
      for (const [what, args] of Object.entries(cases)) {
        await t.step(what, async () => {
          await using world = await template.world();
          await world.submitMany(new Random(9), 2);
          const ended = await world.drainOnce("hot", { sslmode: "verify-full", args });
          assert.equal(ended.code, 4, ended.output);
          assert.match(ended.output, /Cannot trust the server at .*; see sslmode .*--ca-file/);
          assert.equal(await world.receipts("hot"), 0);
        });
      }
      await t.step("sslmode=require does not ask who it is", async () => {
        await using world = await template.world();
        const { length } = await world.submitMany(new Random(11), 2);
        const ended = await world.drainOnce("hot", { sslmode: "require" });
        assert.equal(ended.code, 0, ended.output);
        assert.equal(await world.receipts("hot"), length);
      });
    });
  },
});

Deno.test("a server without TLS is refused where TLS is asked for", async () => {
  await using template = await Template.make();
  await using world = await template.world();
  await world.submitMany(new Random(10), 2);
  const ended = await world.drainOnce("hot", { sslmode: "require" });
  assert.equal(ended.code, 4, ended.output);
  assert.match(ended.output, /does not support SSL connections; see sslmode/);
  assert.equal(await world.receipts("hot"), 0);
});
