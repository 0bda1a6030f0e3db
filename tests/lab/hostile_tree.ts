/**
 * What the owner of a tree can put into it, and a second tree outside to which all of that leads. For the
 * tests of the administrator's tools, which must touch nothing there.
 */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { run } from "./command.ts";
import { unmountAtLast } from "./mount.ts";

const RUN_COMMANDS = fileURLToPath(new URL("./support/run_commands.ts", import.meta.url));

/** A storage's owner, who is nobody else on any machine. */
export const OWNER = 4321;

/** Begins the line that ends a command's outputs, see `CommandRunner`. */
export const END = "===== ended with";

/** One thing that a name of the tree can be instead of what it should be. */
export interface Plant {
  readonly name: string;
  /** Shell commands for `sh -e`: $P is the name, in the tree, $V the same place outside. */
  readonly make: string;
  /** What takes it away again, where that is more than `rm`. */
  readonly undo?: string;
}

export const PLANTS: readonly Plant[] = [
  { name: "a link", make: 'rm -rf "$P"; ln -s "$V" "$P"' },
  { name: "a FIFO", make: `rm -rf "$P"; mkfifo -m 0666 "$P"; chown ${OWNER} "$P"` },
  // /dev/zero: whoever reads it never comes to its end.
  { name: "a device", make: `rm -rf "$P"; mknod -m 0666 "$P" c 1 5; chown ${OWNER} "$P"` },
  // Its files belong to the tree's owner, so that no right protects them.
  {
    name: "another file system",
    make: 'mount -t tmpfs tmpfs "$OTHER"; cp -a "$P" "$OTHER/it"; mount --bind "$OTHER/it" "$P"',
    undo: 'umount --lazy "$P" "$OTHER"',
  },
];

/** Every name of a tree that can be told by its path: content, owner, mode, times, names. */
export function snapshot(directory: string): string[] {
  const found: string[] = [];
  const look = (path: string) => {
    const info = Deno.lstatSync(path);
    const sha256 = info.isFile
      ? createHash("sha256").update(Deno.readFileSync(path)).digest("hex")
      : "";
    const { mode, uid, gid, size, nlink, mtime, ctime } = info;
    found.push([path, mode, uid, gid, size, nlink, +(mtime ?? 0), +(ctime ?? 0), sha256].join(" "));
    if (!info.isDirectory) return;
    for (const { name } of Deno.readDirSync(path)) look(`${path}/${name}`);
  };
  look(directory);
  return found.sort();
}

/** Makes a fresh copy of a tree, with its owners and modes. */
export async function copyTree(from: string, to: string): Promise<void> {
  await run("rm", "-rf", to);
  await run("cp", "--archive", "--no-target-directory", from, to);
}

/** A file system in memory, that every user can pass and only root can write to. */
export class Memory implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async mount(): Promise<Memory> {
    const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "omoide-memory-" }));
    await run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path);
    return new Memory(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unmountAtLast(this.path);
    await Deno.remove(this.path);
  }
}

/** A command's end. */
export interface Ended {
  readonly code: number;
  readonly said: string;
}

/**
 * The administrator's program in one process for many commands: a start takes longer than most of them.
 * `without` takes a mechanism away, for controls.
 */
export class CommandRunner implements AsyncDisposable {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #outputs: readonly Lines[];

  private constructor(readonly child: Deno.ChildProcess) {
    this.#input = child.stdin.getWriter();
    this.#outputs = [new Lines(child.stdout), new Lines(child.stderr)];
  }

  /** As root: the first command makes it the owner of its tree. */
  static start(...without: ("guard" | "drop")[]): CommandRunner {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", RUN_COMMANDS, ...without],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    return new CommandRunner(child);
  }

  async run(args: readonly string[]): Promise<Ended> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(args) + "\n"));
    const ends = await Promise.all(this.#outputs.map((output) => output.upTo(END)));
    return { code: Number(ends[0]?.last), said: ends.map(({ before }) => before).join("") };
  }

  /** Whether it waits in the kernel for somebody to open the other end of a FIFO. */
  waitsForFifo(): boolean {
    return /wait_for_partner|fifo_open|pipe_wait/
      .test(Deno.readTextFileSync(`/proc/${this.child.pid}/wchan`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.status;
    await this.#input.abort().catch(() => {});
    await Promise.all(this.#outputs.map((output) => output.cancel()));
  }
}

/** An output, up to a line and from there on. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(output: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = output.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** @returns what comes before the line that begins so, and the last word of it */
  async upTo(begin: string): Promise<{ before: string; last: string }> {
    for (;;) {
      const [, before, last, rest] = new RegExp(`^(.*)${begin} ([^\n]*)\n(.*)$`, "s")
        .exec(this.#text) ?? [];
      if (before !== undefined && last !== undefined) {
        this.#text = rest ?? "";
        return { before, last };
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`The program has ended: ${this.#text}`);
      this.#text += value;
    }
  }

  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** Swaps a name for something else and back, as the tree's owner and as fast as it goes, until disposed of. */
export class Swapper implements AsyncDisposable {
  private constructor(readonly child: Deno.ChildProcess) {}

  static async start(path: string, kind: "a link" | "a FIFO", target: string): Promise<Swapper> {
    const script = `
      use POSIX;
      $| = 1;
      my ($path, $kind, $target) = @ARGV;
      print "swapping\\n";
      while (1) {
        rename $path, "$path.saved";
        $kind eq "a link" ? symlink($target, $path) : POSIX::mkfifo($path, 0600);
        select undef, undef, undef, rand 0.002;
        unlink $path;
        rename "$path.saved", $path;
        select undef, undef, undef, rand 0.002;
      }`;
    const child = new Deno.Command("setpriv", {
      args: [
        ...[`--reuid=${OWNER}`, `--regid=${OWNER}`, "--clear-groups", "perl", "-e", script],
        ...[path, kind, target],
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    reader.releaseLock();
    return new Swapper(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.stdout.cancel();
    await this.child.status;
  }
}
