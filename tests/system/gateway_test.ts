/** The gateway's README, command by command, on a machine with a real systemd. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { run, until } from "../lab/command.ts";
import { baseRuntime } from "../support/denort.ts";
import { freePort } from "../../scripts/lib/free_port.ts";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const PASSWORD = "the application's";
const OWNER = "0a0a0a0a-0000-4000-8000-0000000000aa";
const runtime = await baseRuntime();

Deno.test({
  ...NEEDS_MACHINE,
  ignore: NEEDS_MACHINE.ignore || runtime === null,
  name: "the gateway's README: compiled, installed, stores what it is sent, and can write nowhere",
  async fn(t) {
    if (runtime === null) return;
    await using server = await EmbeddedPostgres.start({ auth: "scram-sha-256" });
    await using machine = await Machine.boot();
    const directory = join(machine.shared, "omoide");
    await Deno.mkdir(directory);
    await run("cp", "-r", join(PROJECT, "scripts/deploy"), directory);
    const deno = (script: string, ...args: string[]) =>
      run(
        "env",
        `DENORT_BIN=${runtime.denort}`,
        runtime.deno,
        "run",
        "-A",
        "--no-check",
        "--unstable-raw-imports",
        `${PROJECT}${script}`,
        ...args,
      );
    const database = ["--database", server.url()];
    await deno("src/admin/main.ts", "inbox", "init", ...database);
    const said = await deno(
      "src/admin/main.ts",
      "token",
      "add",
      OWNER,
      "--label",
      "x",
      ...database,
    );
    const token = said.trimEnd().split("\n").at(-1) ?? "";
    const { connectAsAdmin } = await import("../../scripts/lib/connect_as_admin.ts");
    const admin = await connectAsAdmin(server.url(), "test");
    await admin.query(`ALTER ROLE omoide_app PASSWORD '${PASSWORD.replace("'", "''")}'`);
    await admin.end();
    await Deno.writeTextFile(join(directory, "gateway.password"), `${PASSWORD}\n`);

    const readme = await Deno.readTextFile(join(PROJECT, "src/gateway/README.md"));
    const [, compile, options] = /^deno task (compile-gateway) (.*)$/m.exec(readme) ?? [];
    const [, install] = /^```sh gateway\n([\s\S]*?)^```$/m.exec(readme) ?? [];
    assert.ok(compile !== undefined && options !== undefined && install !== undefined);
    const port = freePort();
    const fitted = options.replace("127.0.0.1:8080", `127.0.0.1:${port}`)
      .replace("192.0.2.5/omoide", `127.0.0.1:${server.port}/postgres`);
    await deno(
      "scripts/compile_gateway.ts",
      ...fitted.split(" "),
      "--output",
      join(directory, "dist/omoide-gateway"),
    );
    await machine.run(
      "sh",
      "-euc",
      `cd ${directory}\n${install.replaceAll("192.0.2.5", "127.0.0.1")}`,
    );

    const path = `http://127.0.0.1:${port}/media/${OWNER}/${crypto.randomUUID()}/content.jpg`;
    const headers = { authorization: `Bearer ${token}` };
    await t.step("it stores what it is sent", async () => {
      await until("it answers", async () => {
        const { code } = await machine.try("systemctl", "is-failed", "--quiet", "omoide-gateway");
        if (code === 0) throw new Error(await machine.run("journalctl", "-u", "omoide-gateway"));
        try {
          await (await fetch(`http://127.0.0.1:${port}/`)).body?.cancel();
          return true;
        } catch {
          return false;
        }
      }, 60_000);
      const answer = await fetch(path, { method: "PUT", body: new Uint8Array(2_000_000), headers });
      assert.equal(answer.status, 201, await answer.clone().text());
      assert.equal((await answer.json()).size, 2_000_000);
    });

    await t.step(
      "its process sees no file that can be written, and not its password's",
      async () => {
        const pid =
          (await machine.run("systemctl", "show", "--value", "-p", "MainPID", "omoide-gateway"))
            .trim();
        const inside = (script: string) =>
          machine.try("nsenter", "--target", pid, "--mount", "--root", "--wd", "sh", "-c", script);
        // There is no shell in what it sees.
        assert.notEqual((await inside("true")).code, 0);
        const mounts = await machine.run("cat", `/proc/${pid}/mounts`);
        const writable = mounts.split("\n").filter((line) =>
          / rw[, ]/.test(line) && !/ (proc|sysfs|devpts|cgroup2?) /.test(line)
        ).map((line) => line.split(" ")[1]);
        assert.deepEqual(writable.filter((mount) => !mount?.startsWith("/dev")), [], mounts);
        const files = await machine.run("ls", `/proc/${pid}/root/etc`);
        assert.doesNotMatch(files, /omoide|passwd|shadow/);
      },
    );

    await t.step("it stops at once, and says nothing of the password", async () => {
      await machine.run("systemctl", "stop", "omoide-gateway");
      const log = await machine.run("journalctl", "--no-pager", "-u", "omoide-gateway");
      assert.match(log, /listening at/);
      assert.doesNotMatch(log, new RegExp(PASSWORD));
      assert.equal(
        (await machine.run("systemctl", "show", "--value", "-p", "Result", "omoide-gateway"))
          .trim(),
        "success",
      );
    });
  },
});
