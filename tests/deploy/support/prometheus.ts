/** Debian's Prometheus, which asks every two seconds and judges every second. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../lab/command.ts";
import { Tool } from "../../lab/tool.ts";
import { freePort } from "../../../scripts/lib/free_port.ts";

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
}

export class Prometheus implements AsyncDisposable {
  private constructor(
    private readonly url: string,
    private readonly directory: string,
    private readonly tool: Tool,
  ) {}

  /**
   * @param target host and port of the monitor
   * @param rules the text of a file of rules
   */
  static async start(target: string, rules: string): Promise<Prometheus> {
    const directory = await Deno.makeTempDir();
    const [config, ruleFile] = [join(directory, "prometheus.yml"), join(directory, "rules.yml")];
    // A busy machine may take a second to answer, which is no fault.
    const every = { scrape_interval: "2s", evaluation_interval: "1s" };
    await Deno.writeTextFile(ruleFile, rules);
    // JSON is YAML.
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        global: every,
        rule_files: [ruleFile],
        scrape_configs: [{ job_name: "omoide", static_configs: [{ targets: [target] }] }],
      }),
    );
    const address = `127.0.0.1:${freePort()}`;
    const tool = new Tool("Prometheus", "prometheus", {
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=${address}`,
        "--log.level=error",
      ],
    });
    const prometheus = new Prometheus(`http://${address}`, directory, tool);
    await until("Prometheus is ready", async () => {
      try {
        const response = await fetch(`http://${address}/-/ready`);
        await response.body?.cancel();
        return response.ok;
      } catch {
        return false;
      }
    });
    return prometheus;
  }

  /** What a query gives at this moment. */
  async ask(query: string): Promise<readonly Sample[]> {
    return await this.#get<readonly Sample[]>("query", { query });
  }

  /**
   * In which seconds a query gave something, for each series.
   *
   * @param from seconds since the epoch
   */
  async secondsOf(
    query: string,
    from: number,
  ): Promise<readonly (Sample & { readonly values: readonly (readonly [number, string])[] })[]> {
    const end = Date.now() / 1000;
    return await this.#get("query_range", { query, start: `${from}`, end: `${end}`, step: "1" });
  }

  async #get<T>(what: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${what}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = await response.json();
    assert.equal(status, "success", `${parameters["query"]}: ${error}`);
    return data.result as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tool.stop("SIGKILL");
    await Deno.remove(this.directory, { recursive: true });
  }
}
