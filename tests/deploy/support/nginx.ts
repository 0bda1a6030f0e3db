import { join } from "node:path";
import {
  editedSite,
  nginxConfiguration,
  type SiteChanges,
} from "../../../scripts/lib/nginx_site.ts";
import { until } from "../../lab/command.ts";
import { Tool } from "../../lab/tool.ts";
import { freePort } from "../../../scripts/lib/free_port.ts";

/** Who NGINX runs as; by name, since its configuration takes no number. */
export interface Reader {
  readonly user: string;
  readonly group: string;
}

/** What an administrator changes in the site's file; omoide.conf unless another is named. */
export type Site = Omit<SiteChanges, "port" | "file"> & Partial<Pick<SiteChanges, "file">>;

/** The answer to a request that was sent as it is, without a client that tidies its path. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** A real NGINX with the site that the project ships, on a free port of 127.0.0.1. */
export class Nginx implements AsyncDisposable {
  private constructor(
    readonly port: number,
    private readonly server: Tool,
    private readonly directory: string,
    private readonly scheme: "http" | "https",
  ) {}

  static async start(site: Site, reader: Reader): Promise<Nginx> {
    const directory = await Deno.makeTempDir({ prefix: "omoide-nginx-" });
    await Deno.chmod(directory, 0o755);
    const port = freePort();
    await Deno.writeTextFile(
      join(directory, "site.conf"),
      await editedSite({ file: "omoide.conf", ...site, port }),
    );
    await Deno.writeTextFile(
      join(directory, "nginx.conf"),
      nginxConfiguration(directory, `${reader.user} ${reader.group}`),
    );
    const server = new Tool("NGINX", "nginx", {
      args: ["-c", join(directory, "nginx.conf"), "-e", join(directory, "error.log")],
    });
    const nginx = new Nginx(port, server, directory, site.tls === undefined ? "http" : "https");
    await until("NGINX listens", async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    }, 10_000);
    return nginx;
  }

  url(path: string): string {
    return `${this.scheme}://127.0.0.1:${this.port}${path}`;
  }

  /** Sends a request line as it is. @param path may be anything but have a space in it */
  async raw(path: string, method = "GET", headers = ""): Promise<RawAnswer> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    const request = `${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
    await connection.write(new TextEncoder().encode(request));
    const text = await new Response(connection.readable).text();
    const [head = "", ...body] = text.split("\r\n\r\n");
    const [status = "", ...lines] = head.split("\r\n");
    const fields = lines.map((line) => {
      const [name = "", ...value] = line.split(": ");
      return [name.toLowerCase(), value.join(": ")] as const;
    });
    return {
      status: Number(status.split(" ")[1]),
      headers: new Map(fields),
      body: body.join("\r\n\r\n"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop("SIGQUIT");
    await Deno.remove(this.directory, { recursive: true });
  }
}
