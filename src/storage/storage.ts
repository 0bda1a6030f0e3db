import type { StoragePausedError } from "../errors.ts";
import type { Media } from "../media.ts";
import type { Format } from "./layout.ts";
import type { FreeSpace, Stored } from "../stored.ts";
import type { Timeline } from "../timeline.ts";

/** Who a storage is: the content of `.omoide/storage.json`, made once by `storage init`. */
export interface StorageIdentity {
  /** The version of this file's form and of the tree's layout. */
  readonly format: Format;
  /** The storage's name, as the inbox knows it. */
  readonly storage: string;
  /** This storage's own UUID. */
  readonly uuid: string;
  /** The UUID of the inbox that it belongs to. */
  readonly inbox: string;
  /** How many leading characters of the item's UUID name its directory, 1 to 8. */
  readonly prefixSize: number;
  /** What is mounted there, if `statfs` alone does not say it or it had to be accepted. */
  readonly mount?: NotedMount;
}

/** The kind of mount that `storage init` found at a root. */
export interface NotedMount {
  /** As /proc/self/mountinfo names it, such as `fuse.glusterfs`. */
  readonly type: string;
  /** What an administrator has accepted about it. */
  readonly accepted?: {
    /** Exactly those that the kind of file system asks for. */
    readonly words: string;
    /** ISO 8601. */
    readonly at: string;
  };
}

/** What came of a batch. A media of it that is in neither list is still owed: `paused` says why. */
export interface Published {
  /** Durable, and may be acknowledged. */
  readonly stored: readonly Stored[];
  readonly notStored: readonly NotStored[];
  /**
   * The disk filled up, or became read-only, while names were being made. The store remembers what it
   * has written and synced: when such a media comes again, it is linked and not written a second time.
   */
  readonly paused: StoragePausedError | null;
}

/** A media that this storage could not take, for a reason of its own. */
export interface NotStored {
  readonly media: Media;
  readonly error: Error;
}

/**
 * A storage as a worker sees it. It can add; there is no way here to remove, rename or overwrite.
 *
 * Errors that concern the whole storage are thrown (`StoragePausedError`, `StorageDistrustedError`,
 * `StorageLostError`), at whichever call meets them. After `StoragePausedError` the batch takes no more,
 * but what it holds already can still be published (so that a pause leaves at most one orphan). After
 * the other two, batch and storage are over.
 */
export interface WriteOnceStorage {
  readonly identity: StorageIdentity;
  /** Each call on it is a question to a server, which may take seconds to answer. */
  readonly isRemote: boolean;
  /**
   * Takes the lock on `storage.json`, which goes with the process. Whoever has it alone excludes everybody;
   * those who share it exclude whoever wants it alone, which every tool of the administrator's does.
   *
   * @throws {StorageHeldError} another process holds it: standing by may help
   * @throws {StorageLostError} the root is another's by now
   * @throws {ConfigurationError} the file system has no such locks
   */
  hold(alone: boolean): Promise<void>;
  /** Lets go of it, with nothing under way. */
  letGo(): Promise<void>;
  /** Reads the identity again, and free space, then begins a batch. */
  beginBatch(): Promise<StoreBatch>;
  /**
   * Whether a media of that many bytes would be taken after a `StoragePausedError`, found out without
   * leaving another file. Until this has said yes, every media is refused with that same error.
   */
  wouldAccept(size: number): Promise<boolean>;
  freeSpace(): Promise<FreeSpace>;
  /** The timelines of clusters that something was acknowledged on, but for first ones. */
  timelines(): Promise<Timeline[]>;
  /**
   * To be called before anything is acknowledged on a timeline. Notes it in the storage, for every worker
   * that will ever have it, and on which side of a cut.
   *
   * @throws {DatabaseUnavailableError} something was acknowledged on a newer one: this primary is old
   * @throws {StoragePausedError} it cannot be noted now
   */
  enterTimeline(timeline: Timeline): Promise<void>;
  /**
   * For how long no flush has ended although some are under way, in milliseconds; else 0. A disk that hangs
   * gives no error, and answers `freeSpace` from memory: this is how it can be seen.
   */
  stillForMs(): number;
  /** Lets go of the lock and all open files. */
  close(): void;
}

/**
 * Media up to this size go through `storeBytes`, put together in memory and checked before a byte is
 * written; larger ones through `createObject`, hashed and written piece by piece, since putting 2 MB
 * together cost a third of the speed.
 */
export const IN_MEMORY_BYTES = 1024 * 1024;

/**
 * A group of media that share their directory fsyncs. One at a time: the next media may begin when the
 * last one's `storeBytes` or `ObjectWriter.close` has returned. Batches may overlap each other.
 */
export interface StoreBatch {
  /**
   * Checks the bytes in memory, then creates and writes the object; its fdatasync goes on behind the
   * caller's back, at most `writers` at once. `bytes` may be reused as soon as the call resolves.
   *
   * @throws {MediaDefectError} bytes that are not the media's: nothing was written
   * @throws {MediaFailureError} this media alone cannot be stored now
   */
  storeBytes(media: Media, bytes: Uint8Array): Promise<void>;
  /**
   * Takes a media that an earlier attempt has brought here already: its name has its bytes, or an object
   * waits for nothing but its name. What exists is read from end to end, so ask before a COPY is begun: a
   * file of 4 GiB on a slow disk would hold that up for minutes.
   *
   * @returns false if its bytes are needed; errors as `storeBytes`
   */
  takeStored(media: Media): Promise<boolean>;
  /** Creates the object of a media that is too large to be held in memory. Errors as `storeBytes`. */
  createObject(media: Media): Promise<ObjectWriter>;
  /**
   * Ends the batch: waits for every fdatasync, links each object to its public name, fsyncs every
   * directory concerned once. Call it on every batch, even if nothing of it will be acknowledged any
   * more (a lost connection): what is never linked stays on the disk as an orphan.
   *
   * @throws {StorageDistrustedError} an fsync failed: nothing of this batch may be acknowledged
   * @throws {StorageLostError} the root is not the storage any more
   */
  publish(): Promise<Published>;
}

/** Takes the bytes of one object, in order. */
export interface ObjectWriter {
  /** `piece` must not change until the promise resolves. */
  write(piece: Uint8Array): Promise<void>;
  /** Checks size and SHA-256. @throws {MediaDefectError} if they differ: it will not be published */
  close(): Promise<void>;
  /** Gives up on this object; what was written stays as an orphan. */
  abandon(): void;
}
