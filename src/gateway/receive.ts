import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { BodyReader } from "./body_reader.ts";
import type { PortionPool } from "./portion_pool.ts";
import { Portions, type Sink } from "./portions.ts";
import type { ReadBuffers } from "./read_buffers.ts";

/**
 * What is stored by one statement at the most: eight chunks. One upload of 256 MiB, as a share of the speed
 * of append_chunk alone: 0.93 with 1 MiB, 1.06 with 2, 1.10 with 4, which would take twice the memory.
 */
export const PORTION_BYTES = 2 * 1024 * 1024;
/** What came in is stored after so long, however little it is: a cut then costs no more. */
const HOLD_MS = 2_000;
/** A client that sends nothing for so long has gone. */
const SILENCE_MS = 60_000;
const LOOK_MS = 500;

/** Why no more was read; what had come in before has been stored. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  constructor(readonly kind: "cut" | "silent" | "stopping", options?: ErrorOptions) {
    super(`the request's body ended early: ${kind}`, options);
  }
}

/** What a body is read with. */
export interface Receiving {
  readonly portions: PortionPool;
  readonly reads: ReadBuffers;
  /** Aborted when the gateway stops: what has come in is stored, nothing more is read. */
  readonly stop: AbortSignal;
}

/**
 * Reads a body into its sink, a portion at a time. Whatever ends it, what has come in is stored first.
 *
 * @throws {BodyError} the client went away or fell silent, or the gateway stops
 * @throws what the sink throws; the rest of the body can then be read by another
 */
export async function receive(
  body: ReadableStream<Uint8Array>,
  { portions: pool, reads, stop }: Receiving,
  sink: Sink,
): Promise<void> {
  const reader = new BodyReader(body, reads);
  const portions = new Portions(pool, sink, () => reader.leave());
  let waitingSince: number | null = null;
  let ended: BodyError | null = null;
  const end = (kind: BodyError["kind"]) => {
    ended ??= new BodyError(kind);
    reader.cancel();
  };
  const stopped = () => end("stopping");
  // One timer for each body, and none for each read, of which there are 16,000 in a GiB.
  const look = setInterval(() => {
    portions.storeIfOlder(HOLD_MS);
    if (waitingSince !== null && performance.now() - waitingSince >= SILENCE_MS) end("silent");
  }, LOOK_MS);
  stop.addEventListener("abort", stopped);
  if (stop.aborted) stopped();
  try {
    for (;;) {
      waitingSince = performance.now();
      const piece = await reader.read();
      waitingSince = null;
      if (piece === null) break;
      await portions.add(piece);
      // What has come in already is read without a turn of the event loop, and the portion that is being sent
      // then waits until the next one is full: of the speed of append_chunk alone, 1 GiB in parts had 0.75
      // without these turns, and has 1.2 with them.
      await eventLoopTurn();
    }
    await portions.flush();
  } catch (error) {
    reader.cancel();
    await portions.flush();
    throw ended ?? new BodyError("cut", { cause: error });
  } finally {
    clearInterval(look);
    stop.removeEventListener("abort", stopped);
    portions.drop();
    reader.close();
  }
  if (ended !== null) throw ended;
}
