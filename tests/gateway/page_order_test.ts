/** Which rows stand first, and that none moves from under a finger or takes the keyboard's focus along. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { sharedTemplate } from "../lab/template.ts";
import { CHROMIUM, startBrowser } from "../monitor/support/browser.ts";
import { requireTools } from "../support/require_tool.ts";
import { Archive } from "./support/archive.ts";
import { bytesOf, stage } from "./support/stage.ts";

const template = sharedTemplate();
const BROWSER = { ...requireTools([CHROMIUM]), sanitizeOps: false, sanitizeResources: false };

/** In the order in which they are seen, which must be that of the document. */
async function namesOf(page: Page): Promise<string[]> {
  const seen = await page.locator(".row").evaluateAll((rows) =>
    rows.map((row) => ({
      name: row.querySelector(".name")?.textContent ?? "",
      top: row.getBoundingClientRect().top,
    }))
  );
  const byEye = seen.toSorted((a, b) => a.top - b.top).map(({ name }) => name);
  assert.deepEqual(byEye, seen.map(({ name }) => name));
  return byEye;
}

Deno.test({
  ...BROWSER,
  name: "what needs somebody stands first, then what is under way, what waits, what is over",
  async fn() {
    await using world = await template().world();
    await using archive = await Archive.start(world, template().passwordFile);
    const settings = (text: string) => world.query(`UPDATE omoide.settings SET ${text}`);
    const { page, row, errors } = await archive.open(await archive.makeToken());
    const choose = (names: readonly string[], size: number) =>
      page.setInputFiles(
        "#files",
        names.map((name, i) => ({ name, mimeType: "", buffer: Buffer.from(bytesOf(size, i)) })),
      );
    await choose(["early 1.txt", "early 2.txt"], 100);
    for (const name of ["early 1.txt", "early 2.txt"]) await row(name).becomes("safe");
    await settings("max_inbox_bytes = 1");
    const later = ["1.bin", "2.bin", "3.bin", "4.bin", "5.bin"];
    await choose(later, 200);
    for (const name of later.slice(0, 3)) await row(name).becomes("paused");
    assert.deepEqual(await namesOf(page), [...later, "early 1.txt", "early 2.txt"]);

    await page.getByRole("button", { name: "Cancel: 2.bin" }).focus();
    await settings("max_inbox_bytes = 5e9, max_media_bytes = 150");
    await choose(["too large.bin"], 300);
    // As when the network comes back: nothing waits for half a minute.
    const wake = () => page.evaluate("dispatchEvent(new Event('online'))");
    await wake();
    for (const name of later) await row(name).becomes("failed");
    await row("too large.bin").becomes("failed");
    const failed = [...later, "too large.bin"];
    // In the colour of what they are now, after they have moved.
    const odd = await page.evaluate<string[]>(
      `[...document.querySelectorAll(".row")].filter((row) =>
      getComputedStyle(row.querySelector(".state")).color !== getComputedStyle(row).borderLeftColor
    ).map((row) => row.innerText)`,
    );
    assert.deepEqual(odd, []);
    assert.equal(
      await page.evaluate("document.activeElement.getAttribute('aria-label')"),
      "Cancel: 2.bin",
    );

    await settings("max_media_bytes = 1e9");
    await page.getByRole("button", { name: "Try again: 2.bin" }).focus();
    await page.keyboard.press("Enter");
    await row("2.bin").becomes("safe");
    const focused = () =>
      page.evaluate<string>(
        "document.activeElement.closest('.row').querySelector('h3').textContent",
      );
    assert.equal(await focused(), "2.bin");
    await page.locator(".row:last-child", { hasText: "2.bin" }).waitFor();
    assert.equal(await focused(), "2.bin");
    const open = failed.filter((name) => name !== "2.bin");
    assert.deepEqual(await namesOf(page), [...open, "early 1.txt", "early 2.txt", "2.bin"]);

    const many = Array.from({ length: 7 }, (_, i) => `many ${i}.txt`);
    await choose(many, 50);
    for (const name of many) await row(name).becomes("safe");
    const isSeen = (name: string) => page.getByRole("heading", { name, exact: true }).isVisible();
    await page.getByRole("button", { name: "Show 5 more that are safe" }).click();
    assert.ok(await isSeen("many 6.txt"));
    await page.getByRole("button", { name: "Show fewer" }).click();
    assert.ok(!await isSeen("many 6.txt") && await isSeen("early 1.txt"));

    // Whoever hits the key twice cancels one.
    await page.getByRole("button", { name: "Cancel: 3.bin" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    assert.equal(await focused(), "4.bin");
    await page.getByRole("button", { name: "Clear finished" }).focus();
    await page.keyboard.press("Enter");
    assert.deepEqual(await namesOf(page), open.filter((name) => name !== "3.bin"));
    assert.equal(await page.evaluate("document.activeElement.textContent"), "On their way");
    assert.deepEqual(errors, []);
  },
});

Deno.test({
  ...BROWSER,
  name: "nothing moves while a hand is at the list, and what has just moved cannot be pressed",
  fn: () =>
    stage(async ({ gateway }) => {
      const browser = await startBrowser();
      try {
        const page = await browser.newPage();
        await page.clock.install();
        await page.goto(gateway.url);
        // The list by itself, as the page uses it.
        await page.evaluate(`(async () => {
          const { Row } = await import("/row.js");
          const { RowList } = await import("/row_list.js");
          const element = document.createElement("ol");
          element.className = "rows";
          document.querySelector("main").replaceChildren(element);
          globalThis.list = new RowList(element, document.createElement("button"));
          globalThis.turned = new Row({ name: "x\u202egpj.exe", size: 1 }, {}).element;
          globalThis.rows = ["a", "b", "c"].map((name) => {
            const row = new Row({ name, size: 1 }, {
              cancel() { (globalThis.cancelled ??= []).push(name); },
            });
            list.add(row);
            return row;
          });
        })()`);
        // What it is called, and not what it would look like.
        assert.match(await page.evaluate<string>("turned.textContent"), /xgpj\.exe/);
        // What had come in before is no speed.
        await page.evaluate(
          "rows[0].size = 300e6; rows[0].showStarting(); rows[0].showSent(124e6)",
        );
        await page.clock.runFor(1500);
        await page.evaluate("rows[0].showSent(130e6)");
        assert.match(
          await page.locator(".row .state").first().innerText(),
          /^130 MB of 300 MB at 4\.0 MB\/s, 43 s left$/,
        );
        const be = (kinds: readonly string[]) =>
          page.evaluate(
            `${JSON.stringify(kinds)}.forEach((kind, i) => kind && rows[i].show(kind, kind))`,
          );
        const cancelled = () => page.evaluate("globalThis.cancelled ?? []");
        await be(["sending", "sending", "sending"]);
        assert.deepEqual(await namesOf(page), ["a", "b", "c"]);

        const box = await page.locator(".row").nth(1).boundingBox();
        assert.ok(box !== null);
        await page.mouse.move(box.x + 5, box.y + 5);
        await be(["safe"]);
        await page.clock.runFor(2000);
        assert.deepEqual(await namesOf(page), ["a", "b", "c"]);
        await page.mouse.move(box.x + 9, box.y + 9);
        await page.clock.runFor(2500);
        assert.deepEqual(await namesOf(page), ["a", "b", "c"]);
        await page.clock.runFor(600);
        assert.deepEqual(await namesOf(page), ["b", "c", "a"]);

        // A finger that was on its way to c's button comes down on another.
        const button = await page.getByRole("button", { name: "Cancel: c" }).boundingBox();
        assert.ok(button !== null);
        const press = () => page.mouse.click(button.x + 5, button.y + 5);
        await press();
        assert.deepEqual(await cancelled(), []);
        await page.clock.runFor(500);
        await press();
        assert.deepEqual(await cancelled(), ["c"]);

        // Moved with the focus that is in it.
        await page.getByRole("button", { name: "Cancel: b" }).focus();
        await be(["", "", "failed"]);
        await page.clock.runFor(3100);
        assert.deepEqual(await namesOf(page), ["c", "b", "a"]);
        await be(["", "waiting"]);
        await be(["sending"]);
        assert.deepEqual(await namesOf(page), ["c", "a", "b"]);
        assert.equal(
          await page.evaluate("document.activeElement.getAttribute('aria-label')"),
          "Cancel: b",
        );

        // An answer that comes after a file was cancelled brings it back no more.
        await page.evaluate("list.remove(rows[0]); rows[0].show('received', 'Received')");
        await page.clock.runFor(3100);
        assert.deepEqual(await namesOf(page), ["c", "b"]);
      } finally {
        await browser.close();
      }
    }),
});
