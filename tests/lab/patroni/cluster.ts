/**
 * A PostgreSQL cluster under Patroni with etcd, as an administrator would have it on three machines. Each node
 * is a namespace of processes and of the network, so that it can be killed as a whole and cut off as a whole.
 * To be run in a network namespace of its own (`enter.ts`), which has the bridge between the nodes and in
 * which the clients run: nothing touches the machine's network, and all of it goes with its processes.
 */
import { join } from "node:path";
import { unprivilegedUser } from "../../../scripts/lib/unprivileged.ts";
import { pg } from "../../../src/inbox/pg.ts";
import type { Recipes } from "../../admin/support/recipes.ts";
import { run, until } from "../command.ts";

export interface ClusterOptions {
  /** An existing directory that the user postgres can enter. */
  readonly directory: string;
  /** Where `postgres` and `initdb` are. */
  readonly binaries: string;
  readonly synchronous: boolean;
  /** The chapter that says how a node is set up. */
  readonly recipes: Recipes;
}

const NODES = [1, 2, 3];
const NET = "10.95.0";
const NODE = new URL("node.sh", import.meta.url).pathname;
const BOUND_MS = 120_000;
/** How long a primary is one without renewing it, in seconds. */
const TTL = 10;
/** By default a standby that is 1 MiB behind is not promoted. */
const ASYNCHRONOUS = [
  ["synchronous_mode: true", "synchronous_mode: false"],
  ["synchronous_mode_strict: true", "maximum_lag_on_failover: 1073741824"],
] as const;
/** As the chapter has it. */
const PASSWORD = "CHANGE-superuser";

export class Cluster implements AsyncDisposable {
  readonly #nodes = new Map<number, Deno.ChildProcess>();

  private constructor(private readonly options: ClusterOptions) {}

  /** Starts all nodes; ready when both standbys stream, and one is synchronous if that is asked for. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      await run("ip", "link", "set", "lo", "up");
      await run("ip", "link", "add", "br0", "type", "bridge");
      await run("ip", "address", "add", `${NET}.254/24`, "dev", "br0");
      await run("ip", "link", "set", "br0", "up");
      const { uid = null, gid = null } = await unprivilegedUser();
      await Deno.chown(options.directory, uid, gid);
      for (const node of NODES) {
        await cluster.#configure(node, options.recipes);
      }
      for (const node of NODES) await cluster.startNode(node);
      await cluster.whole();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  readonly nodes: readonly number[] = NODES;

  /** `host:port` of every server. */
  get hosts(): string[] {
    return NODES.map((node) => `${address(node)}:5432`);
  }

  url(database: string, user: string): string {
    return `postgres://${user}@${this.hosts.join(",")}/${database}`;
  }

  /** One server's alone, as the superuser. */
  adminUrl(node: number, database: string): string {
    return `postgres://postgres:${PASSWORD}@${address(node)}:5432/${database}`;
  }

  /** All servers', as the superuser who types it: without the password. */
  readonly administrator: { readonly url: string; readonly env: Record<string, string> } = {
    url: `postgres://postgres@${NODES.map(address).join(",")}/omoide`,
    env: { PGPASSWORD: PASSWORD },
  };

  /** What Patroni says; null if it does not answer. */
  async role(node: number): Promise<"primary" | "sync_standby" | "replica" | null> {
    try {
      const answer = await fetch(`http://${address(node)}:8008/cluster`, {
        signal: AbortSignal.timeout(1_000),
      });
      const { members } = await answer.json() as {
        members: { name: string; role: string; state: string }[];
      };
      const member = members.find(({ name }) => name === `db${node}`);
      if (member === undefined || !["running", "streaming"].includes(member.state)) return null;
      if (member.role === "sync_standby") return "sync_standby";
      return ["leader", "master", "primary"].includes(member.role) ? "primary" : "replica";
    } catch {
      return null;
    }
  }

  /** The node that takes writes, by its own word; null if none does. */
  async primary(among: readonly number[] = NODES): Promise<number | null> {
    for (const node of among) {
      try {
        const { status, body } = await fetch(`http://${address(node)}:8008/primary`, {
          signal: AbortSignal.timeout(1_000),
        });
        await body?.cancel();
        if (status === 200) return node;
      } catch {
        // It does not answer.
      }
    }
    return null;
  }

  /** Waits until another node than this one is the primary. */
  async promoted(old: number): Promise<number> {
    return await until(
      "another node is the primary",
      async () => await this.primary(NODES.filter((node) => node !== old)) ?? undefined,
      BOUND_MS,
    );
  }

  /** Waits until there is a primary with two standbys, one of them synchronous if that is asked for. */
  async whole(): Promise<number> {
    try {
      return await until("the cluster is whole", async () => {
        const primary = await this.primary();
        if (primary === null) return undefined;
        const roles = await Promise.all(NODES.map((node) => this.role(node)));
        const isSync = !this.options.synchronous || roles.includes("sync_standby");
        const isWhole = roles.every((role) => role !== null) && isSync &&
          await streaming(this.adminUrl(primary, "postgres")) === 2;
        return isWhole ? primary : undefined;
      }, BOUND_MS);
    } catch (error) {
      throw new Error(`${error}\n${await this.logs()}`);
    }
  }

