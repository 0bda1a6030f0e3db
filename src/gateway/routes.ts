import { ownerOf, refuseCrossSite } from "./auth.ts";
import { showEvents } from "./events.ts";
import type { Gateway, OwnRequest } from "./gateway.ts";
import { showFiles, showItems } from "./items.ts";
import { pageFile } from "./page.ts";
import { problem } from "./problem.ts";
import { putMedia } from "./put.ts";
import { logIn, logOut, mayRead, showSession } from "./session.ts";
import {
  continueUpload,
  createUpload,
  giveUp,
  PARTIAL,
  showLimits,
  showUpload,
} from "./uploads.ts";

type Answer = Response | Promise<Response>;
/** What an owner may do. */
type OwnHandler = (gateway: Gateway, own: OwnRequest) => Answer;
/** What needs no token, or looks for one itself. */
type OpenHandler = (gateway: Gateway, request: Request) => Answer;

interface Route {
  readonly pattern: URLPattern;
  readonly own?: Readonly<Record<string, OwnHandler>>;
  readonly open?: Readonly<Record<string, OpenHandler>>;
}

const at = (pathname: string) => new URLPattern({ pathname });

const ROUTES: readonly Route[] = [
  {
    pattern: at("/media/:owner/:item/:file"),
    own: { PUT: putMedia, POST: createUpload, OPTIONS: showLimits },
  },
  { pattern: at("/media/:owner/:item"), own: { GET: showFiles } },
  { pattern: at("/media/:owner"), own: { GET: showItems } },
  {
    pattern: at("/uploads/:key"),
    own: { HEAD: showUpload, PATCH: continueUpload, DELETE: giveUp, OPTIONS: showLimits },
  },
  { pattern: at("/events"), own: { GET: showEvents } },
  { pattern: at("/session"), own: { GET: showSession }, open: { POST: logIn, DELETE: logOut } },
  { pattern: at("/auth"), open: { GET: mayRead } },
];

/** Answers one request. @throws {Problem} and whatever else goes wrong */
export async function answer(gateway: Gateway, request: Request): Promise<Response> {
  refuseCrossSite(request);
  const url = new URL(request.url);
  const file = pageFile(url.pathname);
  if (file !== null) return file.answer(request);
  const method = request.method;
  for (const { pattern, own = {}, open = {} } of ROUTES) {
    const groups = pattern.exec({ pathname: url.pathname })?.pathname.groups;
    if (groups === undefined) continue;
    const openly = handlerOf(open, method);
    if (openly !== undefined) return await openly(gateway, request);
    const handler = handlerOf(own, method);
    if (handler === undefined) throw otherMethod([...Object.keys(own), ...Object.keys(open)]);
    const ownerUuid = await ownerOf(gateway.inbox, request);
    using _place = request.body === null ? null : gateway.bodies.take(ownerUuid);
    return await handler(gateway, { request, url, ownerUuid, groups });
  }
  throw problem(
    404,
    "path",
    "There is nothing here",
    "The README of the gateway lists its addresses.",
  );
}

/** Not by `in`: a method may be called `constructor`. */
function handlerOf<T>(handlers: Readonly<Record<string, T>>, method: string): T | undefined {
  return Object.hasOwn(handlers, method) ? handlers[method] : undefined;
}

function otherMethod(methods: readonly string[]) {
  return problem(
    ...[405, "method", "This cannot be done here"] as const,
    `The address takes ${methods.join(", ")}.`,
    {
      allow: methods.join(", "),
      ...(methods.includes("PATCH") ? { "accept-patch": PARTIAL } : {}),
    },
  );
}
