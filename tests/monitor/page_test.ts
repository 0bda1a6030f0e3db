/** The status page in a real browser: each state, light and dark, on a desk and on a telephone. */
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { until } from "../lab/command.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";
import { requireTools } from "../support/require_tool.ts";
import {
  CHROMIUM,
  type Look,
  LOOKS,
  openPage,
  startBrowser,
  violations,
} from "./support/browser.ts";
import { MonitorProcess } from "./support/monitor_process.ts";

/** SAFE is said only from a database that keeps what it commits. */
const template = sharedTemplate({ fsync: true });
let browser: Promise<Browser> | null = null;
Deno.test.afterAll(async () => await (await browser)?.close());

const TOOLS = { ...requireTools([CHROMIUM]), sanitizeOps: false, sanitizeResources: false };
/** Where to keep pictures of the page, for whoever wants to look at them. */
const PICTURES = Deno.env.get("OMOIDE_PICTURES");

/** Two days in which both storages stored by day, and a year in which they became fuller. */
async function past(world: World): Promise<void> {
  await world.query(
    `INSERT INTO omoide.measurement (storage_id, span, at, stored_media, stored_bytes, owed, state,
      free_bytes, total_bytes)
    SELECT s.id, 'minute', date_trunc('minute', now()) - n * interval '1 minute', n % 50,
      greatest(0, sin(n / 200.0 + s.id)) * 5e8, greatest(0, cos(n / 150.0)) * 400 * s.id, 'idle',
      4e11 + n * 1e7, 2e12
    FROM omoide.storage s, generate_series(1, 2800) n WHERE n NOT BETWEEN 900 AND 1100
    UNION ALL
    SELECT s.id, 'hour', date_trunc('hour', now()) - n * interval '1 hour', n, n * 1e7, 0, 'idle',
      4e11 + n * 1e8 * s.id, 2e12
    FROM omoide.storage s, generate_series(1, 8000, 4) n ON CONFLICT DO NOTHING`,
  );
}

const DESK: Look = { scheme: "light", width: 1280 };
const LIVING = "UPDATE omoide.worker SET seen_at = now()";

interface State {
  readonly title: "Safe" | "Behind" | "Attention" | "Unknown";
  /** What the page says then and in no state before. */
  readonly says: RegExp;
  readonly make: (world: World, monitor: MonitorProcess) => Promise<unknown>;
  /** Fixes it, where the next one is not to have it too. */
  readonly fix?: (world: World, monitor: MonitorProcess) => unknown;
}

/** One after the other on the same page. */
const STATES: Readonly<Record<string, State>> = {
  safe: { title: "Safe", says: /SAFE: every media is in all 2 storages/, make: async () => {} },
  behind: {
    title: "Behind",
    says: /cold is owed 3 media/,
    make: async (world) => {
      await world.submitMany(new Random(2), 3);
      await world.query("UPDATE omoide.worker SET state = 'storing', seen_at = now()");
    },
  },
  paused: {
    title: "Attention",
    says: /cold takes nothing: the disk is full/,
    make: async (world) => {
      await world.query(LIVING);
      await world.query(
        "UPDATE omoide.worker SET state = 'paused', reason = 'the disk is full' " +
          "WHERE storage_id = (SELECT id FROM omoide.storage WHERE name = 'cold')",
      );
    },
    fix: (world) => world.query("UPDATE omoide.worker SET state = 'storing', reason = NULL"),
  },
  distrusted: {
    title: "Attention",
    says: /hot is distrusted: fsync failed: EIO/,
    make: async (world) => {
      await world.query(LIVING);
      await world.query(
        "UPDATE omoide.storage SET distrusted_at = now(), distrusted_reason = 'fsync failed: EIO' " +
          "WHERE name = 'hot'",
      );
    },
    fix: (world) =>
      world.query("UPDATE omoide.storage SET distrusted_at = NULL, distrusted_reason = NULL"),
  },
  findings: {
    title: "Attention",
    says: /cold: 1 finding “corrupt”/,
    make: async (world) => {
      await world.query(LIVING);
      await find(world);
    },
    fix: (world) => world.query("UPDATE omoide.found SET closed_at = now()"),
  },
  everything: {
    title: "Attention",
    says: /media of cold given up on/,
    make: async (world, monitor) => {
      for (const each of ["paused", "distrusted", "findings"]) {
        await STATES[each]?.make(world, monitor);
      }
      await world.query(
        "UPDATE omoide.delivery SET parked_at = now(), attempts = 6, last_error = 'wrong checksum' " +
          "WHERE media_id = (SELECT min(media_id) FROM omoide.delivery)",
      );
    },
  },
  away: {
    title: "Unknown",
    says: /UNKNOWN: the inbox does not answer/,
    make: async (_world, monitor) => await Promise.resolve(monitor.wire.goAway()),
  },
};

