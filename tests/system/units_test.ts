import assert from "node:assert/strict";
import { baseRuntime } from "../support/denort.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import { until } from "../lab/command.ts";
import type { World } from "../lab/world.ts";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";
import {
  compileInto,
  copyDeployment,
  DATABASE_NAME,
  databaseHost,
  install,
  mountRoot,
  rootInside,
  rootOutside,
} from "./support/service.ts";

const STORAGES = ["hot", "cold"];
const SOON = "[Service]\nRestartSec=300ms\n";
/** Which side is behind after half of an upgrade, and what the worker then says. */
const MISMATCHES = [
  ["newer", 1, /The worker is older: install the release/],
  ["older", -1, /The database is older: run `inbox init`/],
] as const;
const runtime = await baseRuntime();
const template = sharedTemplate();

Deno.test({
  ...NEEDS_MACHINE,
  ignore: NEEDS_MACHINE.ignore || runtime === null,
  name:
    "two workers are installed on a machine, drain a real inbox, survive a kill and stop cleanly",
  async fn(t) {
    await using machine = await Machine.boot();
    const places = STORAGES.map((name) => [name, rootOutside(machine, name)]);
    await using world = await template().world(Object.fromEntries(places));
    await copyDeployment(machine);
    await machine.write("/opt/password", "secret\n", 0o600);
    await machine.run("sh", "-c", `echo "127.0.0.1 ${DATABASE_NAME}" >>/etc/hosts`);
    // Only so that nobody waits for it.
    await machine.write("/etc/systemd/system/omoide-worker@.service.d/soon.conf", SOON);
    const random = new Random(4);
    for (const name of STORAGES) await compileInto(machine, runtime, world, name);

    await t.step("install.sh says what is missing while the disk is not mounted", async () => {
      await machine.run("mkdir", "-p", rootInside("hot"));
      const { code, stdout, stderr } = await installWorker(machine, "hot");
      assert.equal(code, 4, stderr);
      assert.match(stdout, /FAIL\s+identity: .*no storage/);
      assert.match(stderr, /not ready yet: fix what the lines above name/);
      assert.notEqual(await machine.property("omoide-worker@hot", "ActiveState"), "active");
      await machine.run("rmdir", rootInside("hot"));
    });

    for (const name of STORAGES) {
      await t.step(`install.sh puts ${name} into service and ends with its check`, async () => {
        await mountRoot(machine, name);
        const { code, stdout, stderr } = await installWorker(machine, name);
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, new RegExp(`The worker of ${name} will run\\.`));
        await world.becomes(name, "idle");
      });
    }

    await t.step("both drain", async () => {
      await world.submitMany(random, 60);
      await world.drained();
      await world.requireInvariants({ drained: true });
    });

    await t.step(
      "what they store belongs to their users, and no one else can read it",
      async () => {
        for (const name of STORAGES) {
          const listed = await machine.run(
            ...["find", rootInside(name), "-type", "f", "-printf", "%U:%G %m\n"] as const,
          );
          const user = (await machine.run("id", "-u", `omoide-${name}`)).trim();
          const group = (await machine.run("id", "-g", `omoide-${name}`)).trim();
          const kinds = new Set(listed.trim().split("\n"));
          assert.ok(kinds.delete(`${user}:${group} 440`));
          // What `--check` leaves to see whether a directory's mode is kept.
          kinds.delete(`${user}:${group} 750`);
          for (const kind of kinds) assert.match(kind, new RegExp(`^${user}:${group} [46][04]0$`));
        }
      },
    );

    await t.step("their log is JSON, line by line, in the journal", async () => {
      const pid = await machine.property("omoide-worker@hot", "MainPID");
      const lines = (await machine.journal("omoide-worker@hot")).filter(({ _PID }) => _PID === pid);
      assert.ok(lines.length > 0);
      for (const { MESSAGE } of lines) assert.equal(typeof JSON.parse(MESSAGE), "object", MESSAGE);
    });

    await t.step("a worker that is sent SIGHUP goes on", async () => {
      const pid = await machine.property("omoide-worker@hot", "MainPID");
      await machine.run("systemctl", "kill", "--signal=HUP", "omoide-worker@hot");
      await world.submitMany(random, 5);
      await world.drained();
      assert.equal(await machine.property("omoide-worker@hot", "MainPID"), pid);
    });

    await t.step("a killed worker is back by itself and goes on", async () => {
      await killWorker(machine, "hot");
      await world.submitMany(random, 20);
      await world.drained();
    });

    await t.step(
      "a worker that is stopped in the middle of work finishes what is open",
      async () => {
        await machine.unit("stop", "omoide-worker@hot");
        const before = await world.receipts("hot");
        await world.submitMany(random, 400);
        await machine.unit("start", "omoide-worker@hot");
        await until("hot is at work", async () => await world.receipts("hot") > before);
        await machine.unit("stop", "omoide-worker@hot");
        assert.equal(await machine.property("omoide-worker@hot", "Result"), "success");
        assert.equal(await machine.property("omoide-worker@hot", "ExecMainStatus"), "0");
        assert.equal((await world.state("hot")).state, "stopped");
        await world.requireInvariants({ drained: false });
        await machine.unit("start", "omoide-worker@hot");
        await world.drained();
      },
    );

    for (const [is, by, fix] of MISMATCHES) {
      await t.step(`a schema that is ${is} is told, and tried until it fits`, async () => {
        const fitting = await setSchemaVersion(world, (version) => version + by);
        await killWorker(machine, "hot", { andReturns: false });
        await machine.logged("omoide-worker@hot", ({ MESSAGE }) => fix.test(MESSAGE));
        await until(
          "it has ended with the code for an administrator",
          async () => await machine.property("omoide-worker@hot", "ExecMainStatus") === "4",
        );
        await setSchemaVersion(world, () => fitting);
        await world.submitMany(random, 5);
        await world.drained();
      });
    }

    await t.step(
      "a distrusted worker is not started again, and stands among the failed",
      async () => {
        await world.query(
          "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'tried' WHERE name = 'cold'",
        );
        await killWorker(machine, "cold", { andReturns: false });
        await until(
          "the unit has failed",
          async () => await machine.property("omoide-worker@cold", "ActiveState") === "failed",
        );
        assert.equal(await machine.property("omoide-worker@cold", "ExecMainStatus"), "5");
        assert.match(
          await machine.run("systemctl", "list-units", "--failed"),
          /omoide-worker@cold/,
        );
      },
    );

    await t.step("installing again upgrades the binary under the running worker", async () => {
      const before = await machine.property("omoide-worker@hot", "MainPID");
      const { code, stderr } = await installWorker(machine, "hot", { passwordFile: false });
      assert.equal(code, 0, stderr);
      assert.notEqual(await machine.property("omoide-worker@hot", "MainPID"), before);
      assert.equal(await machine.property("omoide-worker@hot", "ActiveState"), "active");
    });

    await t.step("uninstalling leaves everything stored, and nothing else", async () => {
      const before = await world.trees();
      for (const name of STORAGES) {
        const { code, stdout } = await install(machine, name, "--uninstall");
        assert.equal(code, 0);
        assert.match(stdout, /left alone: the storage's root and the user/);
      }
      const left = await machine.run(
        ...[
          "find",
          "/etc",
          "/usr/local",
          "-path",
          "*omoide*",
          "-newer",
          "/opt/password",
          "!",
          "-path",
          "*.service.d*",
        ] as const,
      );
      assert.equal(left, "");
      assert.deepEqual(await world.trees(), before);
    });
  },
});

async function installWorker(machine: Machine, name: string, { passwordFile = true } = {}) {
  return await install(
    machine,
    name,
    ...["--root", rootInside(name), "--database-address", databaseHost(name)],
    ...["--binary", `${machine.shared}/omoide-worker-${name}`],
    ...(passwordFile ? ["--password-file", "/opt/password"] : []),
  );
}

/** As if the kernel had ended it for want of memory. */
async function killWorker(
  machine: Machine,
  storage: string,
  { andReturns = true } = {},
): Promise<void> {
  const unit = `omoide-worker@${storage}`;
  const pid = await machine.property(unit, "MainPID");
  await machine.run("systemctl", "kill", "--signal=KILL", unit);
  if (!andReturns) return;
  await until(`${unit} is back`, async () => {
    const now = await machine.property(unit, "MainPID");
    return now !== "0" && now !== pid;
  });
}

/** @returns the version before */
async function setSchemaVersion(
  world: World,
  change: (version: number) => number,
): Promise<number> {
  const [row] = await world.query<{ schema_version: number }>(
    "SELECT schema_version FROM omoide.settings",
  );
  const version = Number(row?.schema_version);
  await world.query("UPDATE omoide.settings SET schema_version = $1", [change(version)]);
  return version;
}
