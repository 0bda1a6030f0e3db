/** A real PostgreSQL with an inbox, and a real gateway in its sandbox before it. */
import { createHash } from "node:crypto";
import { gatewayLaunch } from "../../../scripts/lib/http_launch.ts";
import { give } from "../../../scripts/lib/launch.ts";
import { denoArguments } from "../../../scripts/lib/program_command.ts";
import {
  makeInbox,
  startPostgres,
  type TestInbox,
  type TestPostgres,
} from "../../support/postgres.ts";
import { freePort } from "../../../scripts/lib/free_port.ts";
import { until } from "../../lab/command.ts";

export const OWNER = "0a0a0a0a-0000-4000-8000-0000000000aa";
export const OTHER = "0b0b0b0b-0000-4000-8000-0000000000bb";
const TOKENS: Readonly<Record<string, string>> = {
  [OWNER]: "a".repeat(43),
  [OTHER]: "b".repeat(43),
};

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // deno-lint-ignore no-explicit-any -- whatever JSON the gateway answers; tests name what they read of it
  readonly json: any;
}

/** A gateway's process, which can be killed and started again at the same address. */
export class Gateway implements AsyncDisposable {
  #process: Deno.ChildProcess | null = null;
  #output: Promise<string> = Promise.resolve("");
  readonly port = freePort();

  /** @param passwordFile where the server asks for a password */
  constructor(private readonly database: string, private readonly passwordFile?: string) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  async start(): Promise<void> {
    const launch = gatewayLaunch([
      ...["--listen", `127.0.0.1:${this.port}`, "--database", this.database],
      ...(this.passwordFile === undefined ? [] : ["--password-file", this.passwordFile]),
    ]);
    const process = new Deno.Command(Deno.execPath(), {
      args: denoArguments(launch),
      env: { NO_COLOR: "1" },
      stdin: launch.stdin === undefined ? "null" : "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    if (launch.stdin !== undefined) give(process, launch.stdin);
    this.#process = process;
    this.#output = new Response(process.stderr).text();
    let over = false;
    process.status.then(() => over = true);
    await until("the gateway listens", async () => {
      if (over) {
        this.#process = null;
        throw new Error(await this.#output);
      }
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return true;
      } catch {
        return false;
      }
    });
  }

  /** @returns how it ended, and what it said */
  async end(signal: Deno.Signal): Promise<{ readonly code: number; readonly said: string }> {
    const process = this.#process;
    if (process === null) return { code: 0, said: "" };
    this.#process = null;
    process.kill(signal);
    const { code } = await process.status;
    return { code, said: await this.#output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  /** One request of an owner; nobody's where `owner` is null. */
  async send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body: BodyInit | null = null,
    owner: string | null = OWNER,
  ): Promise<Sent> {
    const token = owner === null ? {} : { authorization: `Bearer ${TOKENS[owner]}` };
    const response = await fetch(this.url + path, {
      method,
      body,
      headers: { ...token, ...headers },
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: isJson && text !== "" ? JSON.parse(text) : null,
    };
  }

  /** Opens an upload of an item's content; returns its path. */
  async open(item: string, size: number, ext = "mov"): Promise<string> {
    const { status, headers, text } = await this.send(
      "POST",
      `/media/${OWNER}/${item}/content.${ext}`,
      {
        "upload-complete": "?0",
        "upload-length": String(size),
      },
    );
    if (status !== 201) throw new Error(`${status} ${text}`);
    return headers.get("location") ?? "";
  }

  async patch(
    path: string,
    offset: number,
    bytes: Uint8Array,
    complete: boolean,
    more: Record<string, string> = {},
  ): Promise<Sent> {
    return await this.send("PATCH", path, {
      "content-type": "application/partial-upload",
      "upload-offset": String(offset),
      "upload-complete": complete ? "?1" : "?0",
      ...more,
    }, bytes as Uint8Array<ArrayBuffer>);
  }

  async offset(path: string): Promise<number> {
    const { headers } = await this.send("HEAD", path);
    return Number(headers.get("upload-offset") ?? Number.NaN);
  }

  /** A connection on which a test writes what no client would. */
  async raw(text: string): Promise<Deno.TcpConn> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    await writeAll(connection, new TextEncoder().encode(text));
    return connection;
  }
}

export interface Stage {
  readonly gateway: Gateway;
  readonly inbox: TestInbox;
}

let server: Promise<TestPostgres> | null = null;

Deno.test.afterAll(async () => {
  await (await server)?.stop();
});

/** Runs with an empty inbox of its own, on this file's server. */
export async function stage(use: (stage: Stage) => Promise<void>): Promise<void> {
  server ??= startPostgres({ fsync: false });
  const inbox = await makeInbox(await server);
  for (const [owner, token] of Object.entries(TOKENS)) {
    await inbox.admin.query(
      "INSERT INTO omoide.token (sha256, owner_uuid, label) VALUES ($1, $2, 'test')",
      [createHash("sha256").update(token).digest(), owner],
    );
  }
  await using gateway = new Gateway((await server).url(inbox.database, "omoide_app"));
  await gateway.start();
  try {
    await use({ gateway, inbox });
  } finally {
    await inbox.admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    await inbox.admin.end();
  }
}

export function bearer(owner: string = OWNER): string {
  return `Authorization: Bearer ${TOKENS[owner]}\r\n`;
}

export function tokenOf(owner: string): string {
  return TOKENS[owner] ?? "";
}

export async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** The status of the answer on a raw connection; null where it ends without one. */
export async function statusOn(connection: Deno.TcpConn): Promise<number | null> {
  const buffer = new Uint8Array(4096);
  try {
    const length = await connection.read(buffer);
    const line = new TextDecoder().decode(buffer.subarray(0, length ?? 0));
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1] ?? Number.NaN) || null;
  } catch {
    return null;
  }
}

export function bytesOf(size: number, seed = 1): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31 + seed + (i >> 8)) & 255);
}

export function hexOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** As Repr-Digest and Content-Digest have it. */
export function digestOf(bytes: Uint8Array): string {
  return `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;
}

/** What the inbox holds of a media, as its workers read it. */
export async function contentOf({ admin }: TestInbox, id: number): Promise<Uint8Array> {
  const { rows } = await admin.query<{ bytes: Uint8Array }>(
    "SELECT bytes FROM omoide.media_chunk WHERE media_id = $1 ORDER BY seq",
    [id],
  );
  return new Uint8Array(
    await new Blob(rows.map(({ bytes }) => bytes as Uint8Array<ArrayBuffer>)).arrayBuffer(),
  );
}
