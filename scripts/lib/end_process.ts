/** Asks a process to end, unless it has ended by itself, and waits until it has. */
export async function endProcess(
  process: Deno.ChildProcess,
  signal: Deno.Signal = "SIGTERM",
): Promise<Deno.CommandStatus> {
  try {
    process.kill(signal);
  } catch (error) {
    // It has ended; its status says how.
    if (!(error instanceof TypeError)) throw error;
  }
  return await process.status;
}