  async startNode(node: number): Promise<void> {
    const { directory, binaries } = this.options;
    const child = new Deno.Command("setpriv", {
      args: [
        ...["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child"],
        ...["--mount-proc", "sh", NODE, directory, binaries, `n${node}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#nodes.set(node, child);
    const namespace = (pid: number | "self") => Deno.readLinkSync(`/proc/${pid}/ns/net`);
    await until("the node has a network", () => namespace(child.pid) !== namespace("self"));
    const inside = ["nsenter", `--net=/proc/${child.pid}/ns/net`, "ip"] as const;
    const [enter, ...entering] = inside;
    await run(
      "ip",
      ...["link", "add", `v${node}`, "type", "veth", "peer", "name", "eth0"],
      ...["netns", String(child.pid)],
    );
    await run("ip", "link", "set", `v${node}`, "master", "br0", "up");
    await run(enter, ...entering, "link", "set", "eth0", "up");
    await run(enter, ...entering, "address", "add", `${address(node)}/24`, "dev", "eth0");
  }

  /** As a machine that loses its power: PostgreSQL, Patroni and etcd end in one moment. */
  async killNode(node: number): Promise<void> {
    const child = this.#nodes.get(node);
    if (child === undefined) return;
    this.#nodes.delete(node);
    child.kill("SIGKILL");
    await child.status;
    // It goes with the namespace, which the kernel takes away when it finds the time.
    await new Deno.Command("ip", {
      args: ["link", "delete", `v${node}`],
      ...{ stdout: "null", stderr: "null" },
    }).output();
  }

  /** Kills PostgreSQL alone; Patroni is there and sees it. */
  async killPostmaster(node: number): Promise<void> {
    await this.#inside(node, `kill -9 $(head -n 1 '${this.#file(node, "data")}/postmaster.pid')`);
  }

  /** What it sends to its standbys stays where it is from now on. */
  async stopSending(node: number): Promise<void> {
    await this.#inside(node, "pkill -STOP -f '[w]alsender'");
  }

  /** Nothing reaches it, and nothing from it reaches anybody: packets are dropped. */
  async cut(node: number): Promise<void> {
    await run("ip", "link", "set", `v${node}`, "down");
  }

  async heal(node: number): Promise<void> {
    await run("ip", "link", "set", `v${node}`, "up");
  }

  /** Has the primary hand over, as an administrator does for maintenance. */
  async switchover(primary: number): Promise<void> {
    const roles = await Promise.all(NODES.map((node) => this.role(node)));
    const candidate = NODES.find((node) => roles[node - 1] === "sync_standby") ??
      NODES.find((node) => node !== primary);
    const answer = await fetch(`http://${address(primary)}:8008/switchover`, {
      method: "POST",
      body: JSON.stringify({ leader: `db${primary}`, candidate: `db${candidate}` }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`Patroni refuses to switch over: ${text}`);
  }

  /** The end of what every node has logged. */
  async logs(): Promise<string> {
    const ends: string[] = [];
    for (const node of NODES) {
      for (const kind of ["log", "etcd.log"]) {
        const text = await Deno.readTextFile(this.#file(node, kind)).catch(() => "");
        ends.push(`--- n${node}.${kind}\n${text.slice(-1500)}`);
      }
    }
    return ends.join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of NODES) await this.killNode(node);
  }

  #file(node: number, kind: string): string {
    return join(this.options.directory, `n${node}.${kind}`);
  }

  async #inside(node: number, script: string): Promise<void> {
    const outer = this.#nodes.get(node)?.pid ?? 0;
    const children = Deno.readTextFileSync(`/proc/${outer}/task/${outer}/children`);
    const first = children.trim().split(" ")[0] ?? "";
    await run("nsenter", "--target", first, "--pid", "--mount", "sh", "-c", script);
  }

  /** What the chapter says of a node, with the test's addresses, paths and, to be quick, times. */
  async #configure(node: number, recipes: Recipes): Promise<void> {
    const { directory, binaries, synchronous } = this.options;
    const fit = (script: string) => {
      const changes: readonly (readonly [string, string])[] = [
        ["NODE=1\n", `NODE=${node}\n`],
        ["192.0.2.0/24", `${NET}.0/24`],
        ["192.0.2.1", `${NET}.`],
        ["/etc/default/etcd", this.#file(node, "etcd.conf")],
        ["/etc/patroni/config.yml", this.#file(node, "yml")],
        ["/var/lib/etcd/omoide", this.#file(node, "etcd")],
        ["/var/lib/postgresql/15/omoide", this.#file(node, "data")],
        ["/usr/lib/postgresql/15/bin", binaries],
        ["/var/run/postgresql", "''"],
        ["ttl: 30", `ttl: ${TTL}`],
        ["loop_wait: 10", "loop_wait: 1"],
        ["retry_timeout: 10", "retry_timeout: 3"],
        ...synchronous ? [] : ASYNCHRONOUS,
      ];
      return changes.reduce((text, [from, to]) => text.replaceAll(from, to), script);
    };
    for (const name of ["etcd", "patroni"]) await recipes.follow(directory, name, {}, fit);
  }
}

function address(node: number): string {
  return `${NET}.${node}`;
}

/** How many standbys stream from it; 0 if it does not answer. */
async function streaming(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming'",
    );
    return rows[0]?.n ?? 0;
  } catch {
    return 0;
  } finally {
    await client.end().catch(() => {});
  }
}
