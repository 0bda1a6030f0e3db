/** The page in a real browser, in front of everything that `deno task demo --serve` starts. */
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { requireTools } from "../support/require_tool.ts";

const CHROMIUM = "/usr/bin/chromium";
const DEMO = new URL("../../scripts/demo.ts", import.meta.url).pathname;
const AXE = new URL("../../node_modules/axe-core/axe.min.js", import.meta.url);

/** The page's address, which the demo prints on a line of its own. */
async function addressOf(demo: Deno.ChildProcess): Promise<string> {
  let text = "";
  for await (const piece of demo.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const [address] = /^http:\/\/\S+$/m.exec(text) ?? [];
    if (address !== undefined && text.includes(`${address}\n`)) return address;
  }
  throw new Error(`the demo ended: ${text}`);
}

Deno.test({
  ...requireTools([CHROMIUM]),
  sanitizeOps: false,
  sanitizeResources: false,
  name: "a file goes from the page to the storages, over a lost connection and a reload",
  async fn() {
    const directory = await Deno.makeTempDir({ prefix: "omoide-browser-" });
    const demo = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", DEMO, "--serve"],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    try {
      const context = await browser.newContext({ bypassCSP: true });
      const page = await context.newPage();
      const errors: string[] = [];
      page.on("pageerror", ({ message }) => errors.push(message));
      await page.goto(await addressOf(demo));
      await page.waitForSelector("#archive:not([hidden])");
      const video = `${directory}/concert.mov`;
      await Deno.writeFile(video, new Uint8Array(60_000_000));
      await page.setInputFiles("#files", [video]);
      const state = page.locator(".row .state");
      await page.waitForFunction(
        `/^[1-9].* MB of/.test(document.querySelector(".state")?.textContent ?? "")`,
      );
      await context.setOffline(true);
      await page.waitForSelector('.row[data-kind="paused"]');
      assert.match(await state.textContent() ?? "", /No connection: it goes on by itself/);
      await context.setOffline(false);
      await page.waitForSelector('.row[data-kind="sending"]');
      await page.reload();
      await page.waitForSelector('.row[data-kind="safe"]', { timeout: 120_000 });
      assert.equal(await page.textContent(".row .advice"), "Safe to delete from your phone");
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(await Deno.readTextFile(AXE));
        const { violations } = await page.evaluate<{ violations: { id: string }[] }>("axe.run()");
        assert.deepEqual(violations.map(({ id }) => id), [], colorScheme);
      }
      assert.deepEqual(errors, []);
    } finally {
      await browser.close();
      demo.kill("SIGINT");
      await demo.status;
      await Deno.remove(directory, { recursive: true });
    }
  },
});
