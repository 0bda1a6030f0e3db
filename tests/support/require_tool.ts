/**
 * What a test needs beside Deno. Where it is missing, the test is left out and says why; in CI, where
 * everything is installed, a missing tool is a failure: a test that is left out there would never run.
 */
export interface ToolNeeds {
  /** The test mounts, or acts as another user. */
  readonly root?: boolean;
}

/**
 * For `Deno.test({ ...requireTools(["strace"], { root: true }), name, fn })`.
 *
 * @param names programs to be found in PATH or the administrator's directories, or absolute paths of files
 * @throws where CI=true and something is missing
 */
export function requireTools(names: readonly string[], needs: ToolNeeds = {}): { ignore: boolean } {
  const missing = names.filter((name) => !isInstalled(name)).map((name) => `no ${name}`);
  if (Deno.build.os !== "linux") missing.push("not Linux");
  else if (needs.root && Deno.uid() !== 0) missing.push("not root");
  if (missing.length === 0) return { ignore: false };
  if (Deno.env.get("CI") === "true") throw new Error(`CI lacks what a test needs: ${missing}`);
  console.error(`left out: ${missing.join(", ")}`);
  return { ignore: true };
}

function isInstalled(name: string): boolean {
  const directories = name.startsWith("/")
    ? [""]
    : [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => {
    try {
      return Deno.statSync(`${directory}/${name}`).isFile;
    } catch {
      return false;
    }
  });
}
