/**
 * What the owner of a tree can put into it, and a second tree outside to which all of that leads. For the
 * tests of the administrator's tools, which must touch nothing there.
 */
import { createHash } from "node:crypto";
import { run } from "./command.ts";

/** A storage's owner, who is nobody else on any machine. */
export const OWNER = 4321;

/** One thing that a name of the tree can be instead of what it should be. */
export interface Plant {
  readonly name: string;
  /** Shell commands for `sh -e`: $P is the name, in the tree, $V the same place outside. */
  readonly make: string;
}

export const PLANTS: readonly Plant[] = [
  { name: "a link", make: 'rm -rf "$P"; ln -s "$V" "$P"' },
  { name: "a FIFO", make: 'rm -rf "$P"; mkfifo -m 0666 "$P"' },
  // /dev/zero: whoever reads it never comes to its end.
  { name: "a device", make: 'rm -rf "$P"; mknod -m 0666 "$P" c 1 5' },
  // Its files belong to the tree's owner, so that no right protects them. The shell has its own mounts.
  {
    name: "another file system",
    make: 'mount -t tmpfs tmpfs "$OTHER"; cp -a "$P" "$OTHER/it"; mount --bind "$OTHER/it" "$P"',
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
