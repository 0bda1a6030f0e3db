import { problemOf } from "./problem.ts";
import { tokenHash } from "./auth.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { type Item, listItems } from "../inbox/application/items.ts";
import { showItemsOf, type ShownFile } from "./items.ts";
import type { Look, OnTheirWay } from "./watchers.ts";

/** Items that are watched: what a page shows, and what is on its way. */
const WATCHED_ITEMS = 200;
/** Of older ones that are on their way, so many are looked at each time, by turns, of so many at the most. */
const LATE_ITEMS = 200;
const MOST_LATE_ITEMS = 2000;
/** A comment keeps proxies from taking the silence for an end. */
const COMMENT_MS = 15_000;
/** Whoever does not read what is sent would have it pile up here. */
const MOST_UNREAD_BYTES = 1024 * 1024;

/**
 * What the watchers ask of the inbox. Whoever adds a thousand pictures faster than a disk takes them sees the
 * first ones through too, which are by then not among the newest.
 *
 * @param before those that were on their way at the last look
 */
export async function look(
  { inbox, served }: Gateway,
  ownerUuid: string,
  before: OnTheirWay,
): Promise<Look> {
  const newest = await listItems(inbox, ownerUuid, null, WATCHED_ITEMS);
  const isNewest = new Set(newest.map(({ itemUuid }) => itemUuid));
  const late = [...before.values()].filter(({ itemUuid }) => !isNewest.has(itemUuid))
    .slice(-MOST_LATE_ITEMS);
  const [turn, rest] = [late.slice(0, LATE_ITEMS), late.slice(LATE_ITEMS)];
  const shown = await showItemsOf(inbox, ownerUuid, [...newest, ...turn], served);
  const filesOf = ({ itemUuid }: Item) => shown.get(itemUuid)?.files ?? [];
  const isOver = ({ released_at, parked_in }: ShownFile) =>
    released_at !== null || parked_in.length > 0;
  const looked = [...turn, ...newest];
  // One without files is an upload that may still end.
  const open = looked.filter((item) => filesOf(item).length === 0 || !filesOf(item).every(isOver));
  return {
    items: new Map([...shown].map(([key, item]) => [key, JSON.stringify(item)])),
    onTheirWay: new Map([...rest, ...open].map((item) => [item.itemUuid, item])),
    isSettled: rest.length === 0 && looked.every((item) => filesOf(item).every(isOver)),
  };
}

/**
 * `GET /events`: server-sent events. `item`: an item with its files as they stand now. `trouble`: the
 * database cannot be asked. `revoked`: the token is no longer valid, and the stream ends.
 */
export function showEvents(gateway: Gateway, { request, ownerUuid }: OwnRequest): Response {
  const encoder = new TextEncoder();
  // A request whose owner is known has a token.
  const sha256 = tokenHash(request) ?? new Uint8Array();
  const place = gateway.streams.take(ownerUuid);
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => {
        controller.enqueue(encoder.encode(text));
        if ((controller.desiredSize ?? 0) >= -MOST_UNREAD_BYTES) return;
        end();
        controller.error(new Error("the client does not read what it is sent"));
      };
      const close = () => {
        end();
        controller.close();
      };
      const stopWatching = gateway.watchers.watch(ownerUuid, {
        show: (items) => send(items.map((json) => `event: item\ndata: ${json}\n\n`).join("")),
        fail: (error) => {
          const title = problemOf(error)?.title ?? "Something went wrong";
          send(`event: trouble\ndata: ${JSON.stringify(title)}\n\n`);
        },
      });
      const timer = setInterval(() => send(": still here\n\n"), COMMENT_MS);
      const stopTokenWatch = gateway.tokens.watch(sha256, () => {
        send("event: revoked\ndata: {}\n\n");
        close();
      });
      gateway.stop.addEventListener("abort", close);
      end = () => {
        end = () => {};
        place[Symbol.dispose]();
        clearInterval(timer);
        stopTokenWatch();
        stopWatching();
        gateway.stop.removeEventListener("abort", close);
      };
      send("retry: 2000\n\n");
    },
    cancel() {
      end();
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
  });
}
