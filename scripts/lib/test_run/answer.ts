/** For what may be missing or fail. @returns what a program prints, undefined where it is missing or fails */
export async function answer(program: string, ...args: string[]): Promise<string | undefined> {
  const options = { args, stdin: "null", stderr: "null" } as const;
  const output = await new Deno.Command(program, options).output().catch(() => undefined);
  return output?.success ? new TextDecoder().decode(output.stdout) : undefined;
}
