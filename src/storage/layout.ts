import {
  isExt,
  isMediaType,
  isSha256,
  isUuid,
  type Media,
  MEDIA_TYPES,
  type MediaName,
  type MediaType,
} from "../media.ts";
import type { Timeline } from "../timeline.ts";

/**
 * Where everything is in a storage's root. All paths are relative to the root; the worker and the
 * administrator's tools both take them from here.
 */

/** Mode 0700: only the worker's user looks in here. */
export const PRIVATE_DIRECTORY = ".omoide";
export const IDENTITY_PATH = ".omoide/storage.json";
export const OBJECTS_DIRECTORY = ".omoide/objects";
/** Probe pairs and other orphans of checks; swept by the administrator. */
export const PROBE_DIRECTORY = ".omoide/probe";

/**
 * `.omoide/timeline-<cluster>-<number>`, an empty file: something was acknowledged to a primary on that
 * timeline. None is made for a cluster's first.
 */
export function timelinePath({ cluster, number }: Timeline): string {
  return `${PRIVATE_DIRECTORY}/timeline-${cluster}-${number}`;
}

/** The owner that a public path names, whatever else it says. */
export function ownerIn(path: string): string | undefined {
  return path.split("/")[1];
}

/** Reads a name in `.omoide` back; null where it is none that `timelinePath` makes. */
export function parseTimelineName(name: string): Timeline | null {
  const [, cluster, number] = /^timeline-(\d{1,20})-([1-9]\d{0,9})$/.exec(name) ?? [];
  return cluster === undefined ? null : { cluster, number: Number(number) };
}

export const OBJECT_MODE = 0o440;
export const PRIVATE_DIRECTORY_MODE = 0o700;
export const PUBLIC_DIRECTORY_MODE = 0o750;

/** Names that one media's object can take: the first, then `.2` to `.8`. */
export const MAX_OBJECT_NAMES = 8;

/**
 * The forms of a storage's tree, `format` in its `storage.json`. 1: 256 directories of objects. 2: 4,096, for
 * storages of hundreds of millions: ext4 without `large_dir` ends near nine million names a directory, and
 * tools hold the names of one in memory.
 *
 * Rejected: two levels, 65,536 directories. They took 24 s to be made and 5 s to be looked at at each start,
 * or had to be made by workers, which make nothing that a storage cannot be without.
 */
export type Format = typeof FORMATS[number];
export const FORMATS = [1, 2] as const;

/** How many digits of its checksum name an object's directory. */
const DIGITS: Readonly<Record<Format, number>> = { 1: 2, 2: 3 };

/** Where a storage has its objects. */
export class ObjectLayout {
  /** Every directory of objects, sorted. */
  readonly directories: readonly string[];
  /** Every directory that `storage init` makes below the root, parents first. A worker makes none of them. */
  readonly skeleton: readonly { readonly path: string; readonly mode: number }[];

  readonly #directories: ReadonlySet<string>;

  private constructor(private readonly digits: number) {
    this.directories = Array.from(
      { length: 16 ** digits },
      (_, i) => `${OBJECTS_DIRECTORY}/${i.toString(16).padStart(digits, "0")}`,
    );
    this.#directories = new Set(this.directories);
    this.skeleton = [
      ...[PRIVATE_DIRECTORY, PROBE_DIRECTORY, OBJECTS_DIRECTORY, ...this.directories]
        .map((path) => ({ path, mode: PRIVATE_DIRECTORY_MODE })),
      ...MEDIA_TYPES.map((path) => ({ path, mode: PUBLIC_DIRECTORY_MODE })),
    ];
  }

  isDirectory(path: string): boolean {
    return this.#directories.has(path);
  }

  /** `.omoide/objects/ab` */
  directoryOf(sha256: string): string {
    return `${OBJECTS_DIRECTORY}/${sha256.slice(0, this.digits)}`;
  }

  pathOf(media: Pick<Media, "sha256" | "id">, attempt = 1): string {
    return `${this.directoryOf(media.sha256)}/${objectName(media, attempt)}`;
  }

  static readonly #made = new Map<Format, ObjectLayout>();

  static of(format: Format): ObjectLayout {
    const made = ObjectLayout.#made.get(format) ?? new ObjectLayout(DIGITS[format]);
    ObjectLayout.#made.set(format, made);
    return made;
  }
}

