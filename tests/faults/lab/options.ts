/**
 * How much to do, and with which seed: `deno test … -- --long --seed N`, as `deno task faults` calls it.
 * The short version is the default, so that a plain `deno test` and CI take minutes.
 */
export interface FaultOptions {
  readonly long: boolean;
  readonly seed: number;
}

export function readFaultOptions(args: readonly string[] = Deno.args): FaultOptions {
  const at = args.indexOf("--seed");
  const seed = at === -1 ? 1 : Number(args[at + 1]);
  if (!Number.isInteger(seed)) throw new Error(`--seed ${args[at + 1]} is not a whole number`);
  return { long: args.includes("--long"), seed };
}

export const options = readFaultOptions();

/** The short version's number, or the long one's. */
export function times<T>(short: T, long: T): T {
  return options.long ? long : short;
}
