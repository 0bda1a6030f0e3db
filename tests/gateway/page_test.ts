/** The page in a real browser, with everything behind it: as people use it, and with what happens to them. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { until } from "../lab/command.ts";
import { times } from "../lab/options.ts";
import { admin, sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import type { Connection } from "../../src/inbox/connect.ts";
import { CHROMIUM, LOOKS, violations } from "../monitor/support/browser.ts";
import { requireTools } from "../support/require_tool.ts";
import { Archive, type OpenPage, type Token } from "./support/archive.ts";
import { bytesOf } from "./support/stage.ts";

const template = sharedTemplate();
const HELPERS = new URL("./support/in_browser.js", import.meta.url);
/** Where to keep pictures of the page, for whoever wants to look at them. */
const PICTURES = Deno.env.get("OMOIDE_PICTURES");
/** 5 GiB are more than 32 bits can count; they take minutes, and their place on the disk twice. */
const LARGE_MIB = times(40, 5 * 1024);
/** More than the page copies. */
const IS_LARGE = LARGE_MIB > 256;

/** What each EXIF orientation makes of red and green above, blue and white below. */
const ORIENTATIONS: readonly (readonly [string, string, string, string])[] = [
  ["red", "green", "blue", "white"],
  ["green", "red", "white", "blue"],
  ["white", "blue", "green", "red"],
  ["blue", "white", "red", "green"],
  ["red", "blue", "green", "white"],
  ["blue", "red", "white", "green"],
  ["white", "green", "blue", "red"],
  ["green", "white", "red", "blue"],
];

/** With an EXIF segment, as cameras write it: in either order of bytes. */
function withOrientation(jpeg: Uint8Array, orientation: number): Uint8Array {
  const isLittle = orientation % 2 === 0;
  const exif = new DataView(new ArrayBuffer(36));
  exif.setUint16(0, 0xffe1);
  exif.setUint16(2, 34);
  for (const [i, code] of [...new TextEncoder().encode("Exif")].entries()) {
    exif.setUint8(4 + i, code);
  }
  const at = 10;
  exif.setUint16(at, isLittle ? 0x4949 : 0x4d4d);
  exif.setUint16(at + 2, 42, isLittle);
  exif.setUint32(at + 4, 8, isLittle);
  exif.setUint16(at + 8, 1, isLittle);
  exif.setUint16(at + 10, 0x0112, isLittle);
  exif.setUint16(at + 12, 3, isLittle);
  exif.setUint32(at + 14, 1, isLittle);
  exif.setUint16(at + 18, orientation, isLittle);
  return new Uint8Array(
    Buffer.concat([jpeg.subarray(0, 2), new Uint8Array(exif.buffer), jpeg.subarray(2)]),
  );
}

async function choose(page: Page, name: string, bytes: Uint8Array, mimeType = ""): Promise<void> {
  await page.setInputFiles("#files", [{ name, mimeType, buffer: Buffer.from(bytes) }]);
}

const item = (page: Page, name: string) => page.locator(".item", { hasText: name });

