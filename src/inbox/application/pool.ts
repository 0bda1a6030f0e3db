import { DatabaseUnavailableError } from "../../errors.ts";
import { connectError, type Credentials, serverStateOf } from "../connect.ts";
import { type DatabaseAddress, type DatabaseServer, showAddress } from "../database_url.ts";
import { type Used, watchForNewerPrimary } from "../newer_primary.ts";
import type { pg } from "../pg.ts";
import { onFirstServer, preferServer } from "../servers.ts";
import { runLargeStatement } from "./large_statement.ts";
import { applicationError } from "./refusal.ts";
import { ServerPool } from "./server_pool.ts";

/** Runs one autocommit statement of the application. */
export interface Caller {
  /**
   * @returns the rows
   * @throws {RefusedError} the inbox says no, and why
   * @throws {DatabaseUnavailableError} trying again may help: whether it took effect is not known
   */
  call<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]>;
  /** As `call`, with bytes among its values that are not copied; see `runLargeStatement`. */
  callWithBytes<Row extends object>(
    text: string,
    values: readonly (string | Uint8Array | null)[],
  ): Promise<Row[]>;
}

/** A short name for each statement there is: the server keeps 63 characters of one. */
const NAMES = new Map<string, string>();

function nameOf(text: string): string {
  const name = NAMES.get(text) ?? `call_${NAMES.size + 1}`;
  NAMES.set(text, name);
  return name;
}

/**
 * The application's connections. Each statement takes one for as long as it runs, so that a hundred slow
 * clients need no more of them than a few fast ones. Where the address has several servers, all go to the
 * one that takes writes.
 */
export class ApplicationPool implements Caller, AsyncDisposable {
  readonly #pools = new Map<string, ServerPool>();
  readonly #ended = new AbortController();
  #watching: Promise<void> | null = null;
  #used: Used | null = null;

  /** @param size connections at the most; the role may have 60 in all */
  constructor(
    readonly address: DatabaseAddress,
    private readonly credentials: Credentials,
    private readonly size: number,
  ) {}

  async call<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    return await this.#with(async (client) => {
      // Named, so that each connection parses and plans it once.
      const result = await client.query<Row>({ name: nameOf(text), text, values: [...values] });
      return result.rows;
    });
  }

  async callWithBytes<Row extends object>(
    text: string,
    values: readonly (string | Uint8Array | null)[],
  ): Promise<Row[]> {
    return await this.#with((client) => runLargeStatement<Row>(client, nameOf(text), text, values));
  }

  async #with<Row>(run: (client: pg.PoolClient) => Promise<Row[]>): Promise<Row[]> {
    const { pool, client } = await this.#connection();
    let broken: Error | undefined;
    try {
      const rows = await run(client);
      if (pool.wasNotReplicated(client)) throw new NotReplicatedError();
      return rows;
    } catch (thrown) {
      const error = applicationError(thrown);
      // What it still answers to is unknown.
      if (error instanceof DatabaseUnavailableError) {
        broken = error;
        if (this.address.hosts.length > 1) pool.distrustOpened();
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #connection(): Promise<{ readonly pool: ServerPool; readonly client: pg.PoolClient }> {
    return await onFirstServer(this.address, async (server) => {
      const pool = this.#poolOf(server);
      try {
        const client = await pool.take();
        const { timeline } = serverStateOf(client);
        if (timeline !== null) this.#use({ server, timeline });
        return { pool, client };
      } catch (error) {
        throw connectError(error, server, this.credentials);
      }
    });
  }

  #use(used: Used): void {
    this.#used = used;
    this.#watching ??= watchForNewerPrimary(this.address, this.credentials, {
      used: () => this.#used ?? used,
      onNewer: (newer) => this.#moveTo(newer),
      stop: this.#ended.signal,
    });
  }

  /** Whoever waits for the old primary's answer waits in vain, or for one that will not last. */
  #moveTo(newer: Used): void {
    const old = this.#used;
    preferServer(this.address, newer.server);
    this.#used = newer;
    if (old !== null) this.#poolOf(old.server).abandon();
  }

  #poolOf(server: DatabaseServer): ServerPool {
    const name = showAddress(server);
    const pool = this.#pools.get(name) ?? new ServerPool(server, this.credentials, this.size);
    this.#pools.set(name, pool);
    return pool;
  }

  /**
   * Sees that the database is there and has an inbox for which this program is written.
   *
   * @throws {ConfigurationError} it cannot be used, with the fix
   * @throws {DatabaseUnavailableError} trying again may help
   */
  async check(): Promise<void> {
    const { client } = await this.#connection();
    client.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    await this.#watching;
    for (const pool of this.#pools.values()) await pool.end();
  }
}

/**
 * The server said that it has committed, and beside it that it has given up waiting for its standbys
 * (somebody cancelled the statement). Until the same call has succeeded, nothing was acknowledged.
 */
class NotReplicatedError extends DatabaseUnavailableError {
  constructor() {
    super(
      "The database gave up waiting for its synchronous standby, because the statement was cancelled: a " +
        "failover could lose what it has committed. Try again; see whether the standby is there",
    );
  }
}
