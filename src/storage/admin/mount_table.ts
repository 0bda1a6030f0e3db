import { cannot, ConfigurationError } from "../../errors.ts";
import { FUSE } from "../file_systems.ts";

/** Administrator's code: no worker imports this. */

const TABLE = "/proc/self/mountinfo";

/**
 * The type of what is mounted where a path is (it may still have to be made), such as `ext4` or
 * `fuse.glusterfs`; null where there is no such table: this is not Linux.
 *
 * The runtime shows this file to no program that has not every permission, so `cat` reads it. To be called
 * before the permission to run programs is dropped.
 *
 * @param path absolute, without links
 */
export function mountTypeOf(path: string): string | null {
  if (Deno.build.os !== "linux") return null;
  let output: Deno.CommandOutput;
  try {
    output = new Deno.Command("/bin/cat", {
      args: [TABLE],
      clearEnv: true,
      stdin: "null",
      stderr: "null",
    }).outputSync();
  } catch (error) {
    throw new ConfigurationError(cannot(`read ${TABLE} by /bin/cat`, error));
  }
  const type = findMountType(new TextDecoder().decode(output.stdout), path);
  if (type !== null) return type;
  throw new ConfigurationError(`${TABLE} does not say what is mounted at ${path}; mount /proc`);
}

/**
 * Finds what a path lies on: of all mount points above it the deepest, and of mounts that cover each other
 * the last. Comparing device numbers would not do: a subvolume of btrfs has none that the table knows.
 *
 * @param table the text of a mountinfo; see proc(5)
 */
export function findMountType(table: string, path: string): string | null {
  let found: { readonly point: string; readonly type: string } | null = null;
  for (const line of table.split("\n")) {
    const [fields = "", after = ""] = line.split(" - ", 2);
    const [escapedPoint] = fields.split(" ").slice(4);
    const [type, source] = after.split(" ").map(unescapeOctal);
    if (escapedPoint === undefined || type === undefined || type === "") continue;
    const point = unescapeOctal(escapedPoint);
    if (!isAtOrBelow(path, point)) continue;
    if (found === null || point.length >= found.point.length) {
      found = { point, type: typeBySource(type, source ?? "") };
    }
  }
  return found?.type ?? null;
}

/** MooseFS 3 names no subtype, and can be told from all the other FUSE by what it mounts. */
function typeBySource(type: string, source: string): string {
  return type === FUSE && source.startsWith("mfs#") ? `${FUSE}.mfs` : type;
}

function isAtOrBelow(path: string, point: string): boolean {
  return point === "/" || path === point || path.startsWith(`${point}/`);
}

/** A space is written `\040`, byte by byte. */
function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/\\[0-7]{3}|[^\\]+|\\/g)) {
    if (/^\\[0-7]{3}$/.test(part)) bytes.push(parseInt(part.slice(1), 8));
    else bytes.push(...new TextEncoder().encode(part));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
