import type { GatewayProcess, Person } from "../gateway.ts";

/** What one write hands to the kernel. */
const WRITE_BYTES = 1024 * 1024;

/** What a page sends by one request. */
const PART_BYTES = 32 * 1024 * 1024;

/**
 * Uploads over bare connections: a client that costs as little as one can, since it runs on the processors
 * that are measured.
 */
export class HttpClient {
  /** The same bytes again and again: nothing on the way compresses them. */
  readonly #block = crypto.getRandomValues(new Uint8Array(65536));
  readonly #bytes = new Uint8Array(WRITE_BYTES);
  readonly #person: Person;

  constructor(private readonly gateway: GatewayProcess) {
    const [person] = gateway.people;
    if (person === undefined) throw new TypeError("nobody may use this gateway");
    this.#person = person;
    for (let at = 0; at < WRITE_BYTES; at += this.#block.length) this.#bytes.set(this.#block, at);
  }

  /** A whole file by one request. */
  async put(size: number): Promise<void> {
    using connection = await this.#connect();
    await this.#request(connection, "PUT", this.#path(), {}, size, 201);
  }

  /** A whole file as the page sends it: opened, then in parts. */
  async upload(size: number): Promise<void> {
    using connection = await this.#connect();
    const headers = { "upload-complete": "?0", "upload-length": String(size) };
    const answer = await this.#request(connection, "POST", this.#path(), headers, 0, 201);
    const [, path = ""] = /^location: (\S+)/im.exec(answer) ?? [];
    for (let at = 0; at < size; at += PART_BYTES) {
      const part = Math.min(PART_BYTES, size - at);
      const isLast = at + part === size;
      const headers = {
        "content-type": "application/partial-upload",
        "upload-offset": String(at),
        "upload-complete": isLast ? "?1" : "?0",
      };
      await this.#request(connection, "PATCH", path, headers, part, isLast ? 201 : 204);
    }
  }

  #path(): string {
    return `/media/${this.#person.owner}/${crypto.randomUUID()}/content.mov`;
  }

  async #connect(): Promise<Deno.TcpConn> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: this.gateway.port });
    connection.setNoDelay(true);
    return connection;
  }

  /** @returns the answer's head @throws {Error} another status */
  async #request(
    connection: Deno.TcpConn,
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    size: number,
    status: number,
  ): Promise<string> {
    const head = [
      `${method} ${path} HTTP/1.1`,
      "host: bench",
      `authorization: Bearer ${this.#person.token}`,
      `content-length: ${size}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    await writeAll(connection, new TextEncoder().encode(`${head.join("\r\n")}\r\n\r\n`));
    for (let left = size; left > 0; left -= WRITE_BYTES) {
      await writeAll(connection, this.#bytes.subarray(0, left));
    }
    const text = await readAnswer(connection);
    if (text.startsWith(`HTTP/1.1 ${status} `)) return text;
    throw new Error(`${method} ${path}: ${text}`);
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** One answer with its short body. */
async function readAnswer(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  for (;;) {
    const length = await connection.read(buffer);
    if (length === null) throw new Error(`the connection ended: ${text}`);
    text += new TextDecoder().decode(buffer.subarray(0, length));
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    const [, body = "0"] = /^content-length: (\d+)/im.exec(text) ?? [];
    if (text.length >= end + 4 + Number(body)) return text;
  }
}
