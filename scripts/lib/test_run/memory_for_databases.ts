/** What first_process.sh lets them take. They take some hundred megabytes at a time. */
const MOST_BYTES = 8 * 1024 ** 3;

/**
 * Where the tests' databases that need not survive a power cut lie in memory: 6 to 8 % of what
 * such a test costs is writing them to a disk, 300 files each, which are deleted a few seconds later. Storages
 * stay on the disk, since workers refuse one in memory.
 *
 * @returns empty where there is too little memory, or nobody may mount one
 */
export function memoryForDatabases(directory: string): string {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "";
  return Deno.systemMemoryInfo().available > 2 * MOST_BYTES ? `${directory}/memory` : "";
}
