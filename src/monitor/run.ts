import { ConfigurationError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import type { Credentials } from "../inbox/connect.ts";
import type { Logger } from "../log.ts";
import { listenForSignals } from "../signals.ts";
import { isLoopback } from "./host.ts";
import type { MonitorOptions } from "./options.ts";
import { serve } from "./server.ts";
import { Watch } from "./watch.ts";

const STOP_MS = 2_000;

/**
 * Runs a monitor until it is asked to stop. A database that is away is no reason to end: that is what it is
 * there to show.
 *
 * @throws {ConfigurationError} the database or the address cannot be used
 */
export async function runMonitor(
  options: MonitorOptions,
  credentials: Credentials,
  log: Logger,
): Promise<ExitCode> {
  const { listen, tokenSha256 } = options;
  const stop = listenForSignals();
  using watch = new Watch(options.database, credentials, log);
  const { error } = await watch.latest();
  if (error instanceof ConfigurationError) throw error;
  const server = serve({ watch, listen, tokenSha256, log });
  if (tokenSha256 === null && !isLoopback(listen.host)) {
    log.warn("whoever reaches this address can read the status; see --token-sha256");
  }
  if (!stop.aborted) {
    await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  }
  const ended = server.shutdown();
  const timer = setTimeout(() => Deno.exit(0), STOP_MS);
  await ended;
  clearTimeout(timer);
  return EXIT.OK;
}
