/**
 * A signal that is aborted by the first Ctrl-C, so that a long command ends at a place from which it can
 * go on, and says what it has done; a second one ends the process at once. SIGTERM is left to the kernel,
 * which ends the process even where it hangs in a call on a broken disk: every command may be killed at
 * any moment, and run again.
 */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  Deno.addSignalListener("SIGINT", () => {
    if (controller.signal.aborted) Deno.exit(130);
    controller.abort();
  });
  return controller.signal;
}
