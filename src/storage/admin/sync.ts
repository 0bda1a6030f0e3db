import { MediaDefectError, MediaFailureError, messageOf } from "../../errors.ts";
import type { Media } from "../../media.ts";
import type { StoreBatch, WriteOnceStorage } from "../storage.ts";
import type { Source } from "./source.ts";
import { copyMedia, mediaOf } from "./copy_media.ts";
import type { Difference } from "./compare.ts";

export interface SyncReport {
  copied: number;
  copiedBytes: number;
  /** What could not be copied, and why. */
  readonly failed: { readonly path: string; readonly why: string }[];
  /** Differences that copying does not fix: other bytes under the same path. */
  readonly different: string[];
  interrupted: boolean;
}

export interface SyncOptions {
  /** The storage that has what is missing. */
  readonly from: Source;
  /** Where it goes; null for a dry run. */
  readonly to: WriteOnceStorage | null;
  readonly prefixSize: number;
  /** Which paths to look at and, if they are missing, to copy. */
  readonly wanted: (path: string) => boolean;
  readonly signal: AbortSignal;
  /** Called after each file, with its path and bytes. */
  readonly copied: (path: string, size: number) => void;
}

/** One batch's fsyncs: the worker's own figures. */
const BATCH_FILES = 256;
const BATCH_BYTES = 64 * 1024 * 1024;

/**
 * Copies what B lacks, by the worker's write-once protocol: each byte is hashed on its way, each name is
 * new, every batch ends with its fsyncs. Nothing that exists is touched, so it can be stopped anywhere
 * and run again.
 */
export async function sync(
  differences: AsyncIterable<Difference>,
  options: SyncOptions,
): Promise<SyncReport> {
  const report: SyncReport = {
    copied: 0,
    copiedBytes: 0,
    failed: [],
    different: [],
    interrupted: false,
  };
  let batch: Media[] = [], bytes = 0;
  const flush = async () => {
    await copyBatch(batch, options, report);
    [batch, bytes] = [[], 0];
  };
  for await (const difference of differences) {
    if (options.signal.aborted) break;
    const { kind, path, size } = difference;
    if (!options.wanted(path)) continue;
    if (kind === "different" || kind === "unknown") report.different.push(path);
    if (kind !== "missing in B") continue;
    const media = mediaOf(path, difference.object ?? "", size, options.prefixSize);
    if (media === null) {
      report.failed.push({ path, why: "is a link to no object of its name there" });
      continue;
    }
    batch.push(media);
    bytes += size;
    if (batch.length >= BATCH_FILES || bytes >= BATCH_BYTES) await flush();
  }
  await flush();
  report.interrupted = options.signal.aborted;
  return report;
}

async function copyBatch(media: Media[], options: SyncOptions, report: SyncReport): Promise<void> {
  if (options.to === null || media.length === 0) {
    for (const each of media) done(each, options, report);
    return;
  }
  const batch = await options.to.beginBatch();
  let trouble: unknown = null;
  try {
    for (const each of media) {
      if (options.signal.aborted) break;
      await copyOne(batch, each, options, report);
    }
  } catch (error) {
    // The disk is full, say: what came before it in this batch is whole, and gets its names.
    trouble = error;
  }
  const { stored, notStored } = await batch.publish();
  for (const { media } of stored) done(media, options, report);
  for (const { media, error } of notStored) fail(media, error.message, options, report);
  if (trouble !== null) throw trouble;
}

async function copyOne(
  batch: StoreBatch,
  media: Media,
  options: SyncOptions,
  report: SyncReport,
): Promise<void> {
  try {
    await copyMedia(batch, media, options.from, pathOf(media, options));
  } catch (error) {
    if (error instanceof MediaDefectError) {
      fail(
        media,
        `is corrupt in ${options.from.path}: its bytes have another checksum`,
        options,
        report,
      );
    } else if (error instanceof MediaFailureError || isFileError(error)) {
      fail(media, messageOf(error), options, report);
    } else throw error;
  }
}

/** The public path in A, which it will have in B too. */
function pathOf(media: Media, { prefixSize }: SyncOptions): string {
  const prefix = media.itemUuid.slice(0, prefixSize);
  return `${media.mediaType}/${media.ownerUuid}/${prefix}/${media.publicName}`;
}

function done(media: Media, options: SyncOptions, report: SyncReport): void {
  report.copied++;
  report.copiedBytes += media.size;
  options.copied(pathOf(media, options), media.size);
}

function fail(media: Media, why: string, options: SyncOptions, report: SyncReport): void {
  report.failed.push({ path: pathOf(media, options), why });
}

/** An error of reading the source: this file's trouble alone. */
function isFileError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string";
}
