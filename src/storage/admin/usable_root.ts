import { dirname } from "node:path";
import { ConfigurationError } from "../../errors.ts";
import { MEDIA_TYPES } from "../../media.ts";
import { fileCalls } from "../file_calls.ts";
import { FORMATS, IDENTITY_PATH, ObjectLayout, PRIVATE_DIRECTORY, unfitRoot } from "../layout.ts";

/** @throws {ConfigurationError} a path that no storage can have, or that leads through a link */
export function requireRealRoot(root: string): void {
  const unfit = unfitRoot(root);
  if (unfit !== null) throw new ConfigurationError(`Cannot make a storage: ${unfit}`);
  const found = fileCalls.lstat(root);
  const existing = found === null ? dirname(root) : root;
  if (fileCalls.lstat(existing) === null) {
    throw new ConfigurationError(
      `Cannot make a storage at ${root}: ${existing} does not exist; mount its disk or make it first`,
    );
  }
  const real = fileCalls.realPath(existing);
  if (real !== existing) {
    throw new ConfigurationError(
      `Cannot make a storage at ${root}: there is a symbolic link in it; ` +
        `give ${found === null ? `${real}/…` : real} instead`,
    );
  }
  if (found !== null && !found.isDirectory) {
    throw new ConfigurationError(`Cannot make a storage at ${root}: it is not a directory`);
  }
}

/**
 * Where there is no identity, there may be nothing but what a run of `initRoot` that died has made.
 *
 * @throws {ConfigurationError} there is something else
 */
export function requireUnused(root: string, adopt: boolean): void {
  const names = namesIn(root).filter((name) => name !== "lost+found");
  const publicNames: readonly string[] = MEDIA_TYPES;
  const unexpected = names.filter((name) =>
    name !== PRIVATE_DIRECTORY && !publicNames.includes(name)
  );
  if (unexpected.length > 0) {
    throw new ConfigurationError(
      `Cannot make a storage at ${root}: it holds ${some(unexpected)}; ` +
        (adopt ? "move that away, and adopt it again" : "give an empty directory"),
    );
  }
  const unfinished = names.includes(PRIVATE_DIRECTORY);
  const held = unfinished
    ? FORMATS.flatMap((format) => ObjectLayout.of(format).directories)
      .filter((path) => !isEmpty(`${root}/${path}`))
    : [];
  if (held.length > 0) {
    throw new ConfigurationError(
      `Cannot make a storage at ${root}: it was one (${some(held)} holds objects), but its ` +
        `${IDENTITY_PATH} is lost; restore that file from a backup`,
    );
  }
  if (adopt) return;
  const tree = names.filter((name) =>
    publicNames.includes(name) && !(unfinished && isEmpty(`${root}/${name}`))
  );
  if (tree.length > 0) {
    throw new ConfigurationError(
      `Cannot make a storage at ${root}: it holds the tree of an Omoide installation ` +
        `(${some(tree)}); take it over with \`storage adopt\`, or give an empty directory`,
    );
  }
}

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function isEmpty(path: string): boolean {
  const found = fileCalls.lstat(path);
  return found === null || (found.isDirectory && namesIn(path).length === 0);
}

function some(names: readonly string[]): string {
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}