/** What the archive gives for an item's link: the status, and the bytes in base64. */
async function contentOf(page: Page, name: string, range?: string): Promise<string> {
  const link = await item(page, name).locator("a[href]").getAttribute("href");
  const given = [link, range].map((each) => JSON.stringify(each));
  return await page.evaluate<string>(`inBrowser.read(${given})`);
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

/** As it is seen on a desk and on a telephone, light and dark: nothing that axe-core finds, nothing cut off. */
async function inspect({ page }: OpenPage, state: string): Promise<void> {
  for (const { scheme, width } of LOOKS) {
    await page.setViewportSize({ width, height: 900 });
    await page.emulateMedia({ colorScheme: scheme });
    if (PICTURES !== undefined) {
      await page.screenshot({
        path: `${PICTURES}/${state}-${scheme}-${width}.png`,
        fullPage: true,
      });
    }
    assert.deepEqual(await violations(page), [], `${state}, ${scheme}, ${width}`);
    const overflow = await page.evaluate<number>(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    assert.equal(overflow, 0, `${state}, ${scheme}, ${width}: wider than the window`);
  }
}

Deno.test({
  ...requireTools([CHROMIUM]),
  sanitizeOps: false,
  sanitizeResources: false,
  name: "the page: every kind of file, whatever happens meanwhile, by any means, for anybody",
  async fn(t) {
    await using world = await template().world();
    await using archive = await Archive.start(world, template().passwordFile);
    await world.query(
      "UPDATE omoide.settings SET max_inbox_bytes = 2e10, max_inbox_disk_bytes = 4e10, " +
        "max_media_bytes = 1e10, max_pending_bytes = 1e10",
    );
    const settings = (text: string) => world.query(`UPDATE omoide.settings SET ${text}`);
    const token = await archive.makeToken();
    const opened = await archive.open(token);
    opened.page.setDefaultTimeout(60_000);
    const { page, row } = opened;
    const helpers = await Deno.readTextFile(HELPERS);
    await page.evaluate(helpers);
    /** Each goes on where the one before has ended. */
    const step = async (name: string, play: () => Promise<void>) => {
      if (await t.step(name, play)) return;
      throw new Error(`the page shows:\n${await page.innerText("main")}`);
    };

    await step("it is a page without TLS, of which the browser trusts nothing", async () => {
      assert.equal(await page.evaluate("isSecureContext || crypto.subtle !== undefined"), false);
      await inspect(opened, "empty");
    });

    await step("pictures are shown as they are to be seen, and kept as they are", async () => {
      const jpeg = Buffer.from(
        await page.evaluate<string>("inBrowser.makePicture(64, 32)"),
        "base64",
      );
      const names = ORIENTATIONS.map((_, i) => `orientation ${i + 1}.jpg`);
      const pictures = names.map((_, i) => withOrientation(jpeg, i + 1));
      // NGINX, where many come at once: a small picture that is refused for now comes again.
      const busy = { status: 429, headers: { "retry-after": "1" } };
      await page.route("**/thumbnail.jpg", (route) => route.fulfill(busy), { times: 1 });
      await page.setInputFiles(
        "#files",
        names.map((name, i) => ({
          name,
          mimeType: "image/jpeg",
          buffer: Buffer.from(pictures[i] ?? []),
        })),
      );
      for (const [i, corners] of ORIENTATIONS.entries()) {
        const name = names[i] ?? "";
        await row(name).becomes("safe");
        await item(page, name).locator("img").waitFor();
        const small = await item(page, name).locator("img").getAttribute("src");
        const seen = await page.evaluate(`inBrowser.look(${JSON.stringify(small)})`);
        const [width, height] = i < 4 ? [64, 32] : [32, 64];
        assert.deepEqual(seen, { width, height, corners: [...corners] }, name);
        assert.equal(await contentOf(page, name), `200 ${base64(pictures[i] ?? new Uint8Array())}`);
      }
    });

    await step("a small picture that was not sent before a reload is sent after it", async () => {
      const jpeg = Buffer.from(
        await page.evaluate<string>("inBrowser.makePicture(32, 64)"),
        "base64",
      );
      // Held until the page has gone. Taking the route away before would let it pass.
      let isReloaded = false;
      await page.route("**/thumbnail.jpg", (route) => isReloaded ? route.continue() : undefined);
      await choose(page, "reloaded.jpg", jpeg, "image/jpeg");
      await row("reloaded.jpg").becomes("safe");
      await item(page, "reloaded.jpg").locator(".icon").waitFor();
      isReloaded = true;
      await page.reload();
      await page.evaluate(helpers);
      await item(page, "reloaded.jpg").locator("img").waitFor();
      await row("reloaded.jpg").becomes("safe");
      await page.unroute("**/thumbnail.jpg");
    });

    await step(
      "a video has its first frame, and what the browser cannot decode an icon",
      async () => {
        const video = Buffer.from(await page.evaluate<string>("inBrowser.makeVideo()"), "base64");
        await choose(page, "film.webm", video, "video/webm");
        const heic = Buffer.concat([
          Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
          bytesOf(5000),
        ]);
        await choose(page, "apple.heic", heic, "image/heic");
        await choose(page, "empty.txt", new Uint8Array());
        await row("film.webm").becomes("safe");
        await item(page, "film.webm").locator("img").waitFor();
        const small = await item(page, "film.webm").locator("img").getAttribute("src");
        const { corners } = await page.evaluate<{ corners: string[] }>(
          `inBrowser.look(${JSON.stringify(small)})`,
        );
        assert.deepEqual(corners, ["red", "red", "red", "red"]);
        for (
          const [name, icon, bytes] of [["apple.heic", "HEIC", heic], [
            "empty.txt",
            "TXT",
            [],
          ]] as const
        ) {
          assert.match(await row(name).becomes("safe"), /Safe to delete from your phone/);
          assert.equal(await item(page, name).locator(".icon").textContent(), icon);
          assert.equal(await contentOf(page, name), `200 ${base64(new Uint8Array(bytes))}`);
        }
        await inspect(opened, "safe");
      },
    );

    await step("a large one: offline, with the gateway killed, and over a reload", async () => {
      const name = "concert.mov";
      await using holding = await Holding.start(world);
      await page.evaluate(`inBrowser.addLarge("${name}", ${LARGE_MIB})`);
      await holding.hold();
      await page.locator('.row[data-kind="sending"]', { hasText: / MB of / }).waitFor();
      await page.context().setOffline(true);
      await holding.letGo();
      assert.match(await row(name).becomes("paused"), /No connection: it goes on by itself/);
      await holding.hold();
      await page.context().setOffline(false);
      await row(name).becomes("sending");
      await inspect(opened, "sending");
      await archive.gateway.end("SIGKILL");
      await row(name).becomes("paused");
      await archive.gateway.start();
      await page.evaluate("dispatchEvent(new Event('online'))");
      await row(name).becomes("sending");
      // A small one is copied and goes on by itself. Of a large one, or of which the copy was not finished,
      // the page knows how far it was; whoever comes back chooses it again.
      if (!IS_LARGE) {
        await page.reload();
        await row(name).becomes("sending");
        await page.evaluate(helpers);
        await page.evaluate("inBrowser.loseCopies()");
      }
      await page.reload();
      assert.match(
        await row(name).becomes("missing"),
        / MB of .* have come in\. Choose the file again, and it goes on/,
      );
      await page.evaluate(helpers);
      await inspect(opened, "missing");
      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: `Choose again: ${name}` }).click();
      await chooser;
      await page.evaluate(`inBrowser.addLarge("${name}", ${LARGE_MIB})`);
      await row(name).becomes("sending");
      assert.equal(await page.locator(".row").count(), 1);
      const uploads = await world.query("SELECT FROM omoide.upload WHERE size > 10000000");
      assert.equal(uploads.length, 1);
      await holding.letGo();
      await row(name).becomes("safe", times(60_000, 3_600_000));
      await page.evaluate(`inBrowser.addLarge("${name}", ${LARGE_MIB})`);
      await page.locator("#summary", { hasText: "1 file of these on the list already" }).waitFor();
      const last = (LARGE_MIB - 1) * 1024 * 1024;
      await item(page, name).locator("a[href]").waitFor();
      assert.equal(
        await contentOf(page, name, `bytes=${last - 2}-${last + 5}`),
        `206 ${base64(new Uint8Array([0, 0, 1, 2, 3, 4, 0, 0]))}`,
      );
    });

    await step(
      "with a worker stopped it says what is to come, and calls nothing safe",
      async () => {
        await archive.stopWorker("cold");
        await choose(page, "halfway.bin", bytesOf(300_000));
        await page.locator(".row", { hasText: "Stored in hot; cold to come" }).waitFor();
        const text = await row("halfway.bin").becomes("received");
        assert.doesNotMatch(text, /Safe to delete/);
        await inspect(opened, "halfway");
        archive.startWorker("cold");
        assert.match(await row("halfway.bin").becomes("safe"), /Safe to delete from your phone/);
      },
    );

    await step(
      "a full inbox, a file that is too large, one that is parked: each with its reason",
      async () => {
        await settings("max_inbox_bytes = 1");
        await choose(page, "waits.bin", bytesOf(1000));
        assert.match(
          await row("waits.bin").becomes("paused"),
          /The archive is full for the moment/,
        );
        await settings("max_inbox_bytes = 2e10, max_media_bytes = 10");
        await choose(page, "too large.bin", bytesOf(1001));
        assert.match(await row("too large.bin").becomes("failed"), /the limit is 10 bytes/);
        await settings("max_media_bytes = 1e10");
        await archive.stopWorker("hot");
        await archive.stopWorker("cold");
        await choose(page, "parked.bin", bytesOf(1002));
        await row("parked.bin").becomes("received");
        await world.query(
          "UPDATE omoide.delivery SET parked_at = now(), attempts = 6, last_error = 'the name is taken'",
        );
        assert.match(await row("parked.bin").becomes("parked"), /the name is taken/);
        await inspect(opened, "troubles");
        await admin("inbox", "retry", "--all", "--database", world.server.url(world.database));
        archive.startWorker("hot");
        archive.startWorker("cold");
        // As when the network comes back: it need not wait for half a minute.
        await page.evaluate("dispatchEvent(new Event('online'))");
        await row("waits.bin").becomes("safe");
        await row("parked.bin").becomes("safe");
      },
    );

    await step("by the keyboard alone: files are chosen, tried again, cancelled", async () => {
      await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
      const reach = async (name: string) => {
        for (let tabs = 0; tabs < 60; tabs++) {
          await page.keyboard.press("Tab");
          const label = await page.evaluate<string>(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent",
          );
          if (label.trim() === name) return;
        }
        throw new Error(`the keyboard does not reach ${name}`);
      };
      await reach("Choose files");
      const chooser = page.waitForEvent("filechooser");
      await page.keyboard.press("Enter");
      await (await chooser).setFiles([
        { name: "by keyboard.txt", mimeType: "", buffer: Buffer.from("typed") },
      ]);
      await row("by keyboard.txt").becomes("safe");
      await reach("Cancel: too large.bin");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Enter");
      await row("too large.bin").becomes("safe");
    });

    await step("a folder that is chosen, and files that are dropped or pasted", async () => {
      const folder = await Deno.makeTempDir({ prefix: "omoide-folder-" });
      await Deno.mkdir(`${folder}/below`);
      await Deno.writeTextFile(`${folder}/below/in a folder.txt`, "in a folder");
      await Deno.writeTextFile(`${folder}/.DS_Store`, "of the system");
      await page.setInputFiles("#folder", folder);
      for (const kind of ["drop", "paste"]) {
        await page.evaluate(`inBrowser.bring("${kind}", "${kind}.txt")`);
      }
      for (const name of ["in a folder.txt", "drop.txt", "paste.txt"]) {
        await row(name).becomes("safe");
      }
      assert.equal(await page.locator(".row", { hasText: ".DS_Store" }).count(), 0);
      await Deno.remove(folder, { recursive: true });
    });

    await step(
      "a page that the browser trusts keeps the screen on, and files by their handles",
      () => uploadTrusted(archive, token, helpers),
    );

    await step("a revoked token ends it with a reason; with another one it goes on", async () => {
      await world.query("UPDATE omoide.token SET revoked_at = now()");
      await page.waitForSelector("#log-in:not([hidden])");
      assert.match(await page.textContent("#token-error") ?? "", /no longer valid/);
      await inspect(opened, "revoked");
      const next = await archive.makeToken(token.owner);
      assert.equal(await page.evaluate("document.activeElement.id"), "token");
      await page.keyboard.type("mistyped");
      await page.keyboard.press("Enter");
      await page.locator("#token-error", { hasText: "not known" }).waitFor();
      await page.fill("#token", "");
      await page.keyboard.type(next.text);
      await page.keyboard.press("Enter");
      await page.waitForSelector("#archive:not([hidden])");
      await choose(page, "after.txt", Buffer.from("after"));
      await row("after.txt").becomes("safe");
      await signInElsewhere(archive, next);
    });

    assert.deepEqual(opened.errors, []);
  },
});

