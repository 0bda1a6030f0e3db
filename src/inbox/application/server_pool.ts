import { ConfigurationError } from "../../errors.ts";
import { clientOptions, type Credentials, prepare, streamOf } from "../connect.ts";
import type { DatabaseServer } from "../database_url.ts";
import { inboxError } from "../inbox_error.ts";
import { pg } from "../pg.ts";
import { SCHEMA_VERSION } from "../schema_version.ts";
import { sqlstateOf } from "../server_error.ts";

/** How long a call waits for a connection of the pool, and a statement for its answer, in milliseconds. */
const WAIT_MS = 20_000;
const ANSWER_MS = 60_000;

/** The application's connections to one server. */
export class ServerPool {
  readonly #pool: pg.Pool;
  /** Opened before the server may have ceased to be the primary. */
  readonly #doubtful = new WeakSet<pg.PoolClient>();
  readonly #open = new Set<pg.PoolClient>();
  readonly #notReplicated = new WeakSet<pg.PoolClient>();

  constructor(server: DatabaseServer, credentials: Credentials, size: number) {
    const options = clientOptions(server, credentials, "application");
    this.#pool = new pg.Pool({
      // Its own bound is for connecting; the pool's also holds for whoever waits for a free connection.
      Client: class extends pg.Client {
        constructor() {
          super({ ...options, query_timeout: ANSWER_MS });
        }
      },
      max: size,
      connectionTimeoutMillis: WAIT_MS,
      idleTimeoutMillis: 60_000,
      onConnect: async (client) => {
        await prepare(client, server);
        await requireInbox(client, server);
      },
    });
    this.#pool.on("connect", (client) => {
      this.#open.add(client);
      // While a call has it, the pool does not listen; an end just before its statement would end the process.
      client.on("error", () => {});
      // By the server's source, since its messages are in the language of its administrator.
      client.on("notice", ({ routine }) => {
        if (routine === "SyncRepWaitForLSN") this.#notReplicated.add(client);
      });
    });
    this.#pool.on("remove", (client) => this.#open.delete(client));
    // Of an idle connection that ended. The next call makes another.
    this.#pool.on("error", () => {});
  }

  /** A connection that nobody has; a doubtful one is replaced, which looks at the server again. */
  async take(): Promise<pg.PoolClient> {
    for (;;) {
      const client = await this.#pool.connect();
      if (!this.#doubtful.has(client)) return client;
      client.release(true);
    }
  }

  /** Whether the statement that has just ended was committed without its standbys. */
  wasNotReplicated(client: pg.PoolClient): boolean {
    return this.#notReplicated.delete(client);
  }

  /** A server that has become a standby goes on answering: none of its connections is used again. */
  distrustOpened(): void {
    for (const client of this.#open) this.#doubtful.add(client);
  }

  /** Ends every connection at once, whatever it is doing. */
  abandon(): void {
    for (const client of this.#open) streamOf(client).destroy();
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/**
 * Once for each connection: a migration ends all there are, so whoever is written for another schema hears
 * of it at the next call, and works on with none.
 *
 * @throws {ConfigurationError} the inbox has another schema, or is none; the role is not the application's
 */
async function requireInbox(client: pg.ClientBase, { user }: DatabaseServer): Promise<void> {
  try {
    await client.query("SELECT omoide.check_application($1)", [SCHEMA_VERSION]);
  } catch (error) {
    if (sqlstateOf(error) !== "42501") throw inboxError(error);
    throw new ConfigurationError(
      `The role ${user} may not use this inbox; log in as the application's role, and run ` +
        "`inbox init`",
      { cause: error },
    );
  }
}
