import type { ApplicationPool } from "../inbox/application/pool.ts";
import type { Logger } from "../log.ts";
import type { Places } from "./places.ts";
import type { PortionPool } from "./portion_pool.ts";
import type { ReadBuffers } from "./read_buffers.ts";
import type { TokenWatch } from "./token_watch.ts";
import type { TroubleLog } from "./trouble_log.ts";
import type { Watchers } from "./watchers.ts";

/** What every request is answered with. */
export interface Gateway {
  readonly inbox: ApplicationPool;
  readonly log: Logger;
  readonly portions: PortionPool;
  readonly reads: ReadBuffers;
  /** Of requests with a body. */
  readonly bodies: Places;
  /** Of event streams. */
  readonly streams: Places;
  readonly watchers: Watchers;
  readonly tokens: TokenWatch;
  readonly troubles: TroubleLog;
  /** Aborted when the gateway stops. */
  readonly stop: AbortSignal;
  /** The storage whose paths are given; null: the first registered. */
  readonly served: string | null;
}

/** A request whose sender is known. */
export interface OwnRequest {
  readonly request: Request;
  readonly url: URL;
  /** Whose token it came with. */
  readonly ownerUuid: string;
  /** What the path's pattern has found. */
  readonly groups: Readonly<Record<string, string | undefined>>;
}
