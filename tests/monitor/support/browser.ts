/** A real browser, and what axe-core says of a page in it. */
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

export const CHROMIUM = "/usr/bin/chromium";

export async function startBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM,
    // Root's own sandbox is not chromium's; nothing but our own page is opened.
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

export interface Look {
  readonly scheme: "light" | "dark";
  readonly width: number;
}

/** Desktop in both colours, and a phone. */
export const LOOKS: readonly Look[] = [
  { scheme: "light", width: 1280 },
  { scheme: "dark", width: 1280 },
  { scheme: "light", width: 360 },
  { scheme: "dark", width: 360 },
];

/** What the page in a browser says in its console, and where it asks for anything. */
export interface Watched {
  readonly page: Page;
  readonly said: readonly string[];
  readonly asked: readonly string[];
}

export async function openPage(browser: Browser, url: string, look: Look, script = true) {
  const context = await browser.newContext({
    viewport: { width: look.width, height: 900 },
    colorScheme: look.scheme,
    javaScriptEnabled: script,
  });
  const page = await context.newPage();
  const said: string[] = [], asked: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(url);
  return { page, said, asked, close: () => context.close() };
}

/** @returns what axe-core finds wrong, each as one line */
export async function violations(page: Page): Promise<string[]> {
  // By evaluation, which the page's policy does not concern. Once is enough for a page.
  if (!await page.evaluate(() => "axe" in globalThis)) await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any -- in the browser, where axe has been put just now
    const result = await (globalThis as any).axe.run();
    return result.violations.map((
      { id, nodes }: { id: string; nodes: { html: string; failureSummary?: string }[] },
    ) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`
    );
  });
  return found as string[];
}
