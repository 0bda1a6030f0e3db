import type { Random } from "./random.ts";
import type { RecordedDisk } from "./recorded_disk.ts";
import type { Shelf } from "./shelf.ts";

/** Which of the writes since the last flush a power cut leaves. */
export type Survival =
  /** None of them: the strictest a disk with a cache may do. */
  | "none"
  /** Each whole write by a coin's toss, later ones without earlier ones too: reordered. */
  | "some"
  /** Each sector by a coin's toss: torn writes too. */
  | "torn"
  /** All of them: only the process stopped. */
  | "all";

/**
 * What a disk writes whole or not at all: a physical sector. Not the 512 bytes that the loop device claims:
 * ext4 does not survive a tear in the 1,024 bytes of its journal's superblock, and no disk of today does that.
 */
const SECTOR = 4096;

/**
 * Rebuilds what a recorded disk would hold after a power cut at given moments. Moments must be asked
 * for in ascending order: what is flushed is kept in one image that only moves forward.
 */
export class PowerCuts implements Disposable {
  readonly #file: Deno.FsFile;
  /** Where in the log the durable image stands: after a flush. */
  #durableTo = 0;
  readonly #durable: Deno.FsFile;

  private constructor(
    private readonly shelf: Shelf,
    disk: RecordedDisk,
    private readonly image: string,
  ) {
    this.#file = Deno.openSync(disk.log);
    this.#durable = Deno.openSync(image, { write: true });
  }

  static async of(shelf: Shelf, disk: RecordedDisk): Promise<PowerCuts> {
    const name = `durable-${crypto.randomUUID()}`;
    return new PowerCuts(shelf, disk, await shelf.clone(disk.before, name));
  }

  /** @returns the image that is left, and how many writes were on their way */
  async cutAt(
    moment: number,
    survival: Survival,
    random: Random,
    name: string,
  ): Promise<{ image: string; pending: number }> {
    let pending: BlockWrite[] = [];
    let at = this.#durableTo;
    while (at < moment) {
      const event = this.#readEvent(at);
      if (event.end > moment) break;
      at = event.end;
      if (event.write !== null) {
        pending.push(event.write);
        continue;
      }
      for (const write of pending) this.#applyTo(this.#durable, write);
      pending = [];
      this.#durableTo = at;
    }
    const image = await this.shelf.clone(this.image, name);
    using cut = Deno.openSync(image, { write: true });
    for (const write of pending) {
      if (survival === "torn") this.#applySectors(cut, write, random);
      else if (survival === "all" || (survival === "some" && random.chance(0.5))) {
        this.#applyTo(cut, write);
      }
    }
    return { image, pending: pending.length };
  }

  #readEvent(at: number): { end: number; write: BlockWrite | null } {
    const head = this.#readAt(at, 1);
    if (head[0] === 0x46) return { end: at + 1, write: null };
    if (head[0] !== 0x57) throw new Error(`The recorder's log has no event at ${at}`);
    const view = new DataView(this.#readAt(at + 1, 12).buffer);
    const length = view.getUint32(8, true);
    const write = { from: at + 13, offset: Number(view.getBigUint64(0, true)), length };
    return { end: at + 13 + length, write };
  }

  #readAt(position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    this.#file.seekSync(position, Deno.SeekMode.Start);
    for (let got = 0; got < length;) {
      const more = this.#file.readSync(bytes.subarray(got));
      if (more === null) throw new Error(`The recorder's log ends before ${position + length}`);
      got += more;
    }
    return bytes;
  }

  #applyTo(image: Deno.FsFile, write: BlockWrite): void {
    writeAt(image, write.offset, this.#readAt(write.from, write.length));
  }

  #applySectors(image: Deno.FsFile, write: BlockWrite, random: Random): void {
    const bytes = this.#readAt(write.from, write.length);
    for (let from = 0; from < bytes.length; from += SECTOR) {
      if (random.chance(0.5)) {
        writeAt(image, write.offset + from, bytes.subarray(from, from + SECTOR));
      }
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
    this.#durable.close();
  }
}

interface BlockWrite {
  /** Where its bytes begin in the log. */
  readonly from: number;
  /** Where they belong on the disk. */
  readonly offset: number;
  readonly length: number;
}

function writeAt(file: Deno.FsFile, position: number, bytes: Uint8Array): void {
  file.seekSync(position, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
