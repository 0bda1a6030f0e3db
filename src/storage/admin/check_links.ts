import { isSha256 } from "../../media.ts";
import type { VerifyFinding, VerifyKind } from "./findings.ts";

/** Called for what is not as it should be: the kind, the path, and a sentence that follows the path. */
export type Find = (kind: VerifyKind, path: string, detail: string) => void;

/**
 * Joins objects and public files by inode; gives the corrupt their public paths.
 *
 * @param lines sorted: `<inode> 0 <object> <links>` and `<inode> 1 <public path> [new]`
 */
export function checkLinks(
  lines: Iterable<string>,
  findings: readonly VerifyFinding[],
  find: Find,
): void {
  const bad = new Map(findings.map((finding) => [finding.path, finding]));
  let inode = "", object = "", links = 0, seen = 0;
  const finish = () => {
    const known = bad.get(object)?.kind;
    if (object === "" || known === "unreadable" || known === "unlinked") return;
    if (seen === 1 && links === 1) find("orphan", object, "has no public name");
    else if (links > seen && known !== "corrupt") {
      find("link", object, `has ${links} names, but only ${seen} of them in the tree`);
    }
  };
  for (const line of lines) {
    const [key = "", kind, path = "", fact] = line.split(" ");
    if (key !== inode) {
      finish();
      [inode, object, links, seen] = [key, "", 0, 0];
    }
    seen++;
    if (kind === "0") {
      [object, links] = [path, Number(fact)];
      continue;
    }
    if (object === "") {
      if (fact === "new") continue;
      find("unvouched", path, "is a link to no object: nothing says what its bytes should be");
      continue;
    }
    const finding = bad.get(object);
    if (finding !== undefined) finding.publicPath = path;
    const named = /~([0-9a-f]{64})\./.exec(path)?.[1];
    if (named !== undefined && isSha256(named) && !object.includes(named)) {
      find("misnamed", path, `is a link to ${object}, which has another checksum`);
    }
  }
  finish();
}
