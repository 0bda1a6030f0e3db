import { run, until } from "../command.ts";
import { Tool } from "../tool.ts";

/**
 * A network of its own for the servers of a test: they listen on addresses that nothing else on this
 * machine has, and nothing else can reach them.
 */
export class PrivateNetwork implements AsyncDisposable {
  private constructor(private readonly holder: Tool) {}

  /** @param addresses with the length of their prefix, such as `10.98.0.1/24` */
  static async open(addresses: readonly string[]): Promise<PrivateNetwork> {
    // No address on `lo` would do: Ceph takes none from there.
    const holder = new Tool("The network", "unshare", { args: ["--net", "sleep", "infinity"] });
    const network = new PrivateNetwork(holder);
    const own = await Deno.readLink("/proc/self/ns/net");
    await until("the network is there", async () => {
      return await Deno.readLink(`/proc/${holder.pid}/ns/net`) !== own;
    });
    await network.run("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
    for (const device of ["lo", "d0", "d1"]) {
      await network.run("ip", "link", "set", device, "up");
    }
    for (const address of addresses) {
      await network.run("ip", "addr", "add", address, "dev", "d0");
    }
    return network;
  }

  /** Runs a program in it to its end. As `run`. */
  run(program: string, ...args: string[]): Promise<string> {
    return run("nsenter", this.#where, program, ...args);
  }

  /** Starts a program in it that goes on. */
  start(program: string, ...args: string[]): Tool {
    return new Tool(program, "nsenter", {
      args: [this.#where, program, ...args],
      stderr: "null",
    });
  }

  get #where(): string {
    return `--net=/proc/${this.holder.pid}/ns/net`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.holder.stop("SIGKILL");
  }
}
