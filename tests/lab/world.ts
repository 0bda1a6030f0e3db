import { pg } from "../../src/inbox/pg.ts";
import type { EmbeddedPostgres } from "../../scripts/lib/embedded_postgres.ts";
import { until } from "./command.ts";
import { Expected, type Submitted } from "./expected.ts";
import { requireInvariants, undrained } from "./invariants.ts";
import type { Random } from "./random.ts";
import { type Entry, readTree } from "./tree.ts";
import { type WorkerPlan, WorkerProcess } from "./worker_process.ts";
import { sha256Of } from "../support/media.ts";

export interface StoragePlace {
  readonly name: string;
  readonly root: string;
}

/** What differs from a world's usual worker. Ports of servers on this machine: the first, and the others. */
type PlanOverrides = Partial<WorkerPlan> & {
  readonly port?: number;
  readonly others?: readonly number[];
};

/** One scenario's inbox and storages, see `Template.world`. */
export class World implements AsyncDisposable {
  readonly expected = new Expected();
  #superuser: pg.Client | undefined;
  #application: pg.Client | undefined;

  constructor(
    private current: EmbeddedPostgres,
    readonly database: string,
    readonly storages: readonly StoragePlace[],
    /** Holds the password of the application's role and of each storage's. */
    private readonly passwordFile: string,
    private readonly directory: string,
  ) {}

  /** Where the inbox is at this time. */
  get server(): EmbeddedPostgres {
    return this.current;
  }

