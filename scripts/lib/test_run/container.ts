const FIRST_PROCESS = new URL("first_process.sh", import.meta.url).pathname;

/** What holds all processes of a test run, so that none outlives it. */
export interface Container {
  /** What the run's command is started under. */
  readonly prefix: readonly string[];
  /** Whether it has mounts of its own: root's may be seen by nobody else, and end with it. */
  readonly hasMounts: boolean;
  /** Ends the run's processes at once, and with them what it has mounted. The started command then ends. */
  end(pid: number): void;
}

/**
 * Namespaces of the kernel where it lets us, else a process group.
 *
 * In a namespace of process ids the kernel ends every process with the first one, however it made itself
 * independent (PostgreSQL's backends and a daemon leave their process group); a namespace of mounts
 * takes the mounts and their loop devices with it. `--pdeathsig` and `--kill-child` pass on the death of
 * this process, SIGKILL too. A list of what each test has started, to be ended by its parent, was
 * rejected: it is wrong for whatever is started between the start and the entry, and dies with its keeper.
 */
export async function chooseContainer(): Promise<Container> {
  if (Deno.build.os !== "linux") return PROCESS_GROUP;
  const [program = "", ...args] = [...NAMESPACES.prefix, "true"];
  try {
    // A run within a run has what the outer one has mounted in its environment.
    const env = { OMOIDE_TESTS_IMAGE: "", OMOIDE_TESTS_MEMORY: "" };
    const { success } = await new Deno.Command(program, { args, env, stderr: "null" }).output();
    return success ? NAMESPACES : PROCESS_GROUP;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return PROCESS_GROUP;
    throw error;
  }
}

const NAMESPACES: Container = {
  hasMounts: true,
  prefix: [
    // The question closes the gap between the start and `--pdeathsig`, in which our death would go unseen.
    // What unshare says when its child is killed helps nobody; the first process takes standard error back.
    ...["setpriv", "--pdeathsig=KILL", "sh", "-c"],
    ...['[ "$PPID" = "$0" ] && exec "$@" 3>&2 2>/dev/null', `${Deno.pid}`],
    "unshare",
    // Whoever may not make namespaces as it is may often make them in one of users, as the same user.
    ...(Deno.build.os === "linux" && Deno.uid() === 0 ? [] : ["--user", "--map-current-user"]),
    ...["--mount", "--propagation=slave", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ...["sh", FIRST_PROCESS],
  ],
  end(pid) {
    // The first process inside, not `unshare`, which ends only when all of them have.
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).split(" ");
    kill(Number(children[0]) || pid);
  },
};

/** What a program moved to a group of its own survives; PostgreSQL's backends end with their parent. */
const PROCESS_GROUP: Container = { prefix: [], hasMounts: false, end: (pid) => kill(-pid) };

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
