import type { Delivery } from "../inbox/delivery_calls.ts";
import { type Media, unfitName } from "../media.ts";

/** What is done with some of the media on a page of what is owed. */
export type Part =
  | { readonly go: "together"; readonly media: readonly Media[] }
  | { readonly go: "alone"; readonly media: Media }
  /** Its name could never become a path. */
  | { readonly go: "nowhere"; readonly media: Media; readonly why: string };

/** What goes together at the most. May change while a page is parted. */
export interface GroupBounds {
  readonly files: number;
  /** A media that has more goes as a group of its own. */
  readonly bytes: number;
}

/**
 * Parts a page of what is owed, in its order.
 *
 * @param goesAlone asked when a media is due, since it may depend on what became of those before
 */
export function* partsOf(
  page: readonly Delivery[],
  bounds: GroupBounds,
  goesAlone: (delivery: Delivery) => boolean,
): Generator<Part> {
  let group: Media[] = [];
  let bytes = 0;
  for (const delivery of page) {
    const { media } = delivery;
    const why = unfitName(media);
    if (why !== null) {
      yield { go: "nowhere", media, why };
      continue;
    }
    const alone = goesAlone(delivery);
    const isFull = group.length >= bounds.files || bytes + media.size > bounds.bytes;
    if (group.length > 0 && (alone || isFull)) {
      yield { go: "together", media: group };
      group = [];
      bytes = 0;
    }
    if (alone) {
      yield { go: "alone", media };
    } else {
      group.push(media);
      bytes += media.size;
    }
  }
  if (group.length > 0) yield { go: "together", media: group };
}
