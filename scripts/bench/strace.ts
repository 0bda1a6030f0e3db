/** Counts the fsyncs of running processes, and of whatever they start from then on. */
export class Strace {
  private constructor(
    private readonly process: Deno.ChildProcess,
    private readonly output: string,
  ) {}

  /**
   * @param output a file that does not exist yet
   * @throws {Error} strace is not installed, or this user may not trace these processes
   */
  static async attach(pids: readonly number[], output: string): Promise<Strace> {
    const args = [
      ...["-f", "-c", "-o", output, "-e", "trace=fsync,fdatasync"],
      ...pids.flatMap((pid) => ["-p", String(pid)]),
    ];
    const process = new Deno.Command("strace", {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const attached = Promise.withResolvers<void>();
    let said = "";
    void (async () => {
      for await (const piece of process.stderr.pipeThrough(new TextDecoderStream())) {
        said += piece;
        if ([...said.matchAll(/ attached/g)].length >= pids.length) attached.resolve();
      }
      attached.reject(new Error(`strace cannot count: ${said.trim()}`));
    })();
    await attached.promise;
    return new Strace(process, output);
  }

  /** Lets go of the processes. @returns how many fsyncs and fdatasyncs there were */
  async count(): Promise<number> {
    this.process.kill("SIGINT");
    await this.process.status;
    const summary = await Deno.readTextFile(this.output);
    // % time, seconds, usecs/call, calls, errors if any, syscall
    const calls = /^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(?:fsync|fdatasync)$/gm;
    return [...summary.matchAll(calls)].reduce((sum, [, count]) => sum + Number(count), 0);
  }
}
