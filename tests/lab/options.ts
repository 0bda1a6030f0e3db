/**
 * How much to do, and with which seed: `deno test … -- --long --seed N --minutes N`, as `deno task faults`
 * calls it.
 * The short version is the default, so that a plain `deno test` and CI take minutes.
 */
interface FaultOptions {
  readonly long: boolean;
  readonly seed: number;
  /** How long the long version's soak goes on. */
  readonly minutes: number;
}

function wholeNumber(option: string, otherwise: number): number {
  const { args } = Deno;
  const at = args.indexOf(option);
  const number = at === -1 ? otherwise : Number(args[at + 1]);
  if (!Number.isInteger(number)) throw new Error(`${option} ${args[at + 1]} is not a whole number`);
  return number;
}

export const options: FaultOptions = {
  long: Deno.args.includes("--long"),
  seed: wholeNumber("--seed", 1),
  minutes: wholeNumber("--minutes", 60),
};

/** The short version's number, or the long one's. */
export function times<T>(short: T, long: T): T {
  return options.long ? long : short;
}
