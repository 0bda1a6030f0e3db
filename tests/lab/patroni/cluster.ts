/**
 * A PostgreSQL cluster under Patroni with etcd, as an administrator would have it on three machines. Each node
 * is a namespace of processes and of the network, so that it can be killed as a whole and cut off as a whole.
 * To be run in a network namespace of its own (`enter.ts`), which has the bridge between the nodes and in
 * which the clients run: nothing touches the machine's network, and all of it goes with its processes.
 */
import { join } from "node:path";
import { unprivilegedUser } from "../../../scripts/lib/unprivileged.ts";
import { pg } from "../../../src/inbox/pg.ts";
import { run, until } from "../command.ts";

export interface ClusterOptions {
  /** An existing directory that the user postgres can enter. */
  readonly directory: string;
  /** Where `postgres` and `initdb` are. */
  readonly binaries: string;
  readonly synchronous: boolean;
  /** How long a primary is one without renewing it, in seconds. */
  readonly ttl: number;
}

const NODES = [1, 2, 3];
const NET = "10.95.0";
const NODE = new URL("node.sh", import.meta.url).pathname;
const BOUND_MS = 120_000;

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
        await Deno.writeTextFile(cluster.#file(node, "yml"), cluster.#config(node));
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

  /** What Patroni says; null if it does not answer. */
  async role(node: number): Promise<"primary" | "sync_standby" | "replica" | null> {
    try {
      const answer = await fetch(`http://${address(node)}:8008/cluster`, {
        signal: AbortSignal.timeout(1_000),
      });
      const { members } = await answer.json() as {
        members: { name: string; role: string; state: string }[];
      };
      const member = members.find(({ name }) => name === `n${node}`);
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
          await streaming(primary) === 2;
        return isWhole ? primary : undefined;
      }, BOUND_MS);
    } catch (error) {
      throw new Error(`${error}\n${await this.logs()}`);
    }
  }

  async startNode(node: number): Promise<void> {
    const { directory, binaries } = this.options;
    const peers = NODES.map((each) => `n${each}=http://${address(each)}:2380`).join(",");
    const child = new Deno.Command("setpriv", {
      args: [
        ...["--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child"],
        ...["--mount-proc", "sh", NODE, directory, binaries, `n${node}`, address(node), peers],
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
    await until("its network has gone", async () => {
      const { success } = await new Deno.Command("ip", {
        args: ["link", "show", `v${node}`],
        ...{ stdout: "null", stderr: "null" },
      }).output();
      return !success;
    });
  }

  /** Kills PostgreSQL alone; Patroni is there and sees it. */
  async killPostmaster(node: number): Promise<void> {
    await this.#inside(node, `kill -9 $(head -n 1 '${this.#file(node, "data")}/postmaster.pid')`);
  }

  /** What it sends to its standbys stays where it is from now on. */
  async stopSending(node: number): Promise<void> {
    await this.#inside(node, "pkill -STOP -f walsender");
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
      body: JSON.stringify({ leader: `n${primary}`, candidate: `n${candidate}` }),
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

  #config(node: number): string {
    const { synchronous, ttl, binaries } = this.options;
    const etcd = NODES.map((each) => `${address(each)}:2379`).join(",");
    return `
scope: omoide
name: n${node}
restapi: {listen: "${address(node)}:8008", connect_address: "${address(node)}:8008"}
etcd: {hosts: "${etcd}"}
bootstrap:
  dcs:
    ttl: ${ttl}
    loop_wait: 1
    retry_timeout: 3
    maximum_lag_on_failover: ${synchronous ? 1048576 : 1073741824}
    synchronous_mode: ${synchronous}
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        wal_log_hints: "on"
        wal_keep_size: 256MB
  initdb: [{encoding: UTF8}, {locale: C}, {auth: trust}, data-checksums]
  pg_hba:
    - local all all trust
    - host all all ${NET}.0/24 trust
    - host replication all ${NET}.0/24 trust
    - host all all 127.0.0.1/32 trust
postgresql:
  listen: "${address(node)},127.0.0.1:5432"
  connect_address: "${address(node)}:5432"
  data_dir: ${this.#file(node, "data")}
  bin_dir: ${binaries}
  pgpass: ${this.#file(node, "pgpass")}
  authentication:
    superuser: {username: postgres}
    replication: {username: replicator}
    rewind: {username: postgres}
  parameters: {unix_socket_directories: "", fsync: "on"}
  create_replica_methods: [basebackup]
  basebackup: [{checkpoint: fast}]
`;
  }
}

function address(node: number): string {
  return `${NET}.${node}`;
}

/** How many standbys stream from it; 0 if it does not answer. */
async function streaming(node: number): Promise<number> {
  const client = new pg.Client({
    connectionString: `postgres://postgres@${address(node)}:5432/postgres`,
    connectionTimeoutMillis: 1_000,
  });
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
