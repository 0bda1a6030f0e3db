/** The gateway's README shows an application in Python: here it is run, as it stands there. */
import assert from "node:assert/strict";
import { bytesOf, contentOf, hexOf, OWNER, stage } from "./support/stage.ts";

const README = new URL("../../src/gateway/README.md", import.meta.url);

/** Debian's, which has Debian's packages. */
const PYTHON = "/usr/bin/python3";

async function hasPsycopg(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(PYTHON, {
      args: ["-c", "import psycopg2"],
      stderr: "null",
    })
      .output();
    return success;
  } catch {
    return false;
  }
}

const installed = await hasPsycopg();
if (!installed) {
  if (Deno.env.get("CI") === "true") throw new Error("CI lacks python3-psycopg2");
  console.error("left out: no python3-psycopg2");
}

Deno.test({
  ignore: !installed,
  name: "the README's application in Python brings a file that the workers get whole",
  fn: () =>
    stage(async ({ inbox }) => {
      const [, script] = /^```python\n([\s\S]*?)^```$/m.exec(await Deno.readTextFile(README)) ?? [];
      assert.ok(script !== undefined);
      assert.ok(script.trim().split("\n").length <= 18, "it is no longer short");
      const directory = await Deno.makeTempDir({ prefix: "omoide-python-" });
      try {
        const content = bytesOf(600_000);
        await Deno.writeFile(`${directory}/picture.jpg`, content);
        const { success, stdout, stderr } = await new Deno.Command(PYTHON, {
          args: [
            "-c",
            script,
            inbox.pg.url(inbox.database, "omoide_app"),
            OWNER,
            `${directory}/picture.jpg`,
          ],
        }).output();
        assert.ok(success, new TextDecoder().decode(stderr));
        const { rows: [media] } = await inbox.admin.query(
          "SELECT id, item_uuid, ext, encode(sha256, 'hex') AS sha256 FROM omoide.media",
        );
        assert.equal(media.item_uuid, new TextDecoder().decode(stdout).trim());
        assert.deepEqual([media.ext, media.sha256], ["jpg", hexOf(content)]);
        assert.deepEqual(await contentOf(inbox, Number(media.id)), content);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    }),
});