  /** From now on the inbox is on that server: it was promoted. */
  moveTo(server: EmbeddedPostgres): void {
    this.current = server;
    [this.#superuser, this.#application] = [undefined, undefined];
  }

  root(storage: string): string {
    const found = this.storages.find(({ name }) => name === storage);
    if (found === undefined) throw new Error(`This world has no storage ${storage}`);
    return found.root;
  }

  plan(storage: string, more: PlanOverrides = {}): WorkerPlan {
    return {
      storage,
      root: more.root ?? this.root(storage),
      database: {
        port: more.port ?? this.server.port,
        name: this.database,
        others: more.others ?? [],
      },
      passwordFile: this.passwordFile,
      ...more,
    };
  }

  /** Starts a worker that serves until it is stopped. */
  start(storage: string, more: PlanOverrides = {}): WorkerProcess {
    return WorkerProcess.start(this.plan(storage, more));
  }

  /** Runs a worker that stores what is there and ends. */
  drainOnce(
    storage: string,
    more: PlanOverrides = {},
  ): Promise<{ code: number; output: string }> {
    return WorkerProcess.run(this.plan(storage, { ...more, args: ["--once", ...more.args ?? []] }));
  }

  /** Runs a worker that says whether it would run. */
  check(
    storage: string,
    more: PlanOverrides = {},
  ): Promise<{ code: number; output: string }> {
    return WorkerProcess.run(
      this.plan(storage, { ...more, args: ["--check", ...more.args ?? []] }),
    );
  }

  /** Everything drained by a worker of each storage, one after the other. @throws unless each exits 0 */
  async drainAll(): Promise<void> {
    for (const { name } of this.storages) {
      const { code, output } = await this.drainOnce(name);
      if (code !== 0) throw new Error(`The worker of ${name} exits ${code}:\n${output}`);
    }
  }

  /** A superuser's connection, a new one after the server was away. */
  async superuser(): Promise<pg.Client> {
    this.#superuser = await alive(this.#superuser) ?? await this.connect();
    return this.#superuser;
  }

  async query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await (await this.superuser()).query<Row>(text, values)).rows;
  }

  /** Another connection of the superuser. Its end by a fault is no error: the next query says so. */
  async connect(): Promise<pg.Client> {
    return await open(this.server.url(this.database));
  }

  /** A connection of the application, logged in as it does: its role counts, not only its rights. */
  async connectApplication(): Promise<pg.Client> {
    const url = new URL(this.server.url(this.database, "omoide_app"));
    url.password = (await Deno.readTextFile(this.passwordFile)).trim();
    return await open(url.href);
  }

  /** Submits bytes as the application does. @throws where the inbox refuses, or is away */
  async submit(
    bytes: Uint8Array,
    name: { ownerUuid: string; itemUuid: string; mediaType?: string; ext?: string },
  ): Promise<Submitted> {
    const media = {
      mediaType: "content",
      ext: "jpg",
      ...name,
      size: bytes.length,
      sha256: sha256Of(bytes),
    };
    this.expected.allow(media);
    const application = await alive(this.#application) ?? await this.connectApplication();
    this.#application = application;
    const { rows } = await application.query<{ id: string }>(
      "SELECT omoide.submit_media($1, $2, $3, $4, $5) AS id",
      [media.ownerUuid, media.itemUuid, media.mediaType, media.ext, bytes],
    );
    const submitted = { ...media, id: BigInt(rows[0]?.id ?? 0) };
    this.expected.add(submitted);
    return submitted;
  }

  /** Submits so many media with random bytes of few owners, each of the size that `size` draws. */
  async submitMany(
    random: Random,
    count: number,
    size: (random: Random) => number = (random) => random.between(0, 40_000),
  ): Promise<Submitted[]> {
    const owners = Array.from({ length: 3 }, () => random.uuid());
    const submitted: Submitted[] = [];
    for (let done = 0; done < count; done++) {
      submitted.push(
        await this.submit(random.bytes(size(random)), {
          ownerUuid: random.pick(owners),
          itemUuid: random.uuid(),
          mediaType: random.pick(["content", "preview", "thumbnail"]),
        }),
      );
    }
    return submitted;
  }

  /** Waits until nothing is owed and every blob has left. */
  async drained(timeoutMs = 120_000): Promise<void> {
    let left: string[] = [];
    try {
      await until("everything has drained", async () => {
        left = await undrained(await this.superuser());
        return left.length === 0;
      }, timeoutMs);
    } catch (error) {
      throw new Error(`${error}; left are ${left.slice(0, 5).join("; ")}`);
    }
  }

  /** How many receipts a storage has. */
  async receipts(storage: string): Promise<number> {
    const [row] = await this.query<{ count: string }>(
      "SELECT count(*) FROM omoide.receipt WHERE storage = $1",
      [storage],
    );
    return Number(row?.count);
  }

  /** The state that a worker has reported last. */
  async state(storage: string): Promise<{ state: string; reason: string | null }> {
    const [row] = await this.query<{ state: string; reason: string | null }>(
      "SELECT state, reason FROM omoide.worker_status WHERE storage = $1",
      [storage],
    );
    return row ?? { state: "none", reason: null };
  }

  /** Waits for a worker to report that it is in this state. */
  async becomes(storage: string, state: string, timeoutMs = 60_000): Promise<string | null> {
    await until(
      `${storage} is ${state}`,
      async () => (await this.state(storage)).state === state,
      timeoutMs,
    );
    return (await this.state(storage)).reason;
  }

  /** A new empty file that goes with this world, such as a trace's. */
  temporaryFile(): Promise<string> {
    return Deno.makeTempFile({ dir: this.directory });
  }

  /** A new empty directory that goes with this world. */
  temporaryDirectory(): Promise<string> {
    return Deno.makeTempDir({ dir: this.directory });
  }

  /** Every storage's tree, to be compared with what it is later. */
  async trees(): Promise<Map<string, Map<string, Entry>>> {
    const trees = new Map<string, Map<string, Entry>>();
    for (const { name, root } of this.storages) trees.set(name, await readTree(root));
    return trees;
  }

  /** I1–I6 where nothing is being stored any more. @throws with everything that is wrong */
  async requireInvariants(
    { storages, ...more }: {
      before?: Map<string, Map<string, Entry>>;
      drained?: boolean;
      /** Those required now; all unless told otherwise. */
      storages?: readonly string[];
    } = {},
  ): Promise<void> {
    await requireInvariants({
      database: await this.superuser(),
      storages: this.storages.filter(({ name }) => storages?.includes(name) ?? true),
      expected: this.expected,
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#superuser?.end().catch(() => {});
    await this.#application?.end().catch(() => {});
    await Deno.remove(this.directory, { recursive: true });
  }
}

async function open(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function alive(client: pg.Client | undefined): Promise<pg.Client | undefined> {
  try {
    await client?.query("SELECT 1");
    return client;
  } catch {
    return undefined;
  }
}
