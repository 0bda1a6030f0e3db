/** A whole archive: an inbox, two workers, the gateway, what serves the hot storage, and a browser. */
import { createHash } from "node:crypto";
import { type Browser, chromium, type Page } from "playwright-core";
import { type Front, startFront } from "../../../scripts/demo/front.ts";
import { freePort } from "../../../scripts/lib/free_port.ts";
import type { WorkerProcess } from "../../lab/worker_process.ts";
import type { World } from "../../lab/world.ts";
import { CHROMIUM } from "../../monitor/support/browser.ts";
import { Gateway } from "./stage.ts";

/**
 * What the browser calls the archive: the name of no machine of its own, so that the page gets what one
 * from a home network without TLS gets. (A browser trusts 127.0.0.1 as if it spoke TLS.)
 */
const HOST = "archive.home.arpa";

export interface Look {
  readonly scheme?: "light" | "dark";
  readonly width?: number;
  /** By the address that a browser trusts. */
  readonly isTrusted?: boolean;
  /** One that is touched, and has no mouse. */
  readonly isPhone?: boolean;
}

/** A page that is open, and what went wrong in it. */
export interface OpenPage {
  readonly page: Page;
  readonly errors: readonly string[];
  /** The parts of the row of a file that is on its way. */
  row(name: string): {
    /** Waits until its row is of this kind. @returns what it says then */
    becomes(kind: string, timeoutMs?: number): Promise<string>;
  };
  close(): Promise<void>;
}

export class Archive implements AsyncDisposable {
  readonly #workers = new Map<string, WorkerProcess>();
  #tokens = 0;

  private constructor(
    readonly world: World,
    readonly gateway: Gateway,
    private readonly front: Front,
    private readonly browser: Browser,
    private readonly directory: string,
  ) {}

  static async start(world: World, passwordFile: string): Promise<Archive> {
    const database = new URL(world.server.url(world.database, "omoide_app"));
    database.password = "";
    const gateway = new Gateway(database.href, passwordFile);
    await gateway.start();
    const directory = await Deno.makeTempDir({ prefix: "omoide-archive-" });
    const front = await startFront({
      root: world.root("hot"),
      gatewayPort: gateway.port,
      port: freePort(),
    }, `${directory}/nginx`);
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        ...["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
        `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
      ],
    });
    const archive = new Archive(world, gateway, front, browser, directory);
    for (const { name } of world.storages) archive.startWorker(name);
    return archive;
  }

  startWorker(storage: string): void {
    this.#workers.set(storage, this.world.start(storage));
  }

  async stopWorker(storage: string): Promise<void> {
    await this.#workers.get(storage)?.stop();
    this.#workers.delete(storage);
  }

  /** A new owner's token. */
  async makeToken(owner: string = crypto.randomUUID()): Promise<Token> {
    const text = String(++this.#tokens).padStart(43, "t");
    await this.world.query(
      "INSERT INTO omoide.token (sha256, owner_uuid, label) VALUES ($1, $2, 'test')",
      [createHash("sha256").update(text).digest(), owner],
    );
    return { owner, text };
  }

  url({ isTrusted = false }: Look = {}): string {
    return `http://${isTrusted ? "127.0.0.1" : HOST}:${this.front.port}`;
  }

  /** A browser of its own that has opened the archive. */
  async open(token: Token | null, look: Look = {}): Promise<OpenPage> {
    const { scheme = "light", width = 1280, isPhone = false } = look;
    const context = await this.browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
      hasTouch: isPhone,
      isMobile: isPhone,
    });
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    // While anybody listens, choosers are taken over. Turned on for one alone, it can come behind the key.
    page.on("filechooser", () => {});
    await page.goto(`${this.url(look)}/${token === null ? "" : `#token=${token.text}`}`);
    await page.waitForSelector(token === null ? "#log-in:not([hidden])" : "#archive:not([hidden])");
    const row = (name: string) => {
      const one = page.locator(".row", {
        has: page.getByRole("heading", { name, exact: true, includeHidden: true }),
      });
      return {
        async becomes(kind: string, timeoutMs = 60_000) {
          await page.locator(`.row[data-kind="${kind}"]`, {
            has: page.getByRole("heading", { name, exact: true, includeHidden: true }),
            // It may be folded away.
          }).waitFor({ state: "attached", timeout: timeoutMs });
          return await one.innerText();
        },
      };
    };
    return { page, errors, row, close: () => context.close() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.front[Symbol.asyncDispose]();
    await this.gateway[Symbol.asyncDispose]();
    for (const worker of this.#workers.values()) await worker[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

export interface Token {
  readonly owner: string;
  readonly text: string;
}
