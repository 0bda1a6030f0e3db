import { join } from "node:path";
import { EmbeddedPostgres, type PostgresOptions } from "../../scripts/lib/embedded_postgres.ts";
import { initInbox } from "../../src/inbox/admin/init_inbox.ts";
import { pg } from "../../src/inbox/pg.ts";
import { registerStorage } from "../../src/inbox/admin/register_storage.ts";
import type { Format } from "../../src/storage/layout.ts";
import { initRoot } from "../../src/storage/admin/init_root.ts";
import { run } from "./command.ts";
import { World } from "./world.ts";

const ADMIN = new URL("../../src/admin/main.ts", import.meta.url).pathname;
const DATABASE = "template_inbox";
/** Of the application's role and each storage's. */
const PASSWORD = "secret";
const PREFIX_SIZE = 2;

export interface TemplateOptions extends PostgresOptions {
  readonly storages?: string[];
  /** The form of some storages' trees; 1 unless given. */
  readonly formats?: Readonly<Record<string, Format>>;
}

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
    { storages = ["hot", "cold"], formats = {}, ...options }: TemplateOptions = {},
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
    await Deno.writeTextFile(template.passwordFile, `${PASSWORD}\n`);
    await template.#query("postgres", `CREATE DATABASE ${DATABASE}`);
    const client = await template.#connect(DATABASE);
    await initInbox(client);
    await client.query(`ALTER ROLE omoide_app PASSWORD '${PASSWORD}'`);
    for (const name of storages) {
      await addStorage(client, name, join(directory, name), formats[name]);
    }
    await client.end();
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
      // As `storage init` would leave it: on the disk. Where the tests' own files lie, no power is cut, and
      // everything that they have written would go to the disk too, each time.
      if (places[name] !== undefined) await run("sync", "--file-system", root);
      storages.push({ name, root });
    }
    return new World(this.server, database, storages, this.passwordFile, directory);
  }

  async #connect(database: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.server.url(database) });
    await client.connect();
    return client;
  }

  async #query(database: string, text: string): Promise<void> {
    const client = await this.#connect(database);
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

/**
 * One template for all tests of a file: call it at the file's top, and what it returns in the tests.
 * Making one takes 2 to 5 s, a world of it 0.2 s.
 */
export function sharedTemplate(
  options: TemplateOptions = {},
): () => Template {
  let template: Template | undefined;
  Deno.test.beforeAll(async () => {
    template = await Template.make(options);
  });
  Deno.test.afterAll(async () => await template?.[Symbol.asyncDispose]());
  return () => {
    if (template === undefined) throw new Error("A template is there only while tests run");
    return template;
  };
}

/** What `storage init` does: registers a storage and makes its root. */
export async function addStorage(
  client: pg.Client,
  name: string,
  root: string,
  format: Format = 1,
): Promise<void> {
  const uuid = crypto.randomUUID();
  const { inbox } = await registerStorage(client, {
    name,
    identity: uuid,
    prefixSize: PREFIX_SIZE,
    password: PASSWORD,
  });
  initRoot(root, { format, storage: name, uuid, inbox, prefixSize: PREFIX_SIZE });
}

/** An administrator's command, as typed. @throws with what it said, unless it exits 0 */
export async function admin(...args: string[]): Promise<string> {
  return await run(Deno.execPath(), "run", "-A", ADMIN, ...args);
}
