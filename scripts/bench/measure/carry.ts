import type { Connection } from "../../../src/inbox/connect.ts";
import { run } from "../command.ts";
import type { Figures } from "../figures.ts";
import { bytesOf, type Load, type LoadedMedia, mediaOf, RandomBytes, shortened } from "../loads.ts";
import { type Bill, Meter } from "../meter.ts";
import { totalOf } from "../processors.ts";
import type { Server, ServerOptions } from "../server.ts";
import { vacuumAndCheckpoint } from "../settle.ts";
import type { Contender } from "../stage.ts";

/** A way from a database into two storages. */
export interface Carrier {
  /** Makes tables and roots. */
  prepare(server: Server, directory: string): Promise<void>;
  /** One file comes in, durably. */
  submit(connection: Connection, media: LoadedMedia, bytes: Uint8Array): Promise<void>;
  /** Before the clock starts, such as putting jobs into a queue. Part of coming in. */
  announce?(connection: Connection): Promise<void>;
  /** Starts the processes, and returns when every blob has left and they have ended. */
  carry(server: Server, directory: string, count: number): Promise<Carried>;
  /** What is left to do then, beside vacuum and checkpoint. */
  settle?(server: Server): Promise<void>;
}

export interface Carried {
  /** From the processes' start to the last receipt of both storages. */
  readonly seconds: number;
  /** The most that one process had, in bytes. */
  readonly peakMemory: number;
}

/** Sessions that submit side by side. */
const SESSIONS = 4;

/**
 * Brings a load in, has it carried, and waits until nothing is left to do: blobs gone, generations emptied,
 * vacuumed, checkpointed. All of it is in the bill.
 */
export function carrying(carrier: Carrier, load: Load, options: ServerOptions = {}): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      const wanted = stage.quick ? shortened(load) : load;
      await carrier.prepare(server, directory);
      const connection = await server.connect("bench");
      const meter = await Meter.start(server, connection);
      await submitAll(server, wanted, carrier.submit);
      await carrier.announce?.(connection);
      const comingIn = await meter.bill();
      // What the load left dirty would be written in the time of whoever carries it.
      await run("sync");
      const carrying = await Meter.start(server, connection);
      const carried = await carrier.carry(server, directory, wanted.count);
      await carrier.settle?.(server);
      await vacuumAndCheckpoint(connection);
      const [whole, rest] = [await meter.bill(), await carrying.bill()];
      await connection.end();
      return figuresOf(wanted, carried, { comingIn, whole, rest });
    }, options);
}

/** Sessions of the superuser, each submitting the next one when it has its answer. */
export async function submitAll(
  server: Server,
  load: Load,
  submit: Carrier["submit"],
): Promise<void> {
  const left = mediaOf(load);
  await Promise.all(Array.from({ length: SESSIONS }, async () => {
    const connection = await server.connect("bench submit");
    const random = new RandomBytes();
    for (const media of left) await submit(connection, media, random.take(media.size));
    await connection.end();
  }));
}

interface Bills {
  readonly comingIn: Bill;
  /** Coming in and all the rest. */
  readonly whole: Bill;
  readonly rest: Bill;
}

function figuresOf(load: Load, carried: Carried, { comingIn, whole, rest }: Bills): Figures {
  const bytes = bytesOf(load);
  const gb = bytes / 1e9;
  return {
    media_per_s: load.count / carried.seconds,
    mb_per_s: bytes / 1e6 / carried.seconds,
    all_done_mb_per_s: bytes / 1e6 / rest.seconds,
    database_s_per_gb: totalOf(whole.database) / gb,
    database_user_s_per_gb: whole.database.user / gb,
    database_system_s_per_gb: whole.database.system / gb,
    coming_in_database_s_per_gb: totalOf(comingIn.database) / gb,
    worker_s_per_gb: totalOf(rest.carriers) / gb,
    worker_user_s_per_gb: rest.carriers.user / gb,
    worker_system_s_per_gb: rest.carriers.system / gb,
    kernel_s_per_gb: whole.kernelThreads / gb,
    processor_s_per_1000: ourSeconds(whole) / load.count * 1000,
    wal_per_byte: whole.wal / bytes,
    coming_in_wal_per_byte: comingIn.wal / bytes,
    peak_memory_mb: carried.peakMemory / 1e6,
    others_cores: othersCores(rest),
  };
}

/** Seconds of processor of the database, the carriers and the kernel's own threads. */
export function ourSeconds({ database, carriers, kernelThreads }: Bill): number {
  return totalOf(database) + totalOf(carriers) + kernelThreads;
}

/** Cores that were busy with something else: above 0.1 or so the figures are not to be believed. */
export function othersCores(bill: Bill): number {
  const ours = ourSeconds(bill) + totalOf(bill.bench);
  return Math.max(0, bill.machine - ours) / bill.seconds;
}
