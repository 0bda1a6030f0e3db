import type { Wake } from "./wake.ts";

/** Shells and systemd read 128 + the signal's number as "ended by that signal". */
const SIGNALS = { SIGTERM: 128 + 15, SIGINT: 128 + 2 } as const;

/**
 * SIGTERM and SIGINT abort the returned signal: what is open gets finished. A second one leaves at once,
 * which loses nothing either: what was acknowledged or answered is durable, the rest is done again.
 *
 * @param wake called by SIGHUP, and when the program is to stop; without it SIGHUP ends the program
 */
export function listenForSignals(wake?: Wake): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => {
      if (stop.signal.aborted) Deno.exit(SIGNALS[name]);
      stop.abort(new Error(`stopped by ${name}`));
      wake?.call();
    });
  }
  if (wake !== undefined) Deno.addSignalListener("SIGHUP", () => wake.call());
  return stop.signal;
}
