import { ConfigurationError, DatabaseUnavailableError } from "../../errors.ts";
import { clientOptions, connectError, type Credentials, useSettings } from "../connect.ts";
import type { DatabaseAddress } from "../database_url.ts";
import { pg } from "../pg.ts";
import { applicationError } from "./refusal.ts";

/** Runs one autocommit statement of the application. */
export interface Caller {
  /**
   * @returns the rows
   * @throws {RefusedError} the inbox says no, and why
   * @throws {DatabaseUnavailableError} trying again may help: whether it took effect is not known
   */
  call<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]>;
}

/** A short name for each statement there is: the server keeps 63 characters of one. */
const NAMES = new Map<string, string>();

function nameOf(text: string): string {
  const name = NAMES.get(text) ?? `call_${NAMES.size + 1}`;
  NAMES.set(text, name);
  return name;
}

/** How long a call waits for a connection of the pool, and a statement for its answer, in milliseconds. */
const WAIT_MS = 20_000;
const ANSWER_MS = 60_000;

/**
 * The application's connections. Each statement takes one for as long as it runs, so that a hundred slow
 * clients need no more of them than a few fast ones.
 */
export class ApplicationPool implements Caller, AsyncDisposable {
  readonly #pool: pg.Pool;

  /** @param size connections at the most; the role may have 60 in all */
  constructor(
    readonly address: DatabaseAddress,
    private readonly credentials: Credentials,
    size: number,
  ) {
    this.#pool = new pg.Pool({
      ...clientOptions(address, credentials, "application"),
      max: size,
      connectionTimeoutMillis: WAIT_MS,
      query_timeout: ANSWER_MS,
      idleTimeoutMillis: 60_000,
      onConnect: useSettings,
    });
    // Of an idle connection that ended. The next call makes another.
    this.#pool.on("error", () => {});
  }

  async call<Row extends object>(text: string, values: readonly unknown[]): Promise<Row[]> {
    const client = await this.#connection();
    let broken: Error | undefined;
    try {
      // Named, so that each connection parses and plans it once.
      const result = await client.query<Row>({ name: nameOf(text), text, values: [...values] });
      return result.rows;
    } catch (thrown) {
      const error = applicationError(thrown);
      // What it still answers to is unknown.
      if (error instanceof DatabaseUnavailableError) broken = error;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  async #connection(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw connectError(error, this.address, this.credentials);
    }
  }

  /**
   * Sees that the database is there and has an inbox that knows these calls.
   *
   * @throws {ConfigurationError} it cannot be used, with the fix
   * @throws {DatabaseUnavailableError} trying again may help
   */
  async check(): Promise<void> {
    const [row] = await this.call<{ ready: boolean }>(
      "SELECT has_function_privilege('omoide.where_items(uuid, uuid[], text)', 'EXECUTE') AS ready",
      [],
    );
    if (row?.ready !== true) {
      throw new ConfigurationError(
        `The role ${this.address.user} may not use this inbox; log in as omoide_app, and run ` +
          "`inbox init`",
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}
