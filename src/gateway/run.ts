import { DatabaseUnavailableError } from "../errors.ts";
import { EXIT, type ExitCode } from "../exit_codes.ts";
import { ApplicationPool } from "../inbox/application/pool.ts";
import { ownersOfTokens } from "../inbox/application/tokens.ts";
import type { Credentials } from "../inbox/connect.ts";
import type { Logger } from "../log.ts";
import { listenForSignals } from "../signals.ts";
import { within } from "../within.ts";
import { look } from "./events.ts";
import type { Gateway } from "./gateway.ts";
import type { GatewayOptions } from "./options.ts";
import { Places } from "./places.ts";
import { PortionPool } from "./portion_pool.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { PORTION_BYTES } from "./receive.ts";
import { serve } from "./server.ts";
import { TokenWatch } from "./token_watch.ts";
import { TroubleLog } from "./trouble_log.ts";
import { Watchers } from "./watchers.ts";

/** Portions that are filled while each connection to the database stores one. */
const FILLED = 4;

/** At once. The memory bound holds for these; a page sends three. */
const BODIES = { ofOne: 250, ofAll: 400 };
/** At once. A page has one. */
const STREAMS = { ofOne: 32, ofAll: 4000 };

/** What a connection may take to end when the gateway stops. */
const STOP_MS = 5_000;

/**
 * Runs a gateway until it is asked to stop. It goes on while the database is away: requests are
 * answered with 503 until it is back.
 *
 * @throws {ConfigurationError} the database or the address cannot be used
 */
export async function runGateway(
  options: GatewayOptions,
  credentials: Credentials,
  log: Logger,
): Promise<ExitCode> {
  const stop = listenForSignals();
  await using inbox = new ApplicationPool(options.database, credentials, options.connections);
  const gateway: Gateway = {
    inbox,
    log,
    portions: new PortionPool(options.connections + FILLED, PORTION_BYTES),
    reads: new ReadBuffers(),
    bodies: new Places("uploads", BODIES),
    streams: new Places("open pages", STREAMS),
    watchers: new Watchers((ownerUuid, before) => look(gateway, ownerUuid, before)),
    tokens: new TokenWatch((sha256s) => ownersOfTokens(inbox, sha256s)),
    troubles: new TroubleLog(log),
    stop,
    served: options.served,
  };
  try {
    await inbox.check();
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    gateway.troubles.note(error);
  }
  const server = serve(gateway, options.listen);
  if (!stop.aborted) {
    await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
  }
  log.info("stopping: what has come in is kept");
  // By then all that came in has been stored; a client that keeps its connection open has nothing to wait for.
  await within(STOP_MS, server.shutdown());
  return EXIT.OK;
}
