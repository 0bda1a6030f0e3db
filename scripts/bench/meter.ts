import type { Connection } from "../../src/inbox/connect.ts";
import { between, type Processors, readProcessors, type Snapshot } from "./processors.ts";
import { type Server, walBytes } from "./server.ts";

/** What was used from one moment to another. */
export interface Bill extends Processors {
  /** Seconds by the clock. */
  readonly seconds: number;
  /** Bytes. */
  readonly wal: number;
}

interface Reading extends Snapshot {
  readonly at: number;
  readonly wal: number;
}

/** Reads the processors' times and the WAL's position. */
export class Meter {
  private constructor(
    private readonly server: Server,
    private readonly connection: Connection,
    private readonly first: Reading,
  ) {}

  static async start(server: Server, connection: Connection): Promise<Meter> {
    return new Meter(server, connection, await read(server, connection));
  }

  /** What was used since it was started. */
  async bill(): Promise<Bill> {
    const now = await read(this.server, this.connection);
    return {
      ...between(this.first, now),
      seconds: now.at - this.first.at,
      wal: now.wal - this.first.wal,
    };
  }
}

async function read(server: Server, connection: Connection): Promise<Reading> {
  const wal = await walBytes(connection);
  return { ...readProcessors(server.process), at: performance.now() / 1000, wal };
}
