import assert from "node:assert/strict";
import { permissionFlags, workerNeeds } from "../../src/sandbox.ts";
import { baseRuntime } from "../support/denort.ts";
import { compileProgram } from "./support/compile.ts";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";
import { copyDeployment, install, rootInside } from "./support/service.ts";

const OUTSIDE = "/srv/omoide/outside";
const runtime = await baseRuntime();

Deno.test({
  ...NEEDS_MACHINE,
  ignore: NEEDS_MACHINE.ignore || runtime === null,
  name: "a hostile program with a worker's permissions does not get out of the unit, not even by " +
    "importing a file, which the runtime alone would let it",
  async fn() {
    await using machine = await Machine.boot();
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const root = rootInside("hot");
    const needs = workerNeeds({ root, database: { hosts: [{ host: "127.0.0.1", port: 5432 }] } });
    const targets = { root, outside: OUTSIDE, secret: `${OUTSIDE}/secret` };
    const binary = `${machine.shared}/hostile`;
    await compileProgram(runtime, {
      entry: "tests/sandbox/hostile.ts",
      permissions: permissionFlags(needs),
      args: [JSON.stringify({ needs, ...targets, otherPort: other.addr.port })],
      output: binary,
    });
    await copyDeployment(machine);
    await machine.write("/opt/password", "secret", 0o600);
    await machine.write(`${OUTSIDE}/secret`, "secret");
    await machine.write(`${OUTSIDE}/module.ts`, 'self.postMessage?.("out"); export {};');
    // The check runs what is installed in the worker's sandbox, and tells what it says.
    const { stdout, stderr } = await install(
      ...[machine, "hot", "--root", root, "--database-address", "127.0.0.1", "--no-start"] as const,
      ...["--binary", binary, "--password-file", "/opt/password"],
    );
    const said = stdout.split("\n").find((line) => line.startsWith("{"));
    assert.ok(said !== undefined, stdout + stderr);
    const met = Object.entries(JSON.parse(said) as Record<string, string>);
    assert.ok(met.length > 30);
    assert.deepEqual(met.filter(([, outcome]) => outcome === "out"), []);
    assert.equal(await machine.run("ls", OUTSIDE), "module.ts\nsecret\n");
  },
});