/** Stops uploads in their middle, so that they are not over too early. */
class Holding implements AsyncDisposable {
  private constructor(private readonly connection: Connection) {}

  static async start(world: World): Promise<Holding> {
    return new Holding(await world.connect());
  }

  /** Once some of it is stored, nothing more is. */
  async hold(): Promise<void> {
    await this.connection.query("BEGIN");
    await until("some of it is stored", async () => {
      const { rowCount } = await this.connection.query(
        "SELECT FROM omoide.upload WHERE media_id IS NULL AND chunks >= 4 FOR UPDATE",
      );
      return rowCount === 1;
    });
  }

  async letGo(): Promise<void> {
    await this.connection.query("ROLLBACK");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.end();
  }
}

/**
 * By an address that the browser trusts: the screen stays on while something is under way, and a file goes on
 * by its handle, of which no copy is needed.
 */
async function uploadTrusted(archive: Archive, token: Token, helpers: string): Promise<void> {
  const desk = await archive.open(token, { isTrusted: true });
  const { page, row } = desk;
  await using holding = await Holding.start(archive.world);
  const name = "from a desk.mov";
  const held = () => page.evaluate<number>("wakeLocks.filter((lock) => !lock.released).length");
  const waitForHeld = async (count: number) => {
    await until(`${count} locks of the screen are held`, async () => await held() === count);
  };
  await page.evaluate(helpers);
  await page.evaluate("inBrowser.watchWakeLock()");
  await page.evaluate(`inBrowser.offerFile("${name}", 30_000_000)`);
  assert.equal(await held(), 0);
  await page.getByRole("button", { name: "Choose files" }).click();
  await row(name).becomes("sending");
  await holding.hold();
  await waitForHeld(1);
  await page.evaluate("inBrowser.setVisible(false)");
  assert.equal(await held(), 0);
  await page.evaluate("inBrowser.setVisible(true)");
  await waitForHeld(1);

  await page.reload();
  await row(name).becomes("sending");
  await page.addInitScript(`${helpers}; inBrowser.askAgain(); inBrowser.watchWakeLock()`);
  await page.reload();
  assert.match(
    await row(name).becomes("missing"),
    /Allow this page to read the file again, and it goes on/,
  );
  assert.equal(await held(), 0);
  await page.getByRole("button", { name: `Allow: ${name}` }).click();
  await row(name).becomes("sending");
  await waitForHeld(1);
  await holding.letGo();
  await row(name).becomes("safe");
  await waitForHeld(0);

  // One that is changed meanwhile is not sent, and is not taken for a network that is away.
  await page.evaluate(`inBrowser.offerFile("changed.mov", 80_000_000)`);
  await page.getByRole("button", { name: "Choose files" }).click();
  await holding.hold();
  await page.evaluate(`inBrowser.offerFile("changed.mov", 80_000_000)`);
  await holding.letGo();
  assert.match(await row("changed.mov").becomes("missing"), /cannot be read any more/);
  await page.getByRole("button", { name: "Cancel: changed.mov" }).click();
  assert.deepEqual(desk.errors, []);
  await desk.close();
}

