/**
 * The properties that have a value. Under `exactOptionalPropertyTypes` one that may be left out may not be
 * undefined, as what was not given on a command line is.
 */
export function defined<T extends object>(
  properties: T,
): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  const entries = Object.entries(properties).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]?: Exclude<T[Name], undefined> };
}
