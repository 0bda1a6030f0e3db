/** Runs a program to its end. @returns what it printed @throws with what it said, unless it exits 0 */
export async function run(program: string, ...args: string[]): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(
    `${[program, ...args].join(" ")} exits ${code}: ${new TextDecoder().decode(stderr)}`,
  );
}

/** Asks again until the answer is neither undefined nor false. For what the kernel gives no event of. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  while (true) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    }
    await pause(10);
  }
}

/** Lets time pass: only between two looks at something, or where the time is the fault itself. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
