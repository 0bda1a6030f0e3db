/**
 * The administrator's program for many command lines, one after the other: each is a line of JSON on standard
 * input, and after each a line with the exit code ends both outputs. The first command that works on a tree
 * makes this process the tree's owner for good, as it does in the real program.
 *
 * Its arguments name what is taken away, for controls: `guard`, so that paths are used as they are;
 * `drop`, so that root's rights stay.
 */
import { GuardedTree } from "../../../src/storage/admin/guarded_tree.ts";
import { UnguardedTree } from "../../admin/support/unguarded_tree.ts";
import { END, OWNER } from "../hostile_tree.ts";

if (Deno.args.includes("guard")) {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(UnguardedTree.prototype);
  Object.defineProperties(GuardedTree.prototype, methods);
}
if (Deno.args.includes("drop")) Deno.uid = () => OWNER;

const { main } = await import("../../../src/admin/main.ts");

const encoder = new TextEncoder();
let text = "";
for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (text + piece).split("\n");
  text = lines.pop() ?? "";
  for (const line of lines) {
    const end = encoder.encode(`${END} ${await main(JSON.parse(line))}\n`);
    for (const output of [Deno.stdout, Deno.stderr]) output.writeSync(end);
  }
}
