import assert from "node:assert/strict";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";
import { copyDeployment, install } from "./support/service.ts";

const FITTING = {
  "--root": "/srv/omoide/hot",
  "--database-address": "127.0.0.1",
  "--binary": "/bin/true",
  "--password-file": "/opt/password",
};
type Option = keyof typeof FITTING;

interface Refusal {
  readonly name?: string;
  readonly change?: Partial<Record<Option, string>>;
  readonly drop?: Option;
  readonly more?: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

const REFUSALS: Record<string, Refusal> = {
  "a name in capitals": { name: "Hot", code: 2, says: /Hot is no storage's name/ },
  "a name that leaves its directory": { name: "../hot", code: 2, says: /no storage's name/ },
  "an option instead of a name": { name: "--root", code: 2, says: /first argument is the storage/ },
  "an unknown option": { more: ["--force"], code: 2, says: /unknown option --force/ },
  "an option without a value": { more: ["--user"], code: 2, says: /--user takes a value/ },
  "a root that the unit hides": {
    change: { "--root": "/home/me/hot" },
    code: 2,
    says: /the unit needs that place; choose one such as \/srv\/omoide\/hot/,
  },
  "the whole file system": { change: { "--root": "/" }, code: 2, says: /is the whole file system/ },
  "a relative root": { change: { "--root": "srv/hot" }, code: 2, says: /is not absolute/ },
  "a root with ..": {
    change: { "--root": "/srv/../etc" },
    code: 2,
    says: /empty part, \. or \.\./,
  },
  "a root with a space": { change: { "--root": "/srv/a b" }, code: 2, says: /space/ },
  "a root with a specifier": { change: { "--root": "/srv/%h" }, code: 2, says: /percent sign/ },
  "a root on a disk that is not mounted": {
    change: { "--root": "/mnt/disk/hot" },
    code: 4,
    says: /there is no \/mnt\/disk; is the disk mounted\?/,
  },
  "a database that /etc/hosts does not know": {
    change: { "--database-address": "nowhere.example" },
    code: 4,
    says: /not in \/etc\/hosts/,
  },
  "one of several databases that /etc/hosts does not know": {
    change: { "--database-address": "127.0.0.1,[::1],nowhere.example" },
    code: 4,
    says: /nowhere\.example is not in \/etc\/hosts/,
  },
  "an empty address among several": {
    change: { "--database-address": "127.0.0.1,,::1" },
    code: 2,
    says: /has an empty part between its commas/,
  },
  "no database": { drop: "--database-address", code: 2, says: /--database-address is missing/ },
  "no root": { drop: "--root", code: 2, says: /--root is missing/ },
  "no binary": { drop: "--binary", code: 2, says: /--binary is missing/ },
  "a binary that is not there": { change: { "--binary": "/opt/w" }, code: 4, says: /is no file/ },
  "no password at first": {
    drop: "--password-file",
    code: 2,
    says: /there is no \/etc\/omoide\/hot/,
  },
  "root as the worker": { more: ["--user", "root"], code: 4, says: /may overwrite every file/ },
  "a reader who is not there": { more: ["--reader", "ghost"], code: 4, says: /no such user/ },
  "a root of somebody else": {
    change: { "--root": "/srv/theirs" },
    code: 4,
    says: /belongs to nobody; give --user nobody/,
  },
  "a root of root's into which others could have put something": {
    change: { "--root": "/srv/shared" },
    code: 4,
    says: /\/srv\/shared\/content is not root's alone, although \/srv\/shared is/,
  },
  "a root that is a link": {
    change: { "--root": "/srv/link" },
    code: 4,
    says: /\/srv\/link is a symbolic link/,
  },
};

Deno.test({
  ...NEEDS_MACHINE,
  name: "install.sh refuses what cannot work in one line, and has installed nothing then",
  async fn(t) {
    await using machine = await Machine.boot();
    await copyDeployment(machine);
    await machine.write("/opt/password", "secret", 0o600);
    await machine.run("install", "-d", "-o", "nobody", "/srv/theirs");
    await machine.run("install", "-d", "-m", "0750", "/srv/shared");
    await machine.run("install", "-d", "-m", "0770", "/srv/shared/content");
    await machine.run("ln", "-s", "/srv/theirs", "/srv/link");
    await machine.run("mkdir", "/srv/omoide");
    for (
      const [what, { name = "hot", change, drop, more = [], code, says }] of Object.entries(
        REFUSALS,
      )
    ) {
      await t.step(`refused: ${what}`, async () => {
        const options = Object.entries({ ...FITTING, ...change })
          .filter(([option]) => option !== drop);
        const answer = await install(machine, name, ...options.flat(), ...more);
        assert.equal(answer.code, code, answer.stderr);
        assert.match(answer.stderr, says);
        assert.equal(answer.stderr.trim().split("\n").length, 1, answer.stderr);
        const made =
          "find /etc /usr/local /srv/omoide -mindepth 1 -path '*omoide*' -newer /opt/password";
        assert.equal(await machine.run("sh", "-c", made), "");
        assert.notEqual((await machine.try("id", "omoide-hot")).code, 0);
      });
    }
  },
});