/** Whether a directory is the root or one of the skeleton: without it there is no storage. */
export function isSkeleton(directory: string): boolean {
  return !directory.includes("/") || directory.startsWith(`${PRIVATE_DIRECTORY}/`);
}

/** The directory that a path relative to the root is in. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** `a/b/c` has itself, `a/b`, `a` and "", the root. */
export function withAncestors(path: string): string[] {
  const paths = [path];
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
    paths.push(path.slice(0, end));
  }
  paths.push("");
  return paths;
}

/** `<sha256>-<media id>`, with `.2`, `.3`, … where earlier attempts died and left theirs. */
export function objectName(media: Pick<Media, "sha256" | "id">, attempt = 1): string {
  return `${media.sha256}-${media.id}${attempt === 1 ? "" : `.${attempt}`}`;
}

/** What an object's name says of it. */
export interface ObjectName {
  readonly sha256: string;
  readonly mediaId: bigint;
  /** 1 for the first name, 2 for `.2`, … */
  readonly attempt: number;
}

const OBJECT_NAME = /^([0-9a-f]{64})-([1-9][0-9]{0,18})(?:\.([2-9]|[1-9][0-9]{1,3}))?$/;

/** Reads an object's name back; null where it is none that `objectName` makes. */
export function parseObjectName(name: string): ObjectName | null {
  const match = OBJECT_NAME.exec(name);
  if (match === null) return null;
  const [, sha256 = "", id = "", attempt = "1"] = match;
  return { sha256, mediaId: BigInt(id), attempt: Number(attempt) };
}

/** `content/<owner>`: the directory of everything of one owner and type. */
export function ownerDirectory(media: Pick<MediaName, "mediaType" | "ownerUuid">): string {
  return `${media.mediaType}/${media.ownerUuid}`;
}

/** `content/<owner>/<first characters of item>` */
export function publicDirectory(
  media: Pick<MediaName, "mediaType" | "ownerUuid" | "itemUuid">,
  prefixSize: number,
): string {
  return `${ownerDirectory(media)}/${media.itemUuid.slice(0, prefixSize)}`;
}

/** The media's usual path: what its receipt means where it names no other. */
export function publicPath(media: MediaName, prefixSize: number): string {
  return `${publicDirectory(media, prefixSize)}/${media.publicName}`;
}

/** What a public path says of the file there. */
export interface PublicPath {
  readonly mediaType: MediaType;
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly ext: string;
  /** Of a name like `<item>~<sha256>.<ext>`; null for a usual one. */
  readonly sha256: string | null;
}

/**
 * Reads `<media type>/<owner>/<prefix>/<name>` back, null where a worker could not have made it.
 *
 * @param path relative to the root
 */
export function parsePublicPath(path: string, prefixSize: number): PublicPath | null {
  const [mediaType = "", ownerUuid = "", prefix = "", name = "", ...more] = path.split("/");
  const match = /^([^~.]*)(?:~([^.]*))?\.([^.]*)$/.exec(name);
  if (match === null || more.length > 0) return null;
  const [, itemUuid = "", sha256, ext = ""] = match;
  if (!isMediaType(mediaType) || !isUuid(ownerUuid) || !isUuid(itemUuid) || !isExt(ext)) {
    return null;
  }
  if (sha256 !== undefined && !isSha256(sha256)) return null;
  if (prefix !== itemUuid.slice(0, prefixSize)) return null;
  return { mediaType, ownerUuid, itemUuid, ext, sha256: sha256 ?? null };
}

/**
 * Says what makes a path unfit to be a root, or null where its form is fit. Links in it are not seen
 * here: nothing is looked up.
 */
export function unfitRoot(root: string): string | null {
  const shown = JSON.stringify(root);
  if (!root.startsWith("/")) return `root ${shown} is not absolute; give the whole path, from /`;
  if (root === "/") return `root ${shown} is the whole machine; give a directory of its own`;
  // Deno splits the values of its permission flags at commas.
  if (root.includes(",")) return `root ${shown} contains a comma; rename the directory`;
  if (/\p{Cc}/u.test(root)) {
    return `root ${shown} contains a control character; rename the directory`;
  }
  const parts = root.split("/").slice(1);
  if (parts.some((part) => part === "" || part === "." || part === "..")) {
    return `root ${shown} is not in its plain form; give it without //, . and .. and without a / at the end`;
  }
  return null;
}
