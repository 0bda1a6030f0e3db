import { cannot, ConfigurationError, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { Problem, problem } from "../problem.ts";
import { type HostPort, showHostPort } from "../sandbox.ts";
import { visibleJson } from "../terminal.ts";
import { sentence, statusJson } from "../verdict/verdict.ts";
import { requireToken } from "./auth.ts";
import { isLoopback, requireLoopbackName } from "./host.ts";
import { METRICS_TYPE, metricsOf } from "./metrics.ts";
import { pageFiles, statusPage } from "./page.ts";
import type { Latest, Watch } from "./watch.ts";

export interface Monitor {
  readonly watch: Watch;
  readonly listen: HostPort;
  readonly tokenSha256: string | null;
  readonly log: Logger;
}

/** Every answer has these; the page adds its own. */
const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/**
 * Listens and answers until it is shut down.
 *
 * @throws {ConfigurationError} the address cannot be listened at
 */
export function serve(monitor: Monitor): Deno.HttpServer<Deno.NetAddr> {
  const { listen, log } = monitor;
  try {
    return Deno.serve({
      hostname: listen.host,
      port: listen.port,
      onListen: ({ hostname, port }) =>
        log.info("listening at {address}", {
          address: `http://${showHostPort({ host: hostname, port })}/`,
        }),
    }, async (request) => {
      const response = await answer(monitor, request).catch((error) => failure(log, error));
      for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
      return response;
    });
  } catch (error) {
    throw new ConfigurationError(
      cannot(`listen at ${showHostPort(listen)}`, error, "see --listen"),
      { cause: error },
    );
  }
}

async function answer(
  { watch, listen, tokenSha256 }: Monitor,
  request: Request,
): Promise<Response> {
  // A page that has rebound its name has no token to send.
  if (tokenSha256 !== null) requireToken(request, tokenSha256);
  else if (isLoopback(listen.host)) requireLoopbackName(request, listen);
  const { pathname } = new URL(request.url);
  const file = pageFiles.get(pathname);
  const handler = Object.hasOwn(ANSWERS, pathname) ? ANSWERS[pathname] : undefined;
  if (file === undefined && handler === undefined) {
    throw problem(404, "path", "There is nothing here", `Try ${Object.keys(ANSWERS).join(", ")}.`);
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const allow = { allow: "GET, HEAD" };
    throw problem(405, "method", "This cannot be done here", "The address takes GET.", allow);
  }
  return file?.answer() ?? await handler?.(watch) ?? new Response(null, { status: 404 });
}

const ANSWERS: Readonly<Record<string, (watch: Watch) => Promise<Response>>> = {
  "/": async (watch) => {
    const latest = await watch.latest();
    return statusPage(latest, await watch.details(), await watch.history());
  },
  "/metrics": async (watch) =>
    new Response(await metricsOf(await watch.latest()), {
      headers: { "content-type": METRICS_TYPE },
    }),
  "/healthz": async (watch) => health(await watch.latest()),
  "/status.json": async (watch) => {
    const { status, verdict, age, error } = await watch.latest();
    if (status === null || verdict === null || error !== null) {
      const last = status === null || verdict === null ? null : statusJson(status, verdict);
      throw new Problem(
        ...[503, "urn:omoide:unavailable", "The inbox does not answer"] as const,
        messageOf(error),
        { fields: { last, last_age: last === null ? null : age } },
      );
    }
    return json(statusJson(status, verdict));
  },
};

/** For uptime checks: 200 only from a fresh answer that nobody has to act on. */
function health({ status, verdict, counted, error }: Latest): Response {
  const plain = (text: string, code: number) =>
    new Response(`${text}\n`, {
      status: code,
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
  if (status === null || verdict === null || error !== null) {
    return plain("UNKNOWN: the inbox does not answer", 503);
  }
  const isWell = verdict.word !== "attention";
  return plain(sentence(status, verdict, counted), isWell ? 200 : 503);
}

function json(value: unknown): Response {
  return new Response(visibleJson(JSON.stringify(value)) + "\n", {
    headers: { "content-type": "application/json" },
  });
}

function failure(log: Logger, error: unknown): Response {
  if (error instanceof Problem) return error.toResponse();
  log.error("a request ended with a bug: {error}", { error: Deno.inspect(error) });
  return problem(500, "bug", "Something went wrong here", "The monitor's log says more.")
    .toResponse();
}
