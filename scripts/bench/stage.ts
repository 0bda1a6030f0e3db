import type { Figures } from "./figures.ts";
import type { Ground } from "./ground.ts";
import { Server, type ServerKind, type ServerOptions } from "./server.ts";

/** Where a contender runs. */
export class Stage {
  constructor(
    readonly ground: Ground,
    readonly kind: ServerKind,
    /** Tiny: to see that everything works, not to measure. */
    readonly quick: boolean,
  ) {}

  /** With a new server, whose cluster lies beside what is stored. */
  async withServer<T>(
    work: (server: Server, directory: string) => Promise<T>,
    options: ServerOptions = {},
  ): Promise<T> {
    return await this.ground.inFreshDirectory(async (directory) => {
      await Deno.mkdir(`${directory}/postgres`);
      await using server = await Server.start(this.kind, `${directory}/postgres`, options);
      return await work(server, directory);
    });
  }
}

/** One way of doing it. Measures itself once, with everything made for it and gone after it. */
export type Contender = (stage: Stage) => Promise<Figures>;
