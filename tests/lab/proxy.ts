import { pause } from "./command.ts";

/** Bytes on their way, to be looked at before they are handed on. */
export type Look = (bytes: Uint8Array, wire: Wire) => void;

/**
 * A TCP proxy before the database, which can cut, drop and delay. Everything goes through unchanged
 * until it is told otherwise.
 */
export class FaultyProxy implements AsyncDisposable {
  /** That new connections come to, stays the same. */
  readonly port: number;
  readonly #wires = new Set<Wire>();
  #listening = true;
  #gate = Promise.withResolvers<void>();
  #frozen = false;
  /** Bytes per direction are held this long, in milliseconds. */
  delayMs = 0;
  /** New connections are ended at once. */
  refusing = false;
  /** Called with what the client sends, before the server has it. */
  onClient: Look = () => {};
  /** Called with what the server answers, before the client has it. */
  onServer: Look = () => {};
  /** How many connections there have been. */
  accepted = 0;

  private constructor(
    private listener: Deno.TcpListener,
    private readonly target: { hostname: string; port: number },
  ) {
    this.port = listener.addr.port;
    this.#gate.resolve();
    this.#accept();
  }

  /** @param port of 127.0.0.1, where the server listens */
  static before(port: number): FaultyProxy {
    const hostname = "127.0.0.1";
    return new FaultyProxy(Deno.listen({ hostname, port: 0 }), { hostname, port });
  }

  get open(): number {
    return this.#wires.size;
  }

  /** Ends every connection, on both sides. */
  cutAll(): void {
    for (const wire of this.#wires) wire.cut();
  }

  /** Nobody is there: the kernel refuses new connections, and those that there are end. */
  goAway(): void {
    if (this.#listening) this.listener.close();
    this.#listening = false;
    this.cutAll();
  }

  comeBack(): void {
    this.listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#listening = true;
    this.#accept();
  }

  /**
   * From now on nothing passes, either way, and nobody is told: as when a firewall begins to drop. The
   * kernel still answers TCP's own keepalive, which makes it harder to notice than a dead host.
   */
  freeze(): void {
    if (this.#frozen) return;
    this.#frozen = true;
    this.#gate = Promise.withResolvers<void>();
  }

  thaw(): void {
    this.#frozen = false;
    this.#gate.resolve();
  }

  /**
   * The next time the client sends bytes that hold `text`, the server gets them and does its work, but
   * its answer is swallowed and the connection cut. Resolves when that has happened.
   */
  swallowAnswerTo(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.onClient;
    this.onClient = (bytes, wire) => {
      before(bytes, wire);
      if (wire.swallows || !holds(bytes, text)) return;
      this.onClient = before;
      wire.swallowThenCut(resolve);
    };
    return promise;
  }

  async #accept(): Promise<void> {
    for await (const client of this.listener) {
      this.accepted++;
      if (this.refusing) {
        client.close();
        continue;
      }
      this.#serve(client).catch(() => client.close());
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    const wire = new Wire(client, await Deno.connect(this.target));
    this.#wires.add(wire);
    const pass = () => this.#pass();
    await Promise.all([
      wire.pump("client", (bytes) => this.onClient(bytes, wire), pass),
      wire.pump("server", (bytes) => this.onServer(bytes, wire), pass),
    ]);
    this.#wires.delete(wire);
  }

  async #pass(): Promise<void> {
    if (this.delayMs > 0) await pause(this.delayMs);
    await this.#gate.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.goAway();
    this.thaw();
    return Promise.resolve();
  }
}

/** One connection through the proxy. */
export class Wire {
  /** Bytes that the client has of the COPY that runs; 0 where none does. */
  copied = 0;
  #copying = false;
  #cut = false;
  #swallowed: (() => void) | undefined;

  constructor(readonly client: Deno.TcpConn, readonly server: Deno.TcpConn) {
    client.setNoDelay(true);
    server.setNoDelay(true);
  }

  get swallows(): boolean {
    return this.#swallowed !== undefined;
  }

  /** What the server answers from here on never arrives; once it is done the connection is cut. */
  swallowThenCut(done: () => void): void {
    this.#swallowed = done;
  }

  cut(): void {
    if (this.#cut) return;
    this.#cut = true;
    this.client.close();
    this.server.close();
  }

  async pump(
    side: "client" | "server",
    look: (bytes: Uint8Array) => void,
    pass: () => Promise<void>,
  ): Promise<void> {
    const [from, to] = side === "client" ? [this.client, this.server] : [this.server, this.client];
    const buffer = new Uint8Array(65_536);
    try {
      for (let got = await from.read(buffer); got !== null; got = await from.read(buffer)) {
        const bytes = buffer.subarray(0, got);
        if (side === "client" && holds(bytes, "COPY")) this.#copying = true;
        look(bytes);
        await pass();
        if (this.#cut) return;
        if (side === "server" && this.#swallowed !== undefined) {
          if (!isReadyForQuery(bytes)) continue;
          this.cut();
          this.#swallowed();
          return;
        }
        for (let sent = 0; sent < got;) sent += await to.write(bytes.subarray(sent));
        if (side === "server") this.#count(bytes);
      }
    } catch {
      // Whoever cut it: the other side must learn of it.
    }
    this.cut();
  }

  #count(bytes: Uint8Array): void {
    if (isReadyForQuery(bytes)) this.#copying = false;
    this.copied = this.#copying ? this.copied + bytes.length : 0;
  }
}

/** PostgreSQL's `Z`, 5 bytes, idle outside a transaction: the statement is committed. */
const READY = [0x5a, 0, 0, 0, 5, 0x49];

function isReadyForQuery(bytes: Uint8Array): boolean {
  const end = bytes.subarray(-READY.length);
  return READY.every((byte, index) => end[index] === byte);
}

function holds(bytes: Uint8Array, text: string): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(text);
}
