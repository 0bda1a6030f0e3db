import assert from "node:assert/strict";
import * as terminal from "../src/terminal.ts";
import { codeOf, withoutComments } from "./worker/support/source_text.ts";

const { visible, visibleBlock, visibleJson } = terminal;

const ACTS = "\x1b[2J\x9b2J\x07\r\n\u202e\u2066\u2028\u2029\u200b\ufeff\x7f\u{e0041}" +
  String.fromCharCode(0xd800);

Deno.test("a line has nothing in it that acts, hides or begins another line", () => {
  assert.equal(
    visible(`a${ACTS}z`),
    "a\\x1b[2J\\x9b2J\\x07\\r\\n\\u{202e}\\u{2066}\\u{2028}\\u{2029}\\u{200b}\\u{feff}\\x7f" +
      "\\u{e0041}\\u{d800}z",
  );
});

Deno.test("what people write stays as it is", () => {
  const text = "Ferien, été, 写真, фото, 😀, 5 % of `C:\\x`";
  assert.equal(visible(text), text);
  assert.equal(visibleJson(JSON.stringify({ text })), JSON.stringify({ text }));
});

Deno.test("no line of a stack can pass for one of ours", () => {
  assert.equal(visibleBlock("Error: x\nSAFE: all\rSAFE"), "Error: x\n    SAFE: all\\rSAFE");
});

Deno.test("JSON is escaped within itself, and means the same", () => {
  const value = { [ACTS]: [ACTS] };
  const json = visibleJson(JSON.stringify(value));
  assert.match(json, /^[\x20-\x7e]+$/);
  assert.deepEqual(JSON.parse(json), value);
});

/** Every function that prints, called with text of others; null for bytes that no terminal gets. */
const WAYS: Readonly<Record<string, readonly string[] | null>> = {
  printLine: ["printLine(text)"],
  printJson: ["printJson(JSON.stringify(text))"],
  printLines: ["printLines(text)"],
  printHelp: ["printHelp(text)"],
  printError: ["printError(text)"],
  printBug: ["printBug(text)"],
  printLog: ['printLog(text, "text")', 'printLog(JSON.stringify(text), "json")'],
  drawLine: ["drawLine(text)"],
  showUncaught: [
    'showUncaught("x"); Promise.reject(new Error(text))',
    'showUncaught("x"); setTimeout(() => { throw new Error(text); })',
  ],
  writeBytes: null,
};

Deno.test("no way to print lets the text of others act, or begin a line", async () => {
  const prints = Object.keys(terminal).filter((name) => !name.startsWith("visible"));
  assert.deepEqual(Object.keys(WAYS).sort(), prints.sort());
  const module = new URL("src/terminal.ts", ROOT).href;
  const text = `${ACTS}\nSAFE: every media`;
  await Promise.all(
    Object.values(WAYS).flatMap((calls) => calls ?? []).map(async (call) => {
      const [name] = /^\w+/.exec(call) ?? [];
      const program = `import { ${name} } from ${JSON.stringify(module)};
        const text = ${JSON.stringify(text)}; ${call};`;
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["eval", program],
        env: { NO_COLOR: "1" },
      }).output();
      const printed = [stdout, stderr].map((each) => new TextDecoder().decode(each)).join("");
      // What `drawLine` itself says to the terminal.
      const shown = printed.startsWith("\r") ? printed.slice(1, -"\x1b[K".length) : printed;
      assert.match(shown, /\\x1b\[2J|\\u001b\[2J/, `${call} shows ${printed}`);
      const acting = /[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u.exec(shown.replace(/\n$/, ""));
      assert.equal(acting, null, `${call} prints ${JSON.stringify(acting?.[0])}`);
      // What is printed as lines has its line feeds from us.
      if (!/^print(Lines|Help)\b/.test(call)) assert.doesNotMatch(shown, /^SAFE/m, call);
    }),
  );
});

/** Every way to write to a terminal. `console` alone is a parameter's name in the commands. */
const PRINTS =
  /\bconsole\s*\.\s*(log|error|warn|info|debug|table|dir|dirxml|trace|group|assert|count|time)\b|\bDeno\s*\.\s*std(out|err)\b|\bprocess\s*[.[]|\b(alert|confirm|prompt)\s*\(/;
const NAMES = /["'`](node:(console|process|tty|repl|readline)|\/dev\/(tty|std(out|err)|fd))/;
/** Asking whether standard error is a terminal prints nothing. */
const ASKS = /Deno\.stderr\.isTerminal\(\)/g;

function prints(text: string): boolean {
  return PRINTS.test(codeOf(text).replace(ASKS, "")) || NAMES.test(withoutComments(text));
}

Deno.test("nothing prints but src/terminal.ts", () => {
  const found: string[] = [];
  const look = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(path, ROOT))) {
      // What runs in a browser has no terminal.
      if (`${path}${name}` === "src/gateway/page") continue;
      if (isDirectory) look(`${path}${name}/`);
      else if (/\.(ts|js|mjs)$/.test(name) && prints(textOf(`${path}${name}`))) {
        found.push(`${path}${name}`);
      }
    }
  };
  look("src/");
  if (prints(textOf("main.ts"))) found.push("main.ts");
  assert.deepEqual(found, ["src/terminal.ts"]);
});

Deno.test("each way to print around it would be seen", () => {
  for (
    const text of [
      "console.log(1);",
      "console . error(1);",
      "Deno.stdout.writeSync(bytes);",
      "await Deno.stderr.write(bytes);",
      "process.stdout.write(x);",
      'import { stdout } from "node:process";',
      'Deno.openSync("/dev/tty");',
      "prompt(x);",
    ]
  ) assert.ok(prints(text), text);
  for (
    const text of ["console.say(1);", "// console.log", 'f("console.log(1)");', "console.remark(1)"]
  ) {
    assert.ok(!prints(text), text);
  }
});

const ROOT = new URL("../", import.meta.url);

function textOf(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}
