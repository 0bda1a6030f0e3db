import { resolve } from "node:path";

/**
 * Where a demo keeps everything: a temporary directory, or one that is kept.
 *
 * @throws {Error} there is something in it already
 */
export async function placeFor(keep: string | undefined): Promise<string> {
  if (keep === undefined) {
    return await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-demo-" }));
  }
  const directory = resolve(keep);
  await Deno.mkdir(directory, { recursive: true });
  for await (const { name } of Deno.readDir(directory)) {
    throw new Error(`--keep ${directory} holds ${name} already; name an empty or a new directory`);
  }
  return await Deno.realPath(directory);
}