/** What looks have found, and that they go on. */
async function find(world: World): Promise<void> {
  await world.query(
    `INSERT INTO omoide.found (storage_id, kind, depth, path, detail, found_at)
    SELECT s.id, k.kind, 'deep', k.path, k.detail, now() - interval '3 hours' FROM omoide.storage s, (VALUES
      ('corrupt', '.omoide/objects/6f/' || repeat('6f1c9a', 10) || '-17', 'has 10 bytes with another checksum'),
      ('missing', 'content/0a0a0a0a-0000-4000-8000-0000000000aa/6f/6f1c1c0e.jpg',
        'is gone, its object is there; \`storage sync\` gives it its name')
    ) AS k (kind, path, detail)`,
  );
  await world.query(
    `INSERT INTO omoide.look (storage_id, depth, started_at, seen_at, bytes, last_started_at, finished_at,
      finished_files, finished_bytes, finished_findings)
    SELECT id, 'deep', now() - interval '2 days', now(), 5e11::bigint, now() - interval '20 days',
      now() - interval '17 days', 5e5::bigint, 9e11::bigint, 0 FROM omoide.storage ON CONFLICT DO NOTHING`,
  );
}

/** Whatever reaches beyond the right edge, and is not in something that can be scrolled. */
async function tooWide(page: Page): Promise<string[]> {
  return await page.$$eval("body *", (elements) => {
    const edge = elements[0]?.ownerDocument.documentElement.clientWidth ?? 0;
    return elements
      .filter((it) => it.parentElement?.closest(".scroll") === null)
      .filter((it) => it.getBoundingClientRect().right > edge + 1)
      .map((it) => it.outerHTML.slice(0, 200));
  });
}

/** Both colours on a desk; on a phone one of them, in turn. */
function looksAt(state: string): readonly Look[] {
  const isOdd = Object.keys(STATES).indexOf(state) % 2 === 1;
  return LOOKS.filter(({ scheme, width }) => width > 500 || (scheme === "dark") === isOdd);
}

Deno.test({
  ...TOOLS,
  name: "the page in each state: sound in every look, for axe-core, and without any other host",
  fn: async (t) => {
    await using world = await template().world();
    await world.submitMany(new Random(1), 3);
    await world.drainAll();
    await past(world);
    await using monitor = await MonitorProcess.start(world);
    browser ??= startBrowser();
    for (const [state, { title, says, make, fix }] of Object.entries(STATES)) {
      await t.step(state, async () => {
        await make(world, monitor);
        await monitor.becomes(
          "/",
          ({ text }) => text.includes(`<title>${title} –`) && says.test(text.replace(/\s+/g, " ")),
        );
        await isSound(monitor, state);
        await fix?.(world, monitor);
      });
    }
  },
});

/** One page, which changes its look: opening another takes longer than looking at it. */
async function isSound(monitor: MonitorProcess, state: string): Promise<void> {
  browser ??= startBrowser();
  const looks = looksAt(state);
  const opened = await openPage(await browser, monitor.url, looks[0] ?? DESK);
  const { page, said, asked } = opened;
  // Thousands of numbers, which are the same in each state.
  for (const details of state === "everything" ? await page.$$("details") : []) {
    await details.evaluate((it) => it.setAttribute("open", ""));
  }
  for (const look of looks) {
    await page.emulateMedia({ colorScheme: look.scheme });
    await page.setViewportSize({ width: look.width, height: 900 });
    assert.deepEqual(await violations(page), [], `${state}, ${look.scheme}, ${look.width}`);
    assert.deepEqual(await tooWide(page), []);
    const scrolled = await page.$eval("html", (it) => {
      it.scrollLeft = 9999;
      return it.scrollLeft;
    });
    assert.equal(scrolled, 0, "the page is as wide as the screen");
    if (PICTURES !== undefined) {
      const path = `${PICTURES}/${state}-${look.scheme}-${look.width}.png`;
      await page.screenshot({ path, fullPage: true });
    }
  }
  assert.deepEqual(said, []);
  assert.ok(asked.length >= 3);
  assert.deepEqual(asked.filter((url) => !url.startsWith(`${monitor.url}/`)), []);
  await opened.close();
}

Deno.test({
  ...TOOLS,
  name: "the page changes by itself, keeps what was opened, and is whole without script",
  fn: async () => {
    await using world = await template().world();
    await world.submitMany(new Random(1), 3);
    await world.drainAll();
    await past(world);
    await using monitor = await MonitorProcess.start(world);
    await monitor.becomes("/healthz", ({ text }) => text.startsWith("SAFE: every"));
    browser ??= startBrowser();
    const plain = await openPage(await browser, monitor.url, DESK, false);
    for (const heading of ["Storages", "Open findings", "Given up on", "How it was"]) {
      assert.ok(await plain.page.isVisible(`h2:text("${heading}")`), heading);
    }
    await plain.close();

    const { page, close } = await openPage(await browser, monitor.url, DESK);
    // By the keyboard alone.
    await page.focus("#backlog-numbers summary");
    await page.keyboard.press("Enter");
    assert.equal(await page.$eval("#backlog-numbers", (it) => it.hasAttribute("open")), true);
    await page.$eval(
      "#backlog-numbers summary",
      (it) => (it as unknown as { blur(): void }).blur(),
    );
    await STATES["distrusted"]?.make(world, monitor);
    await monitor.becomes("/healthz", ({ status }) => status === 503);
    await until("the open page shows it", async () => (await page.title()).startsWith("Attention"));
    assert.match(await page.innerText("#verdict"), /hot is distrusted: fsync failed: EIO/);
    assert.equal(await page.$eval("#backlog-numbers", (it) => it.hasAttribute("open")), true);
    await close();
  },
});
