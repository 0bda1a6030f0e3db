import { dirname, resolve } from "node:path";
import { defined } from "../defined.ts";
import { messageOf, UsageError } from "../errors.ts";
import { type DatabaseAddress, parseAdminDatabaseUrl, showAddress } from "../inbox/database_url.ts";
import { roleOf } from "../inbox/role_names.ts";
import { NamedFile } from "../storage/admin/named_file.ts";

/** One inbox of a fleet. */
export interface Member {
  /** Its label, or its address without a password. */
  readonly label: string;
  readonly address: DatabaseAddress;
  readonly password?: string;
  /** Holds the password, instead. Not read yet: what is wrong with it is this inbox's trouble alone. */
  readonly passwordFile?: string;
}

/**
 * Reads a list of inboxes, one a line: `[LABEL] ADDRESS [PASSWORD-FILE]`, blanks between, `#` for comments.
 * The file is relative to the list. A password may stand in the address too; without either, it is PGPASSWORD.
 *
 * @throws {UsageError} naming the line
 * @throws {ConfigurationError} a file that cannot be read
 */
export function readFleetList(path: string): Member[] {
  const file = NamedFile.toRead(path);
  const text = file.text();
  file.close();
  const members = text.split("\n").flatMap((line, n) => {
    const words = line.trim().split(/\s+/).filter((word) => word !== "");
    if (words.length === 0 || words[0]?.startsWith("#")) return [];
    return [parseMember(words, dirname(path), `${path}, line ${n + 1}`)];
  });
  if (members.length === 0) throw new UsageError(`${path} lists no inbox`);
  return members;
}

/** An inbox that a command line names. @throws {UsageError} */
export function memberOf(url: string): Member {
  const { address, password } = parseAdminDatabaseUrl(url, roleOf("monitor"));
  const secret = password ?? Deno.env.get("PGPASSWORD");
  return { label: showAddress(address), address, ...defined({ password: secret }) };
}

function parseMember(words: readonly string[], directory: string, where: string): Member {
  const at = words.findIndex((word) => /^postgres(ql)?:/i.test(word));
  if (at < 0 || at > 1 || words.length > at + 2) {
    throw new UsageError(`${where}: is not [LABEL] postgres://… [PASSWORD-FILE]`);
  }
  let member: Member;
  try {
    member = memberOf(words[at] ?? "");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${where}: ${messageOf(error).replace(/^--database/, "the address")}`);
  }
  const file = words[at + 1];
  return {
    ...member,
    ...(at === 1 && words[0] !== undefined ? { label: words[0] } : {}),
    ...(file === undefined ? {} : { passwordFile: resolve(directory, file) }),
  };
}
