/**
 * A signal that is aborted by the first SIGINT or SIGTERM, so that a long command ends at a place from
 * which it can go on; a second one ends the process at once.
 */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (controller.signal.aborted) Deno.exit(130);
      controller.abort();
    });
  }
  return controller.signal;
}
