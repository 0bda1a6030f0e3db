import assert from "node:assert/strict";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";

Deno.test({
  ...NEEDS_MACHINE,
  name:
    "the machine boots a real systemd that runs units with credentials, and leaves nothing behind",
  async fn() {
    const before = await orphans();
    {
      await using machine = await Machine.boot();
      assert.equal((await machine.run("systemctl", "is-system-running")).trim(), "running");
      await machine.write("/etc/secret", "open sesame\n", 0o600);
      await machine.write(
        "/etc/systemd/system/reader.service",
        "[Service]\nType=oneshot\nUser=nobody\nLoadCredential=secret:/etc/secret\n" +
          "ExecStart=/bin/cat ${CREDENTIALS_DIRECTORY}/secret\n",
      );
      await machine.run("systemctl", "daemon-reload");
      await machine.run("systemctl", "start", "reader.service");
      await machine.logged("reader.service", ({ MESSAGE }) => MESSAGE === "open sesame");
    }
    assert.deepEqual(await orphans(), before);
  },
});

async function orphans(): Promise<string[]> {
  const mounts = await Deno.readTextFile("/proc/self/mountinfo");
  return mounts.split("\n").filter((line) => line.includes("omoide-machine-"));
}
