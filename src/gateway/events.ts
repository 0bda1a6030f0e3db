import { problemOf } from "./problem.ts";
import { tokenHash } from "./auth.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { itemsOf } from "./items.ts";
import type { Look } from "./watchers.ts";

/** Items that are watched: what a page shows, and what is on its way. */
const WATCHED_ITEMS = 200;
/** A comment keeps proxies from taking the silence for an end. */
const COMMENT_MS = 15_000;
/** Whoever does not read what is sent would have it pile up here. */
const MOST_UNREAD_BYTES = 1024 * 1024;

/** What the watchers ask of the inbox. */
export async function look(gateway: Gateway, ownerUuid: string): Promise<Look> {
  const items = await itemsOf(gateway, ownerUuid, null, WATCHED_ITEMS);
  return {
    items: new Map(items.map((item) => [item.item, JSON.stringify(item)])),
    isSettled: items.every(({ files }) =>
      files.every(({ released_at, parked_in }) => released_at !== null || parked_in.length > 0)
    ),
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
