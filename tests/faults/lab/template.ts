import { join } from "node:path";
import { EmbeddedPostgres, type PostgresOptions } from "../../../scripts/lib/embedded_postgres.ts";
import { pg } from "../../../src/inbox/pg.ts";
import { run } from "./command.ts";
import { World } from "./world.ts";

const ADMIN = new URL("../../../src/admin/main.ts", import.meta.url).pathname;
const DATABASE = "template_inbox";

/**
 * One PostgreSQL with one inbox and its empty storages, made by the administrator's own commands. Each
 * scenario gets a copy of both (40 ms), instead of a second's wait for a server of its own.
 */
export class Template implements AsyncDisposable {
  #worlds = 0;

  private constructor(
    readonly server: EmbeddedPostgres,
    private readonly directory: string,
    readonly storages: readonly string[],
  ) {}

  static async make(
    { storages = ["hot", "cold"], ...options }: PostgresOptions & { storages?: string[] } = {},
  ): Promise<Template> {
    // No power is cut under the database here, and a crash of its processes loses nothing of the kernel's.
    const server = await EmbeddedPostgres.start({
      fsync: false,
      auth: "scram-sha-256",
      ...options,
    });
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-faults-" }));
    await Deno.chmod(directory, 0o755);
    const template = new Template(server, directory, storages);
    await Deno.writeTextFile(template.passwordFile, "secret\n");
    await template.#query("postgres", `CREATE DATABASE ${DATABASE}`);
    await admin("inbox", "init", "--database", server.url(DATABASE));
    for (const name of storages) {
      await admin(
        ...["storage", "init", name, join(directory, name), "--database", server.url(DATABASE)],
        ...["--password-file", template.passwordFile],
      );
    }
    return template;
  }

  get passwordFile(): string {
    return join(this.directory, "password");
  }

  /** @param places roots that lie elsewhere, such as on a mounted disk: empty directories */
  async world(places: Readonly<Record<string, string>> = {}): Promise<World> {
    const database = `world_${++this.#worlds}`;
    await this.#query("postgres", `CREATE DATABASE ${database} TEMPLATE ${DATABASE}`);
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-faults-" }));
    await Deno.chmod(directory, 0o755);
    const storages = [];
    for (const name of this.storages) {
      const root = places[name] ?? join(directory, name);
      await run("cp", "--archive", "--no-target-directory", join(this.directory, name), root);
      storages.push({ name, root });
    }
    return new World(this.server, database, storages, this.passwordFile, directory);
  }

  async #query(database: string, text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.server.url(database) });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** An administrator's command, as typed. @throws with what it said, unless it exits 0 */
export async function admin(...args: string[]): Promise<string> {
  return await run(Deno.execPath(), "run", "-A", ADMIN, ...args);
}
