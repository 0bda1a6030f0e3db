/** Who used the processors, as the kernel counts it: /proc, in ticks of 10 ms, children included. */

/** Seconds. */
export interface Used {
  readonly user: number;
  /** In the kernel, on behalf of this program: system calls, page faults. */
  readonly system: number;
}

/** Seconds that were used from one moment to another. */
export interface Processors {
  /** The database: the postmaster and whatever it ever started, autovacuum and checkpointer included. */
  readonly database: Used;
  /** Whatever else this program ever started: the workers, or what stands in their place. */
  readonly carriers: Used;
  /** This program itself, which submits. */
  readonly bench: Used;
  /** Threads of the kernel (journal, writeback) of the whole machine; 0 where a container hides them. */
  readonly kernelThreads: number;
  /** Everything on the machine, others' work too. */
  readonly machine: number;
}

/** The same, since each began; only differences mean something. */
export interface Snapshot extends Omit<Processors, "kernelThreads"> {
  /** Of each thread: one that ends takes its seconds out of any sum. */
  readonly kernelThreads: ReadonlyMap<number, number>;
}

const TICKS_PER_SECOND = 100;
const KTHREADD = 2;

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** The name of what it runs, at most 15 characters. */
  readonly program: string;
  /** It has not ended: those that nobody has waited for yet are listed too. */
  readonly isRunning: boolean;
  readonly own: Used;
  /** Of children that ended and were waited for. */
  readonly ended: Used;
}

/** @param postmaster the process id of the database's first process, a child of this program */
export function readProcessors(postmaster?: number): Snapshot {
  const processes = new Map([...readProcesses()].map((each) => [each.pid, each]));
  const database = sumOf(treeOf(processes, postmaster));
  const self = processes.get(Deno.pid);
  if (self === undefined) throw new Error("/proc does not show this process; is it mounted?");
  const all = sumOf(treeOf(processes, Deno.pid));
  const carriers = minus(minus(all, database), self.own);
  const threads = [...processes.values()].filter(({ parent }) => parent === KTHREADD);
  return {
    database,
    carriers,
    bench: self.own,
    kernelThreads: new Map(threads.map(({ pid, own }) => [pid, totalOf(own)])),
    machine: machineSeconds(),
  };
}

/** What was used from `before` to `after`. */
export function between(before: Snapshot, after: Snapshot): Processors {
  const threads = [...after.kernelThreads].map(([pid, seconds]) =>
    Math.max(0, seconds - (before.kernelThreads.get(pid) ?? 0))
  );
  return {
    database: minus(after.database, before.database),
    carriers: minus(after.carriers, before.carriers),
    bench: minus(after.bench, before.bench),
    kernelThreads: whole(threads.reduce((sum, seconds) => sum + seconds, 0)),
    machine: after.machine - before.machine,
  };
}

export function totalOf({ user, system }: Used): number {
  return user + system;
}

/** The most memory that a process has had, in bytes. */
export function peakMemoryOf(pid: number | "self"): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} has ended`);
  return Number(kib) * 1024;
}

/** A process and all its descendants. */
export function treeOf<P extends { readonly pid: number; readonly parent: number }>(
  processes: ReadonlyMap<number, P>,
  root: number | undefined,
): P[] {
  const first = root === undefined ? undefined : processes.get(root);
  if (first === undefined) return [];
  const children = [...processes.values()].filter(({ parent }) => parent === root);
  return [first, ...children.flatMap(({ pid }) => treeOf(processes, pid))];
}

export function* readProcesses(): Generator<Process> {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    let stat: string;
    try {
      stat = Deno.readTextFileSync(`/proc/${name}/stat`);
    } catch {
      // It has ended since; whoever waits for it counts it.
      continue;
    }
    // The program's name, in parentheses, may have anything in it.
    const end = stat.lastIndexOf(")");
    const [state = "", ...fields] = stat.slice(end + 2).split(" ");
    const used = (at: number): Used => ({
      user: Number(fields[at] ?? 0) / TICKS_PER_SECOND,
      system: Number(fields[at + 1] ?? 0) / TICKS_PER_SECOND,
    });
    yield {
      pid: Number(name),
      parent: Number(fields[0] ?? 0),
      program: stat.slice(stat.indexOf("(") + 1, end),
      isRunning: state !== "Z" && state !== "X",
      own: used(10),
      ended: used(12),
    };
  }
}

function sumOf(processes: readonly Process[]): Used {
  const used = processes.flatMap(({ own, ended }) => [own, ended]);
  return {
    user: used.reduce((sum, { user }) => sum + user, 0),
    system: used.reduce((sum, { system }) => sum + system, 0),
  };
}

function minus(a: Used, b: Used): Used {
  return { user: whole(a.user - b.user), system: whole(a.system - b.system) };
}

/** To the tick: what is left of adding fractions would be shown as a figure. */
function whole(seconds: number): number {
  return Math.round(seconds * TICKS_PER_SECOND) / TICKS_PER_SECOND;
}

/** Seconds of all processors that were neither idle nor waiting for a disk. */
function machineSeconds(): number {
  const [line = ""] = Deno.readTextFileSync("/proc/stat").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
