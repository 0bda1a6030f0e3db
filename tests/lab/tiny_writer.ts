/**
 * The plainest program that stores files: used to show that the lab sees a loss where there is one, and
 * none where there is none. Prints a line for each file that it takes for stored.
 *
 * Usage: tiny_writer.ts DIRECTORY COUNT none|file|all
 *   none: no fsync at all; file: of the bytes, but not of the names; all: of both
 */
const [directory = ".", count = "0", care = "all"] = Deno.args;

for (let index = 0; index < Number(count); index++) {
  const hidden = `${directory}/.${index}`;
  using file = Deno.openSync(hidden, { write: true, createNew: true });
  const bytes = new TextEncoder().encode(`${index} `.repeat(2_000));
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  if (care !== "none") file.syncDataSync();
  Deno.linkSync(hidden, `${directory}/${index}`);
  if (care === "all") {
    using names = Deno.openSync(directory);
    names.syncSync();
  }
  console.log(index);
}
