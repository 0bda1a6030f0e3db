import assert from "node:assert/strict";
import { join } from "node:path";
import { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { run, until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { World } from "../lab/world.ts";
import { type BaseRuntime, baseRuntime } from "../support/denort.ts";
import { requireTools } from "../support/require_tool.ts";
import { type Block, blocksOf, DEPLOYMENT, fitted, TOOLS } from "./support/chapter.ts";
import { Machine, NEEDS_MACHINE } from "./support/machine.ts";
import { freePort } from "../../scripts/lib/free_port.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const runtime = await baseRuntime();
const needs = requireTools(["nginx", "chattr", "base64"], { root: true });

Deno.test({
  ignore: NEEDS_MACHINE.ignore || needs.ignore || runtime === null,
  name:
    "the deployment's README, command by command: from nothing to two workers and NGINX, upgrading, " +
    "moving, restoring (as the tools' README says), uninstalling",
  async fn(t) {
    await using place = await Place.make(runtime);
    const { machine, world } = place;
    const random = new Random(4);
    const chapter = await blocksOf(DEPLOYMENT);
    const tools = await blocksOf(TOOLS);
    const under = (heading: string, document = chapter) => {
      const blocks = document.filter((block) => block.heading.startsWith(heading));
      assert.ok(blocks.length > 0, `there are no commands under ${heading}`);
      return blocks;
    };

    await t.step("from nothing to two workers and NGINX", async () => {
      for (const block of under("From nothing")) await place.follow(block);
      await world.query(`ALTER ROLE omoide_app PASSWORD '${APPLICATION_PASSWORD}'`);
      await world.submitMany(random, 40);
      await world.drained();
      await world.requireInvariants({ drained: true });
    });

    await t.step("a picture that was just uploaded comes out of NGINX", async () => {
      const picture = await world.submit(random.bytes(50_000), {
        ownerUuid: random.uuid(),
        itemUuid: random.uuid(),
      });
      await world.drained();
      const { ownerUuid, itemUuid, size } = picture;
      const path = `content/${ownerUuid}/${itemUuid.slice(0, 2)}/${itemUuid}.jpg`;
      const answer = await fetch(`http://127.0.0.1:${place.nginxPort}/${path}`);
      assert.equal(answer.status, 200, await answer.clone().text());
      assert.equal((await answer.arrayBuffer()).byteLength, size);
    });

    await t.step(
      "scrubs look at both storages, and the monitor says that all is safe",
      async () => {
        for (const block of under("Looking again")) await place.follow(block);
        const url = `http://127.0.0.1:${place.monitorPort}`;
        const health = await until("every storage has been looked at", async () => {
          try {
            const answer = await fetch(`${url}/healthz`);
            const text = await answer.text();
            return answer.ok && /Hot was last looked at .*cold was last looked at/.test(text) &&
              text;
          } catch {
            return false;
          }
        });
        assert.match(health, /^SAFE: every media is in all 2 storages/);
        assert.deepEqual(
          await world.query(
            "SELECT DISTINCT finished_findings::int AS found FROM omoide.look " +
              "WHERE finished_at IS NOT NULL",
          ),
          [{ found: 0 }],
        );
        // As root of what the scrub sees.
        const pid = await machine.property("omoide-scrub@hot", "MainPID");
        const mounts = await machine.run("cat", `/proc/${pid}/mounts`);
        const root = mounts.split("\n").filter((line) => line.includes(" /srv/omoide/hot "));
        assert.deepEqual(root.map((line) => / ro[, ]/.test(line)), [true], mounts);
        await machine.run("systemctl", "stop", "omoide-scrub@hot", "omoide-scrub@cold");
      },
    );

    await t.step("who has no Prometheus gets a mail of what a look has found", async () => {
      await world.query(
        "INSERT INTO omoide.found (storage_id, kind, depth, path, detail) " +
          "SELECT id, 'corrupt', 'deep', 'a file', 'is so' FROM omoide.storage WHERE name = 'hot'",
      );
      // It looks when it starts, and then only now and then.
      await machine.run("systemctl", "restart", "omoide-watch");
      const mail = await until("the mail is there", async () => {
        const { code, stdout } = await machine.try("cat", `${MAILS}/root`);
        return code === 0 && stdout.endsWith("\n.\n") && stdout;
      });
      assert.match(
        mail,
        /^Subject: Omoide: attention\n\nATTENTION: .*\n! hot: 1 finding “corrupt”/,
      );
      assert.equal(await machine.property("omoide-watch", "ActiveState"), "active");
      await world.query("UPDATE omoide.found SET closed_at = now()");
    });

    await t.step(
      "append-only directories: root cannot remove a file, the worker goes on",
      async () => {
        for (const block of under("Even root")) await place.follow(block);
        const [file = ""] = (await machine.run("find", "/srv/omoide/hot", "-type", "f")).split(
          "\n",
        );
        assert.notEqual((await machine.try("rm", "-f", file)).code, 0);
        assert.notEqual((await machine.try("mv", file, `${file}.moved`)).code, 0);
        await world.submitMany(random, 20);
        await world.drained();
        await machine.run("chattr", "-R", "-f", "-a", "/srv/omoide/hot");
        await world.requireInvariants({ drained: true });
      },
    );

    await t.step("upgrading", async () => {
      const before = await machine.property("omoide-worker@hot", "MainPID");
      for (const block of under("Upgrading")) await place.follow(block);
      assert.notEqual(await machine.property("omoide-worker@hot", "MainPID"), before);
      await world.submitMany(random, 10);
      await world.drained();
    });

    await t.step("moving a storage to a new disk", async () => {
      const [copying, starting] = under("Moving");
      assert.ok(copying !== undefined && starting !== undefined);
      await place.newDisk("/mnt/new", "new-hot");
      await place.follow(copying);
      await world.submitMany(random, 10);
      await machine.run("umount", "/srv/omoide/hot");
      await machine.run("mount", "--bind", "/mnt/new", "/srv/omoide/hot");
      place.movedTo("hot", "new-hot");
      await place.follow(starting);
      await world.drained();
      await world.requireInvariants({ drained: true });
    });

    await t.step("restoring a lost hot storage from the cold one", async () => {
      await machine.run("umount", "--lazy", "/srv/omoide/hot");
      await place.newDisk("/srv/omoide/hot", "third-hot");
      place.movedTo("hot", "third-hot");
      await world.submitMany(random, 10);
      const ofTheHotDisk = under("A disk is lost", tools).filter(({ recipe }) =>
        ["", "lost-hot", "verified"].includes(recipe)
      );
      assert.equal(ofTheHotDisk.length, 3);
      for (const block of ofTheHotDisk) {
        // The verified state is one in which the workers have nothing left to do.
        if (block.recipe === "verified") await world.drained();
        await place.follow(block);
      }
      await world.requireInvariants({ drained: true });
    });

    await t.step("uninstalling", async () => {
      const before = await world.trees();
      for (const block of under("Uninstalling")) await place.follow(block);
      assert.deepEqual(await world.trees(), before);
      const { stdout } = await machine.try(
        "systemctl",
        "list-unit-files",
        "--no-legend",
        "omoide-*",
      );
      assert.equal(stdout, "");
    });
  },
});

/** Where the machine's mail program puts them, by who gets them. */
const MAILS = "/var/spool/omoide-mails";

/** What the chapter leaves to the administrator to choose. */
const APPLICATION_PASSWORD = "chosen by the administrator";

/** A machine with nothing of Omoide on it, and a PostgreSQL with an empty database. */
class Place implements AsyncDisposable {
  readonly #roots: { name: string; root: string }[];
  readonly world: World;
  readonly nginxPort = freePort();
  readonly monitorPort = freePort();

  private constructor(
    readonly machine: Machine,
    private readonly server: EmbeddedPostgres,
    private readonly runtime: BaseRuntime,
  ) {
    this.#roots = ["hot", "cold"].map((name) => ({ name, root: join(machine.shared, name) }));
    const directory = join(machine.shared, "world");
    const passwordFile = join(directory, "password");
    this.world = new World(server, "omoide", this.#roots, passwordFile, directory);
  }

  static async make(runtime: BaseRuntime | null): Promise<Place> {
    if (runtime === null) throw new Error("there is no base runtime");
    const server = await EmbeddedPostgres.start({ auth: "scram-sha-256" });
    const machine = await Machine.boot();
    const place = new Place(machine, server, runtime);
    await Deno.mkdir(join(machine.shared, "world"));
    await Deno.writeTextFile(join(machine.shared, "world/password"), APPLICATION_PASSWORD);
    await Deno.mkdir(join(machine.shared, "omoide"));
    await run("cp", "-r", join(PROJECT, "scripts/deploy"), join(machine.shared, "omoide"));
    for (const name of ["hot", "cold"]) await place.newDisk(`/srv/omoide/${name}`, name);
    const client = await new World(server, "postgres", [], "", "").connect();
    await client.query("CREATE DATABASE omoide");
    await client.end();
    await place.#changeSite();
    await place.#provideMail();
    return place;
  }

  /** Types the commands of a block where it says. @throws with what they said, unless all exit 0 */
  async follow(block: Block): Promise<void> {
    const script = fitted(block, { databasePort: this.server.port });
    const directory = join(this.machine.shared, "omoide");
    if (block.on === "storages") {
      const typed = `cd ${directory}\n${script}`;
      const database = `DATABASE=postgres://postgres@127.0.0.1:${this.server.port}/omoide`;
      await this.machine.run("env", "PGPASSWORD=postgres", database, "sh", "-euc", typed);
      return;
    }
    const deno = `${this.runtime.deno} run -A --no-check ${PROJECT}scripts`;
    await run(
      "env",
      `DENORT_BIN=${this.runtime.denort}`,
      "sh",
      "-euc",
      `cd ${directory}\n` + script
        .replaceAll("deno task compile-admin", `${deno}/compile_admin.ts`)
        .replaceAll("deno task compile-scrub", `${deno}/compile_scrub.ts`)
        .replaceAll("deno task compile-monitor", `${deno}/compile_monitor.ts`)
        .replaceAll("127.0.0.1:9187", `127.0.0.1:${this.monitorPort}`)
        .replaceAll("deno task compile ", `${deno}/compile.ts `),
    );
  }

  /** An empty disk, mounted in the machine. */
  async newDisk(mountPoint: string, name: string): Promise<void> {
    await Deno.mkdir(join(this.machine.shared, name));
    await this.machine.run("mkdir", "-p", mountPoint);
    await this.machine.run("mount", "--bind", join(this.machine.shared, name), mountPoint);
  }

  movedTo(storage: string, disk: string): void {
    const found = this.#roots.find(({ name }) => name === storage);
    if (found !== undefined) found.root = join(this.machine.shared, disk);
  }

  /** What the chapter tells to change in NGINX's site, and the distribution's own site out of the way. */
  async #changeSite(): Promise<void> {
    const site = join(this.machine.shared, "omoide/deploy/nginx/omoide.conf");
    const text = await Deno.readTextFile(site);
    await Deno.writeTextFile(
      site,
      text.replace("listen 80;", `listen 127.0.0.1:${this.nginxPort};`),
    );
    await this.machine.run("rm", "-f", "/etc/nginx/sites-enabled/default");
  }

  /** A mail program that keeps what it is given: anybody's, as that of a real one is. */
  async #provideMail(): Promise<void> {
    await this.machine.run("install", "-d", "-m", "1777", MAILS);
    const program = `#!/bin/sh\n{ cat; echo .; } >>${MAILS}/$1\n`;
    await this.machine.run("rm", "-f", "/usr/sbin/sendmail");
    await this.machine.write("/usr/sbin/sendmail", program, 0o755);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run("chattr", "-R", "-f", "-a", this.machine.shared).catch(() => {});
    await this.world[Symbol.asyncDispose]();
    await this.machine[Symbol.asyncDispose]();
    await this.server.stop();
  }
}
