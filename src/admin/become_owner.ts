import { ConfigurationError } from "../errors.ts";
import type { Owner } from "../storage/admin/ownership.ts";

/**
 * Gives up root's rights for good and goes on as the owner of a tree, with no further group: whatever
 * that owner has put into the tree, nothing happens that its owner could not do alone. What is open
 * stays open, so the files that only root may read are opened before.
 *
 * glibc's functions change all threads of the process, those of the runtime included. Since the kernel
 * lets no one look into a process that has changed its user, the tree's owner cannot take the
 * database's password out of its memory or environment. Starting the program again through `setpriv`
 * was the other way: it would have left the second one open to its own user (ptrace, /proc/PID/environ),
 * needs the program and Deno's cache to be readable by that user, and cannot hand over a file that is
 * not, since Deno knows no descriptors but those that it has opened.
 *
 * @throws {ConfigurationError} the kernel refused
 */
export function becomeOwner({ uid, gid }: Owner): void {
  using libc = openLibc();
  const { setgroups, setresgid, setresuid } = libc.symbols;
  const done = setgroups(0n, null) === 0 && setresgid(gid, gid, gid) === 0 &&
    setresuid(uid, uid, uid) === 0;
  // Whether there is a way back is what counts, whatever was answered.
  if (done && setresuid(0, 0, 0) !== 0 && Deno.uid() === uid && Deno.gid() === gid) return;
  throw new ConfigurationError(
    `Cannot give up root's rights for those of uid ${uid}, gid ${gid}; run this as that user instead`,
  );
}

function openLibc() {
  const libc = Deno.dlopen("libc.so.6", {
    setgroups: { parameters: ["usize", "pointer"], result: "i32" },
    setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
    setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  });
  return { symbols: libc.symbols, [Symbol.dispose]: () => libc.close() };
}
