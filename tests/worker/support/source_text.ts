/**
 * What a module's text asks of the file system. Read from the text, not from a parsed tree: each check
 * errs on the side of an alarm, and module_graph_test.ts shows that it finds what it should.
 */

/** Every name under which Deno or Node changes or removes what exists. */
export const FORBIDDEN = [
  ...["remove", "removeSync", "rename", "renameSync", "truncate", "truncateSync"],
  ...["ftruncate", "ftruncateSync", "unlink", "unlinkSync", "rm", "rmSync", "rmdir", "rmdirSync"],
  ...["copyFile", "copyFileSync", "cp", "cpSync", "chmod", "chmodSync", "fchmod", "fchmodSync"],
  ...["chown", "chownSync", "fchown", "fchownSync", "lchown", "utime", "utimeSync", "utimes"],
  ...["utimesSync", "futime", "futimes", "symlink", "symlinkSync", "writeFile", "writeFileSync"],
  ...["writeTextFile", "writeTextFileSync", "appendFile", "appendFileSync", "create", "createSync"],
  ...["createWriteStream", "makeTempDir", "makeTempDirSync", "makeTempFile", "makeTempFileSync"],
  ...["mkdtemp", "mkdtempSync", "umask", "dlopen", "Command"],
];

/** The text without comments, whose strings are kept. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

/** The text without comments and strings, where a forbidden word means nothing. */
export function codeOf(text: string): string {
  return withoutComments(text)
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** What a module takes from Node by a static import, such as `node:fs { statfsSync }`. */
export function nodeImports(text: string): string[] {
  const found = withoutComments(text).matchAll(
    /^\s*(?:import|export)\b([^"';]*?)(?:\bfrom\s*)?["'](node:[^"']+)["']/gm,
  );
  return [...found].map(([, clause = "", module]) =>
    `${module} ${clause.replace(/\s+/g, " ").trim()}`
  );
}

/** What a module of our own must not say, static imports from Node apart: those stand on a list. */
export function offences(text: string): string[] {
  const code = codeOf(text);
  const kept = withoutComments(text);
  const found = FORBIDDEN.filter((word) =>
    new RegExp(`\\.\\s*${word}\\b|\\b${word}\\s+as\\b`).test(code) ||
    new RegExp(`\\[\\s*["'\`]${word}["'\`]\\s*\\]`).test(kept)
  );
  if (
    /\bDeno\s*(\?\.)?\[|[=(,:]\s*Deno\s*[;,)}\n]|\bglobalThis\s*(?:\?\.|[.[]|as\b)|=\s*globalThis\b/
      .test(code)
  ) {
    found.push("Deno as a whole");
  }
  if (/\brequire\b|\bcreateRequire\b|\bgetBuiltinModule\b|\bprocess\s*\./.test(code)) {
    found.push("a module by another way than import");
  }
  // Whatever names a module of Node's beside its static imports: a dynamic one, or a string to become one.
  const named = [...kept.matchAll(/["'`]node:/g)].length;
  if (named !== nodeImports(text).length) found.push("a module of Node's, not by a static import");
  return found;
}

/**
 * What a package's script takes from `fs`: names, `*` where it takes the whole in a way that shows no
 * names, and `?` where the module is named in a form that is not understood. Empty where it names none.
 */
export function takenFromFs(text: string): string[] {
  const kept = withoutComments(text);
  const module = `["'\`](?:node:)?fs(?:/promises)?["'\`]`;
  const loaded = `(?:\\w+\\(\\s*)?(?:require|import|getBuiltinModule)\\(\\s*${module}\\s*\\)+`;
  const taken = new Set<string>();
  let understood = 0;
  const each = (pattern: string, take: (match: readonly string[]) => void) => {
    for (const match of kept.matchAll(new RegExp(pattern, "g"))) {
      understood += 1;
      take(match);
    }
  };
  const names = (list: string) => {
    for (const part of list.split(",")) {
      const name = part.trim().split(/\s*:\s*|\s+as\s+|\s*=\s*/)[0] ?? "";
      if (name !== "") taken.add(name);
    }
  };
  const binding = (name: string) => {
    const others = kept
      .replace(new RegExp(`\\b${name}\\s*=\\s*[^;,\\n]*`, "g"), "")
      .replace(new RegExp(`import[^;\\n]*\\b${name}\\b[^;\\n]*`, "g"), "");
    for (
      const [, member] of others.matchAll(
        new RegExp(
          `(?<![.\\w$"'\`/-])${name}\\b(?!["'\`])(?:\\s*\\??\\.\\s*(?:default|promises))*(?:\\s*\\??\\.\\s*(\\w+))?`,
          "g",
        ),
      )
    ) taken.add(member ?? "*");
  };
  // const { unlink } = require("fs")
  each(`\\{([^{}]*)\\}\\s*=\\s*(?:await\\s+)?${loaded}`, ([, list = ""]) => names(list));
  // require("fs").unlink
  each(
    `(?<!=\\s*|[\\w(])${loaded}\\s*\\.\\s*(?:promises\\s*\\.\\s*)?(\\w+)`,
    ([, name = "*"]) => taken.add(name),
  );
  // const fs = require("fs"), also where it is loaded on a condition or through a wrapper
  each(
    `([\\w$]+)\\s*=\\s*(?:[^;,\\n]*\\?\\s*)?(?:await\\s+)?${loaded}(?:\\s*\\.\\s*(?:promises\\s*\\.\\s*)?(\\w+))?`,
    ([, name = "", member]) =>
      member === undefined || member === "promises" ? binding(name) : taken.add(member),
  );
  // import { unlink } from "fs"; import fs from "fs"; import * as fs from "fs"
  each(`(?:import|export)\\s*\\{([^{}]*)\\}\\s*from\\s*${module}`, ([, list = ""]) => names(list));
  each(
    `import\\s+(?:\\*\\s*as\\s+)?([\\w$]+)\\s+from\\s*${module}`,
    ([, name = ""]) => binding(name),
  );
  if (understood !== [...kept.matchAll(new RegExp(module, "g"))].length) taken.add("?");
  return [...taken].sort();
}
