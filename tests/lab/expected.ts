import { renamedName, usualName } from "../../src/media.ts";

/** A media that was submitted and committed: it must never be lost. */
export interface Submitted {
  readonly id: bigint;
  readonly ownerUuid: string;
  readonly itemUuid: string;
  readonly mediaType: string;
  readonly ext: string;
  readonly size: number;
  readonly sha256: string;
}

/** Which bytes may be seen under which public name of any storage. */
export class Expected {
  readonly media: Submitted[] = [];
  readonly #names = new Map<string, Set<string>>();

  /** Call before the submitting transaction commits: from then on a reader may see it. */
  allow(media: Omit<Submitted, "id">): void {
    for (const name of [usualName(media), renamedName(media)]) {
      this.allowFile(`${directoryOf(media)}/${name}`, media.sha256);
    }
  }

  /** Call when the submitting transaction has committed. */
  add(media: Submitted): void {
    this.media.push(media);
  }

  /** @param path relative to the root; such as a file planted before the worker came */
  allowFile(path: string, sha256: string): void {
    const allowed = this.#names.get(path) ?? new Set();
    this.#names.set(path, allowed.add(sha256));
  }

  allows(path: string, sha256: string): boolean {
    return this.#names.get(path)?.has(sha256) ?? false;
  }
}

/** Where a media's public names are, relative to the root. */
export function directoryOf(
  media: Pick<Submitted, "mediaType" | "ownerUuid" | "itemUuid">,
): string {
  return `${media.mediaType}/${media.ownerUuid}/${media.itemUuid.slice(0, 2)}`;
}

/** Where a media's object is, relative to the root, unless something is there already. */
export function objectPath(media: Pick<Submitted, "id" | "sha256">): string {
  return `.omoide/objects/${media.sha256.slice(0, 2)}/${media.sha256}-${media.id}`;
}

/** The directory that holds a path. */
export function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}
