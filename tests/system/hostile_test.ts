import assert from "node:assert/strict";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";
import { CHECK_UNIT, INSTALL_SCRIPT, SCRUB_UNIT, WORKER_UNIT } from "./support/unit_files.ts";
import { requireTools } from "../support/require_tool.ts";

const HOSTILE = new URL("support/hostile.pl", import.meta.url).pathname;
const ROOT = "/srv/omoide/hot";
const WORKER = "omoide-worker@hot.service";
const SCRUB = "omoide-scrub@hot.service";
const BARE = "bare.service";
/** Perl under the program's name: what its unit may execute is that file alone. */
const program = (name: "worker" | "scrub") =>
  `/usr/local/bin/omoide-${name}-hot ${ROOT}/hostile.pl`;

/**
 * What stands in the storage before the intruder comes: old files, as a worker left them. And what only
 * the sandbox can forbid, since the machine does not.
 */
const VICTIMS = `
  cd ${ROOT}/content && mkdir directory
  for each in delete delete-not rename replace one two truncate overwrite chmod acl chown time; do
    echo "the bytes of $each" >$each && chmod 0440 $each
  done
  chown -R omoide-hot:omoide-hot ${ROOT}
  touch ${ROOT}/writable ${ROOT}/../writable && chmod 0666 ${ROOT}/writable ${ROOT}/../writable
  chmod 1777 /run`;

/**
 * Names, inodes, modes (an access control list shows there), owners, sizes, times and bytes; not what the
 * intruder may make: new files.
 */
const LOOK = `cd ${ROOT}/content && find . -mindepth 1 ! -name 'own-*' \
  ! -name 'program-*' -printf '%P %y %i %m %U:%G %s %T@\n' -type f -exec md5sum {} ';' | sort`;

/** What it made, which a worker may and a scrub may not. */
const NEW = `find ${ROOT} -name 'own-*' -o -name 'program-*'`;

Deno.test({
  ignore: NEEDS_MACHINE.ignore || requireTools(["perl"]).ignore,
  name:
    "an intruder in the place of a worker or a scrub loses no file: the kernel refuses every attempt, each " +
    "of which succeeds without the unit's sandbox",
  async fn(t) {
    await using machine = await Machine.boot();
    using elsewhere = Deno.listen({ hostname: "127.0.0.2", port: 0 });
    answerAll(elsewhere);
    await installIntruder(machine, elsewhere.addr.port);
    const before = await machine.run("sh", "-c", LOOK);

    const refused = new Map<string, Map<string, string>>();
    for (const unit of [SCRUB, WORKER]) {
      refused.set(unit, await attempts(machine, unit));
      assert.equal(await machine.run("sh", "-c", LOOK), before, `${unit}: a file is not as it was`);
      if (unit === SCRUB) assert.equal(await machine.run("sh", "-c", NEW), "", "it made a file");
    }
    const done = await attempts(machine, BARE);
    assert.notEqual(await machine.run("sh", "-c", LOOK), before, "the control changed nothing");

    for (const [unit, outcomes] of refused) {
      for (const [name, outcome] of outcomes) {
        await t.step(`in ${unit} it cannot ${name}`, () => {
          assert.equal(outcome, "refused");
          assert.equal(done.get(name), "done", "the attempt itself does not work");
        });
      }
      assert.ok(outcomes.size >= 30, `only ${outcomes.size} attempts were made`);
    }
    assert.ok(refused.get(SCRUB)?.has("create a file"));
  },
});

async function installIntruder(machine: Machine, port: number): Promise<void> {
  await machine.install(WORKER_UNIT, "/opt/deploy/systemd/omoide-worker@.service", 0o644);
  await machine.install(CHECK_UNIT, "/opt/deploy/systemd/omoide-check@.service", 0o644);
  await machine.install(INSTALL_SCRIPT, "/opt/deploy/install.sh");
  await machine.install(HOSTILE, `${ROOT}/hostile.pl`, 0o644);
  await machine.write("/opt/password", "secret", 0o600);
  await machine.run("mkdir", "-p", `${ROOT}/content`);
  const { code, stderr } = await machine.try(
    ...[
      "sh",
      "/opt/deploy/install.sh",
      "hot",
      "--root",
      ROOT,
      "--binary",
      "/usr/bin/perl",
    ] as const,
    ...["--database-address", "127.0.0.1", "--password-file", "/opt/password", "--no-start"],
  );
  assert.match(stderr, /not ready yet/, "perl is no worker, so its check fails");
  assert.notEqual(code, 0);
  await machine.run("sh", "-c", VICTIMS);
  // Only what is run differs from the installed unit, and that it is run once.
  const run = (name: "worker" | "scrub") =>
    `ExecStart=\nExecStart=${program(name)} ${ROOT} ${port} ${name}\nRestart=no\n`;
  await machine.write(
    `/etc/systemd/system/${WORKER}.d/zz-intruder.conf`,
    `[Service]\n${run("worker")}`,
  );
  await machine.install(SCRUB_UNIT, "/etc/systemd/system/omoide-scrub@.service", 0o644);
  await machine.run("cp", "/usr/bin/perl", "/usr/local/bin/omoide-scrub-hot");
  await machine.run("cp", "/opt/password", "/etc/omoide/hot-scrub.password");
  // As the README's recipe writes it.
  await machine.write(
    `/etc/systemd/system/${SCRUB}.d/storage.conf`,
    `[Service]\nBindReadOnlyPaths=${ROOT}\nNoExecPaths=+${ROOT}\nIPAddressAllow=127.0.0.1\n${
      run("scrub")
    }`,
  );
  await machine.write(
    `/etc/systemd/system/${BARE}`,
    `[Service]\nUser=omoide-hot\nGroup=omoide-hot\nType=exec\n${run("scrub")}`,
  );
  await machine.run("systemctl", "daemon-reload");
}

async function attempts(machine: Machine, unit: string): Promise<Map<string, string>> {
  await machine.unit("start", unit);
  await machine.logged(unit, ({ MESSAGE }) => MESSAGE === "that was all");
  const lines = (await machine.journal(unit)).map(({ MESSAGE }) => MESSAGE);
  return new Map(
    lines.map((line) => /^(.*): (done|refused)$/.exec(line)).filter((match) => match !== null)
      .map(([, name = "", outcome = ""]) => [name, outcome]),
  );
}

async function answerAll(listener: Deno.TcpListener): Promise<void> {
  try {
    for await (const connection of listener) connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
