/** What owners upload is opened from the archive's own address: none of it runs there. */
import assert from "node:assert/strict";
import { until } from "../lab/command.ts";
import { sharedTemplate } from "../lab/template.ts";
import { CHROMIUM } from "../monitor/support/browser.ts";
import { requireTools } from "../support/require_tool.ts";
import { Archive } from "./support/archive.ts";

const template = sharedTemplate();

/** Ends the session of whoever opens it, if it runs. */
const ATTACK = "fetch('/session', { method: 'DELETE' }); document.title = 'it ran';";
const HTML = `<!doctype html><title>page</title><script>${ATTACK}</script>`;
const SVG =
  `<svg xmlns="http://www.w3.org/2000/svg" onload="${ATTACK}"><script>${ATTACK}</script></svg>`;
const XHTML =
  `<html xmlns="http://www.w3.org/1999/xhtml"><head><script>${ATTACK}</script></head></html>`;

/** By extension; pictures and videos are shown, all else is handed over as a file. */
const FILES: readonly (readonly [string, string, "file" | "shown"])[] = [
  ["html", HTML, "file"],
  ["htm", HTML, "file"],
  ["shtml", HTML, "file"],
  ["HTML", HTML, "file"],
  ["svg", SVG, "file"],
  ["svgz", SVG, "file"],
  ["xhtml", XHTML, "file"],
  ["xml", XHTML, "file"],
  ["mht", HTML, "file"],
  ["pdf", "%PDF-1.4", "file"],
  ["js", ATTACK, "file"],
  ["jpg", HTML, "shown"],
  ["mp4", HTML, "shown"],
];

Deno.test({
  ...requireTools([CHROMIUM, "nginx"]),
  sanitizeOps: false,
  sanitizeResources: false,
  name: "nothing that was uploaded runs when it is opened, framed or loaded as a script",
  async fn() {
    await using world = await template().world();
    await using archive = await Archive.start(world, template().passwordFile);
    const token = await archive.makeToken();
    const base = archive.url({ isTrusted: true });
    const { page } = await archive.open(token, { isTrusted: true });
    const own = { authorization: `Bearer ${token.text}` };
    const isLoggedIn = () => page.evaluate("fetch('/session').then(({ status }) => status)");
    for (const [ext, content, expected] of FILES) {
      const item = `${base}/media/${token.owner}/${crypto.randomUUID()}`;
      const put = await fetch(`${item}/content.${ext}`, {
        method: "PUT",
        headers: own,
        body: content,
      });
      assert.equal(put.status, 201, await put.text());
      const path = await until("it is served", async () => {
        const [file] = await (await fetch(item, { headers: own })).json();
        return file.is_served ? `/${file.path}` : false;
      });
      if (expected === "file") {
        const [download] = await Promise.all([
          page.waitForEvent("download"),
          page.goto(base + path).catch(() => {}),
        ]);
        await download.cancel();
      } else {
        await page.goto(base + path);
        assert.notEqual(await page.title(), "it ran", ext);
        await page.goto(base);
      }
      for (const element of ["script", "iframe", "embed", "object"]) {
        await page.evaluate(`new Promise((resolve) => {
          const element = document.createElement("${element}");
          element["${element === "object" ? "data" : "src"}"] = "${path}";
          element.onload = element.onerror = resolve;
          document.body.append(element);
          setTimeout(resolve, 100);
        })`);
      }
      assert.notEqual(await page.title(), "it ran", ext);
      assert.equal(await isLoggedIn(), 200, `${ext} has run`);
    }
  },
});
