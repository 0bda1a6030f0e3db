import { cannot, ConfigurationError, StorageLostError } from "../errors.ts";
import { isStorageName, isUuid } from "../media.ts";
import { isOfFile } from "./failures.ts";
import { type AwaitableCalls, type FileCalls, fileCalls, osCode } from "./file_calls.ts";
import { IDENTITY_PATH, PRIVATE_DIRECTORY } from "./layout.ts";
import type { NotedMount, StorageIdentity } from "./storage.ts";

/** Far above what an identity takes (about 400), and far below what would hurt to read before each batch. */
export const MAX_IDENTITY_BYTES = 4096;

const RESTORE = "restore it from a backup";

/**
 * Reads and checks who the storage at `root` is.
 *
 * @throws {StorageLostError} there is no storage at `root` (its disk is not mounted, or it is none yet)
 * @throws {ConfigurationError} there is one, but its identity cannot be read or makes no sense
 */
export function readIdentity(root: string, calls: FileCalls = fileCalls): StorageIdentity {
  const path = `${root}/${IDENTITY_PATH}`;
  let file: Deno.FsFile;
  try {
    const found = calls.lstat(path);
    if (found === null) throw missing(root, calls);
    // A FIFO here would hang whoever opens it.
    if (!found.isFile) throw irregular(path);
    file = calls.openRead(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    const text = new Text(path);
    while (!text.isWhole) text.add(calls.read(file, text.rest));
    return parseIdentity(text.toString(), path);
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    calls.close(file);
  }
}

/** As `readIdentity`, by calls that may take their time. */
export async function awaitIdentity(root: string, calls: AwaitableCalls): Promise<StorageIdentity> {
  const path = `${root}/${IDENTITY_PATH}`;
  try {
    const found = await calls.lstat(path);
    if (found === null) throw gone(path);
    if (!found.isFile) throw irregular(path);
    const file = await calls.openRead(path);
    try {
      const text = new Text(path);
      while (!text.isWhole) text.add(await calls.read(file, text.rest));
      return parseIdentity(text.toString(), path);
    } finally {
      calls.close(file);
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Checks the text of a storage.json.
 *
 * @param where named in the errors
 * @throws {ConfigurationError} naming the first value that is wrong
 */
export function parseIdentity(text: string, where: string): StorageIdentity {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigurationError(`${where} is not JSON; ${RESTORE}`);
  }
  const { format, storage, uuid, inbox, prefixSize, mount } = Object(value) as Record<
    string,
    unknown
  >;
  if (typeof format === "number" && format > 2) {
    throw new ConfigurationError(
      `${where} has format ${format}, this program knows 1 and 2; use the newer program that made it`,
    );
  }
  const wrong = (name: string, found: unknown, rule: string) =>
    new ConfigurationError(
      `${where}: ${name} is ${JSON.stringify(found) ?? "missing"}, not ${rule}; ${RESTORE}`,
    );
  if (format !== 1 && format !== 2) throw wrong("format", format, "1 or 2");
  if (typeof storage !== "string" || !isStorageName(storage)) {
    throw wrong("storage", storage, "a storage's name");
  }
  if (typeof uuid !== "string" || !isUuid(uuid)) throw wrong("uuid", uuid, "a UUID");
  if (typeof inbox !== "string" || !isUuid(inbox)) throw wrong("inbox", inbox, "a UUID");
  if (typeof prefixSize !== "number" || !isPrefixSize(prefixSize)) {
    throw wrong("prefixSize", prefixSize, "an integer from 1 to 8");
  }
  const identity: StorageIdentity = { format, storage, uuid, inbox, prefixSize };
  if (mount === undefined) return identity;
  const noted = parseMount(mount);
  if (noted === null) throw wrong("mount", mount, "what `storage init` notes there");
  return { ...identity, mount: noted };
}

/** Null where it is none that `storage init` could have noted. */
function parseMount(value: unknown): NotedMount | null {
  const { type, accepted } = Object(value) as Record<string, unknown>;
  if (!isShortText(type)) return null;
  if (accepted === undefined) return { type };
  const { words, at } = Object(accepted) as Record<string, unknown>;
  if (!isShortText(words) || !isShortText(at) || Number.isNaN(Date.parse(at))) return null;
  return { type, accepted: { words, at } };
}

function isShortText(value: unknown): value is string {
  return typeof value === "string" && /^[\x20-\x7e]{1,200}$/.test(value);
}

/** The text of a storage.json; `parseIdentity` reads it back. */
export function formatIdentity(identity: StorageIdentity): string {
  const { format, storage, uuid, inbox, prefixSize, mount } = identity;
  return JSON.stringify({ format, storage, uuid, inbox, prefixSize, mount }, null, 2) + "\n";
}

/** Whether two identities are the same storage, laid out the same way, wherever it lies. */
export function sameIdentity(a: StorageIdentity, b: StorageIdentity): boolean {
  const bare = ({ mount: _, ...identity }: StorageIdentity) => formatIdentity(identity);
  return bare(a) === bare(b);
}

function isPrefixSize(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 8;
}

/** A file's text as it is read, up to a little more than the most that it may have. */
class Text {
  readonly #bytes = new Uint8Array(MAX_IDENTITY_BYTES + 1);
  #length = 0;
  #ended = false;

  constructor(private readonly path: string) {}

  get isWhole(): boolean {
    return this.#ended || this.#length === this.#bytes.length;
  }

  /** Where the next bytes go. */
  get rest(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#length);
  }

  /** @param count how many have come, null at the end */
  add(count: number | null): void {
    if (count === null) this.#ended = true;
    else this.#length += count;
  }

  /** @throws {ConfigurationError} it is longer than an identity may be */
  toString(): string {
    if (this.#length > MAX_IDENTITY_BYTES) {
      throw new ConfigurationError(
        `${this.path} is longer than ${MAX_IDENTITY_BYTES} bytes; ${RESTORE}`,
      );
    }
    return new TextDecoder().decode(this.#bytes.subarray(0, this.#length));
  }
}

function missing(root: string, calls: FileCalls): StorageLostError {
  const absent = [root, `${root}/${PRIVATE_DIRECTORY}`].find((path) => calls.lstat(path) === null);
  return new StorageLostError(
    `There is no storage at ${root}: ${absent ?? `${root}/${IDENTITY_PATH}`} does not exist; ` +
      "mount its disk, or make it with `storage init`",
  );
}

/** It was there when the storage was opened. */
function gone(path: string): StorageLostError {
  return new StorageLostError(`${path} does not exist any more; mount its disk`);
}

function irregular(path: string): ConfigurationError {
  return new ConfigurationError(`${path} is not a regular file; ${RESTORE}`);
}

function unreadable(path: string, error: unknown): unknown {
  if (!isOfFile(error) && !(error instanceof Deno.errors.NotCapable)) return error;
  const action = `read ${path}`, options = { cause: error };
  if (["EACCES", "EPERM"].includes(osCode(error) ?? "")) {
    const fix = "run this as the user that owns the storage";
    return new ConfigurationError(cannot(action, error, fix), options);
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new ConfigurationError(cannot(action, error), options);
  }
  const fix = "see whether its disk is sound and mounted";
  return new StorageLostError(cannot(action, error, fix), options);
}

/** @throws {ConfigurationError} the inbox is not the one that this storage was made for */
export function requireInbox(
  identity: StorageIdentity,
  found: { readonly inbox: string; readonly prefixSize: number },
): void {
  if (found.inbox === identity.inbox && found.prefixSize === identity.prefixSize) return;
  throw new ConfigurationError(
    `The inbox ${found.inbox} (prefix size ${found.prefixSize}) is not the one that this storage ` +
      `belongs to: ${identity.inbox} (prefix size ${identity.prefixSize}); see --root and --database`,
  );
}
