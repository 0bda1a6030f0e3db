/** Runs a command to its end. @returns its standard output @throws {Error} what it says instead */
export async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (code === 0) return decoder.decode(stdout);
  throw new Error(`${command} ended with ${code}: ${decoder.decode(stderr).trim()}`);
}

/** Runs one of the benchmark's own programs, from source. Errors as `run`. */
export async function runScript(script: string, ...args: readonly string[]): Promise<string> {
  const path = new URL(script, import.meta.url).pathname;
  return await run(Deno.execPath(), "run", "-A", "--no-check", path, ...args);
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