/** The same archive on another device: what is there is seen; and nobody else sees it. */
async function signInElsewhere(archive: Archive, token: Token): Promise<void> {
  const phone = await archive.open(token, { width: 360, isTrusted: true, isPhone: true });
  await item(phone.page, "after.txt").waitFor();
  // Its camera is one touch away; files are chosen by what shows pictures, not folders.
  const choosers = { "Take a picture": "environment", "Choose files": null };
  for (const [name, camera] of Object.entries(choosers)) {
    const chooser = phone.page.waitForEvent("filechooser");
    await phone.page.getByRole("button", { name }).tap();
    assert.equal(await (await chooser).element().getAttribute("capture"), camera);
  }
  assert.equal(await phone.page.evaluate("isSecureContext"), true);
  // A link leads nobody into its sender's archive unseen.
  const sender = await archive.makeToken();
  await phone.page.goto("about:blank");
  await phone.page.goto(`${archive.url({ isTrusted: true })}/#token=${sender.text}`);
  await phone.page.locator("#token-error", { hasText: "for another archive" }).waitFor();
  await phone.page.getByRole("button", { name: "Stay where I am" }).tap();
  await item(phone.page, "after.txt").waitFor();
  assert.deepEqual(phone.errors, []);
  await phone.close();
  const other = await archive.open(await archive.makeToken());
  await other.page.waitForSelector("#no-items:not([hidden])");
  assert.equal(await other.page.locator(".item").count(), 0);
  await logOutInTheMiddle(archive.world, other);
  await other.close();
}

/** Whoever comes to this device next finds nothing of it. */
async function logOutInTheMiddle(world: World, { page, row }: OpenPage): Promise<void> {
  await world.query("UPDATE omoide.settings SET max_inbox_bytes = 1");
  await choose(page, "left behind.txt", Buffer.from("left behind"));
  await row("left behind.txt").becomes("paused");
  const logOut = page.getByRole("button", { name: "Log out" });
  const answer = (isYes: boolean) =>
    page.once("dialog", (dialog) => isYes ? dialog.accept() : dialog.dismiss());
  answer(false);
  await logOut.click();
  await page.context().setOffline(true);
  answer(true);
  await logOut.click();
  await page.locator("#trouble", { hasText: "you are still logged in" }).waitFor();
  await page.context().setOffline(false);
  answer(true);
  await logOut.click();
  await page.waitForSelector("#log-in:not([hidden])");
  await page.evaluate(await Deno.readTextFile(HELPERS));
  assert.equal(await page.evaluate("inBrowser.countCopies()"), 0);
  await world.query("UPDATE omoide.settings SET max_inbox_bytes = 2e10");
}
