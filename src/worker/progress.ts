import type { Logger } from "../log.ts";
import type { Media } from "../media.ts";
import type { Fates } from "./courier.ts";

/** What this process has done so far: counted for the heartbeat and the exit code, said in the log. */
export class Progress {
  #media = 0;
  #bytes = 0;
  #failures = 0;
  #lastError: string | null = null;

  constructor(private readonly log: Logger) {}

  /** Media stored and acknowledged. */
  get media(): number {
    return this.#media;
  }

  /** Their bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How often a media could not be stored. */
  get failures(): number {
    return this.#failures;
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  add({ acknowledged, refused }: Fates): void {
    for (const { media, outcome, path } of acknowledged) {
      this.#media += 1;
      this.#bytes += media.size;
      if (outcome === "renamed") {
        this.log.warn("media {id} has another file under its name; it is at {path}", {
          id: String(media.id),
          path,
        });
      }
    }
    for (const { mediaId, result } of refused) {
      this.log.warn(
        "the inbox refused the receipt of media {id}: {result}; nothing is lost, and it is not counted",
        { id: String(mediaId), result },
      );
    }
  }

  /** @param fate what becomes of it: it "is parked", or "failed 2 times" */
  failed(media: Media, fate: string, message: string): void {
    this.#failures += 1;
    this.#lastError = `media ${media.id}: ${message}`;
    this.log.error(
      "media {id} ({mediaType} of item {item}, owner {owner}) {fate}: {message}; see `inbox parked`",
      {
        id: String(media.id),
        mediaType: media.mediaType,
        item: media.itemUuid,
        owner: media.ownerUuid,
        fate,
        message,
      },
    );
  }

  sweepFailed(message: string): void {
    this.#lastError = message;
    this.log.error("the inbox could not be swept: {message}", { message });
  }
}
