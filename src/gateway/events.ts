import { problemOf } from "./problem.ts";
import { ownerOf } from "./auth.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { itemsOf } from "./items.ts";
import type { Look } from "./watchers.ts";

/** Items that are watched: what a page shows, and what is on its way. */
const WATCHED_ITEMS = 200;
/** A comment keeps proxies from taking the silence for an end. Also how soon a revoked token ends it. */
const COMMENT_MS = 15_000;

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

/** `GET /events`: server-sent events. `item`: an item with its files as they stand now. */
export function showEvents(gateway: Gateway, { request, ownerUuid }: OwnRequest): Response {
  const encoder = new TextEncoder();
  let end = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => {
        // Whoever does not read what is sent would have it pile up here.
        if ((controller.desiredSize ?? 0) < -1024 * 1024) end();
        else controller.enqueue(encoder.encode(text));
      };
      const close = () => {
        end();
        controller.close();
      };
      const stopWatching = gateway.watchers.watch(ownerUuid, {
        show: (items) => send(items.map((json) => `event: item\ndata: ${json}\n\n`).join("")),
        fail: (error) => {
          const told = problemOf(error)?.title ?? "Something went wrong";
          send(`event: trouble\ndata: ${JSON.stringify(told)}\n\n`);
        },
      });
      const timer = setInterval(async () => {
        try {
          await ownerOf(gateway.inbox, request);
          send(": still here\n\n");
        } catch (error) {
          // A token that was taken back; a database that is away is said by the watchers.
          if (problemOf(error)?.status === 401) close();
        }
      }, COMMENT_MS);
      gateway.stop.addEventListener("abort", close);
      end = () => {
        end = () => {};
        clearInterval(timer);
        stopWatching();
        gateway.stop.removeEventListener("abort", close);
      };
      send("retry: 2000\n\n");
    },
    cancel() {
      end();
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
  });
}
