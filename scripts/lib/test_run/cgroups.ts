import { basename, join } from "node:path";

/**
 * What the directories of machines begin with that tests boot in a directory, and so their cgroups. It has
 * the directory's name, since what is in the directory may be gone when its cgroups are asked for.
 */
export function machinePrefix(directory: string): string {
  return `omoide-machine-${basename(directory)}-`;
}

/** The cgroups of machines that tests have booted in a directory, by name. */
export async function machineCgroups(directory: string): Promise<string[]> {
  const root = await cgroup2Root();
  if (root === undefined) return [];
  return [...Deno.readDirSync(root)].map(({ name }) => name)
    .filter((name) => name.startsWith(machinePrefix(directory)));
}

/**
 * Removes a cgroup at the top of the tree, with those below it. Namespaces vanish with their last process;
 * the cgroups made in them stay.
 *
 * @returns false while a process is left in one of them
 */
export async function removeCgroup(name: string): Promise<boolean> {
  const root = await cgroup2Root();
  return root === undefined || removeEmpty(join(root, name));
}

/** Where the tree is mounted. @returns undefined where it is not */
export async function cgroup2Root(): Promise<string | undefined> {
  const mounts = (await Deno.readTextFile("/proc/self/mountinfo")).split("\n");
  return mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
}

function removeEmpty(directory: string): boolean {
  try {
    for (const entry of Deno.readDirSync(directory)) {
      if (entry.isDirectory && !removeEmpty(join(directory, entry.name))) return false;
    }
    Deno.removeSync(directory);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}
