import type { Logger } from "../log.ts";
import type { WriteOnceStorage } from "../storage/storage.ts";
import type { GroupSize } from "./group_size.ts";
import type { Heartbeat } from "./heartbeat.ts";
import type { WorkerOptions } from "./options.ts";
import type { Probation } from "./probation.ts";
import type { Progress } from "./progress.ts";
import type { Wake } from "../wake.ts";

/** What lives as long as the process; sessions with the inbox come and go. */
export interface WorkerContext {
  readonly options: WorkerOptions;
  readonly storage: WriteOnceStorage;
  readonly heartbeat: Heartbeat;
  /** How many media go together. */
  readonly group: GroupSize;
  readonly probation: Probation;
  readonly progress: Progress;
  readonly log: Logger;
  readonly wake: Wake;
  /** Aborted when the worker is to finish what is open, and end. */
  readonly stop: AbortSignal;
}
