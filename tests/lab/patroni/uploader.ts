import { randomBytes } from "node:crypto";
import { DatabaseUnavailableError } from "../../../src/errors.ts";
import { ApplicationPool } from "../../../src/inbox/application/pool.ts";
import { submitUnlessThere } from "../../../src/inbox/application/small_media.ts";
import { parseDatabaseUrl } from "../../../src/inbox/database_url.ts";
import { sha256Of } from "../../support/media.ts";
import { pause } from "../command.ts";

/** What an uploader was told is safe. */
export interface Acknowledged {
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly sha256: string;
  /** performance.now() */
  readonly at: number;
}

const BYTES = 10_000;
const PAUSE_MS = 40;

/** Uploads one file after the other as the gateway does, and tries each again until it is acknowledged. */
export class Uploader {
  readonly acknowledged: Acknowledged[] = [];
  readonly #pool: ApplicationPool;
  readonly #running: Promise<void>;
  #isStopped = false;
  /** How often an upload had to be tried again. */
  failures = 0;

  constructor(url: string, password: string) {
    this.#pool = new ApplicationPool(parseDatabaseUrl(url, "omoide_app"), { password }, 4);
    this.#running = this.#run();
  }

  /** The longest time without an acknowledgement since then, in milliseconds. */
  longestGapMs(since: number): number {
    const times = [since, ...this.acknowledged.map(({ at }) => at).filter((at) => at >= since)];
    return Math.max(0, ...times.slice(1).map((at, n) => at - (times[n] ?? at)));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#pool[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    const ownerUuid = crypto.randomUUID();
    while (!this.#isStopped) {
      const name = {
        ownerUuid,
        itemUuid: crypto.randomUUID(),
        mediaType: "content",
        ext: "jpg",
      } as const;
      const bytes = randomBytes(BYTES);
      await this.#upload(name, bytes);
      await pause(PAUSE_MS);
    }
  }

  async #upload(
    name: Parameters<typeof submitUnlessThere>[1],
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const sha256 = sha256Of(bytes);
    for (;;) {
      try {
        await submitUnlessThere(this.#pool, name, bytes, Uint8Array.fromHex(sha256));
        const { ownerUuid, itemUuid } = name;
        this.acknowledged.push({ ownerUuid, itemUuid, sha256, at: performance.now() });
        return;
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError)) throw error;
        this.failures++;
        if (this.#isStopped) return;
        await pause(200);
      }
    }
  }
}
