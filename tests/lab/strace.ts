/** One system call of a traced process. */
export interface SystemCall {
  readonly thread: number;
  readonly name: string;
  /** As strace prints them with -yy: `5</path>`, quoted strings, flags. */
  readonly args: string;
  /** What follows the equals sign; `?` where the process ended in it. */
  readonly result: string;
  /** Its place in the trace where it began, and where it ended: another may lie in between. */
  readonly began: number;
  readonly ended: number;
}

/** What strace shall do beside looking on. */
export interface TraceOptions {
  /** Where the trace goes. */
  readonly log: string;
  /** Names of system calls, or strace's classes such as `%file`. */
  readonly calls: readonly string[];
  /** Such as `fdatasync:signal=KILL:when=3` or `linkat:error=EIO`. */
  readonly inject?: readonly string[];
  /** Only calls that concern one of these paths, by name or by descriptor. */
  readonly paths?: readonly string[];
}

/**
 * The command that runs another one under strace. `--seccomp-bpf` lets calls that are not asked for run
 * at full speed; strace 6.1 injects no signals with it, so it is left out for these. strace counts
 * `when` per thread and per call.
 */
export function straced(command: readonly string[], options: TraceOptions): string[] {
  const injectsSignal = options.inject?.some((each) => each.includes(":signal=")) ?? false;
  return [
    "strace",
    ...["-f", "-qqq", "-yy", "-s", "200000"],
    ...(injectsSignal ? [] : ["--seccomp-bpf"]),
    ...["-o", options.log, "-e", `trace=${options.calls.join(",")}`],
    ...(options.paths ?? []).flatMap((path) => ["-P", path]),
    ...(options.inject ?? []).flatMap((each) => ["-e", `inject=${each}`]),
    "--",
    ...command,
  ];
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (.+)$/s;
const BEGINNING = /^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$/s;
const ENDING = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.+)$/s;

/** Reads strace's log. A call that never came back (its process was killed) has the result `?`. */
export function parseStrace(log: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, Omit<SystemCall, "result" | "ended">>();
  for (const [place, line] of log.split("\n").entries()) {
    // First, since what is being written may itself look like the end of a call.
    const beginning = BEGINNING.exec(line);
    if (beginning !== null) {
      const [, thread = "", name = "", args = ""] = beginning;
      open.set(thread, { thread: Number(thread), name, args, began: place });
      continue;
    }
    const whole = WHOLE.exec(line);
    if (whole !== null) {
      const [, thread, name = "", args = "", result = ""] = whole;
      calls.push({ thread: Number(thread), name, args, result, began: place, ended: place });
      continue;
    }
    const ending = ENDING.exec(line);
    if (ending === null) continue;
    const [, thread = "", , rest = "", result = ""] = ending;
    const begun = open.get(thread);
    if (begun === undefined) continue;
    open.delete(thread);
    calls.push({ ...begun, args: begun.args + rest, result, ended: place });
  }
  for (const begun of open.values()) calls.push({ ...begun, result: "?", ended: Infinity });
  return calls.sort((a, b) => a.began - b.began);
}

/** Whether a call did what it was asked to. */
export function succeeded(call: SystemCall): boolean {
  return /^\d/.test(call.result);
}

/** The path behind a call's first descriptor, as -yy shows it. */
export function descriptorPath(call: SystemCall): string | undefined {
  return /^\d+<([^>]*)>/.exec(call.args)?.[1];
}

/** The quoted strings among a call's arguments, such as its paths. */
export function quoted(call: SystemCall): string[] {
  return [...call.args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? "");
}
