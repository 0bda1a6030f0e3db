import { showHostPort } from "../sandbox.ts";
import type { HostPort } from "../sandbox.ts";
import { ConfigurationError } from "../errors.ts";
import { messageOf } from "../errors.ts";
import type { Gateway } from "./gateway.ts";
import { type Problem, problem, problemOf } from "./problem.ts";
import { BodyError } from "./receive.ts";
import { answer } from "./routes.ts";

/** What is left of a refused body is read away up to here, so that the client gets to see the answer. */
const DRAINED_BYTES = 16 * 1024 * 1024;
const DRAINED_MS = 5_000;
/** Of so many at once: who sends without a token takes no more of this program than that. */
const MOST_DRAINED = 100;

/** Every answer has these; the page adds its own. */
const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * Listens and answers until `gateway.stop` is aborted and what was open has ended.
 *
 * @throws {ConfigurationError} the address cannot be listened at
 */
export function serve(gateway: Gateway, listen: HostPort): Deno.HttpServer<Deno.NetAddr> {
  let drained = 0;
  const handle = async (request: Request): Promise<Response> => {
    try {
      return finished(await answer(gateway, request));
    } catch (error) {
      gateway.troubles.note(error);
      const response = finished(failure(gateway, request, error));
      if (drained < MOST_DRAINED) {
        drained += 1;
        await drain(request).finally(() => drained -= 1);
      }
      return response;
    }
  };
  try {
    return Deno.serve({
      hostname: listen.host,
      port: listen.port,
      onListen: ({ hostname, port }) =>
        gateway.log.info("listening at {address}", {
          address: `http://${showHostPort({ host: hostname, port })}/`,
        }),
      onError: (error) => finished(failure(gateway, null, error)),
    }, handle);
  } catch (error) {
    throw new ConfigurationError(
      `Cannot listen at ${showHostPort(listen)}: ${messageOf(error)}; see --listen`,
      { cause: error },
    );
  }
}

function finished(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}

function failure({ log }: Gateway, request: Request | null, error: unknown): Response {
  const known = error instanceof BodyError ? bodyProblem(error) : problemOf(error);
  if (known !== null) return known.toResponse();
  log.error("{method} ended with a bug: {error}", {
    method: request?.method ?? "a request",
    error: Deno.inspect(error),
  });
  return problem(
    ...[500, "bug", "Something went wrong here"] as const,
    "What has come in is kept. Try again; if it happens again, the log has the details.",
  ).toResponse();
}

function bodyProblem({ kind }: BodyError): Problem {
  switch (kind) {
    case "stopping":
      return problem(
        ...[503, "stopping", "The gateway is being restarted"] as const,
        "What has come in is kept. Ask for the offset with HEAD, and go on from there.",
        { "retry-after": "2", "connection": "close" },
      );
    case "silent":
      return problem(
        ...[408, "silent", "Nothing came for a minute"] as const,
        "What has come in is kept. Ask for the offset with HEAD, and go on from there.",
        { "connection": "close" },
      );
    case "cut":
      return problem(
        ...[400, "cut", "The request ended before its end"] as const,
        "What has come in is kept. Ask for the offset with HEAD, and go on from there.",
      );
  }
}

/**
 * Reads the rest of a refused body: a connection that is closed over unread bytes takes the answer with
 * it. A client that waits to be asked for them (Expect) is not asked.
 */
async function drain({ body, bodyUsed, headers }: Request): Promise<void> {
  if (body === null || bodyUsed || body.locked || headers.has("expect")) return;
  const reader = body.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), DRAINED_MS);
  try {
    for (let bytes = 0; bytes < DRAINED_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
    }
    await reader.cancel();
  } catch {
    // The client has gone.
  } finally {
    clearTimeout(timer);
  }
}
