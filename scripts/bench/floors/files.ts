/**
 * The files alone, without a database: created, written, fdatasynced, linked, 64 at once, and the two
 * directories fsynced once at the end. Arguments: a directory, a load as JSON.
 */
import { type Load, mediaOf, RandomBytes } from "../loads.ts";
import { peakMemoryOf } from "../processors.ts";

const AT_ONCE = 64;
const PIECE_BYTES = 64 * 1024;

const [directory = "", load = ""] = Deno.args;
// Made before: what is measured is files. Any piece of it is as random as the whole.
const bytes = new RandomBytes().take(1024 * 1024);
const directories = ["objects", "content"].map((name) => `${directory}/${name}`);
for (const path of directories) Deno.mkdirSync(path, { recursive: true });
const [objects = "", content = ""] = directories;

let free = AT_ONCE;
let wake = () => {};
for (const { itemUuid, mediaType, size } of mediaOf(JSON.parse(load) as Load)) {
  while (free === 0) await new Promise<void>((resolve) => wake = resolve);
  free -= 1;
  const name = `${itemUuid}-${mediaType}`;
  const file = Deno.openSync(`${objects}/${name}`, { write: true, createNew: true, mode: 0o440 });
  for (let left = size; left > 0; left -= PIECE_BYTES) {
    file.writeSync(bytes.subarray(0, Math.min(left, PIECE_BYTES)));
  }
  void file.syncData().then(() => {
    file.close();
    Deno.linkSync(`${objects}/${name}`, `${content}/${name}`);
    free += 1;
    wake();
  });
}
while (free < AT_ONCE) await new Promise<void>((resolve) => wake = resolve);
await Promise.all(directories.map(async (path) => {
  using opened = Deno.openSync(path);
  await opened.sync();
}));
console.log(peakMemoryOf("self"));
