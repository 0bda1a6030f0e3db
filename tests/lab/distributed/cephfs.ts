import { until } from "../command.ts";
import { type Distributed, Parts, startOn } from "./distributed.ts";
import { PrivateNetwork } from "./private_network.ts";

export const CEPH = ["ceph-mon", "ceph-mgr", "ceph-osd", "ceph-mds", "ceph-fuse", "ceph"];

const ADDRESS = "10.98.0.1";
const MONITOR = `[v2:${ADDRESS}:3300,v1:${ADDRESS}:6789]`;
const OSDS = ["0", "1", "2"];

/** CephFS: a monitor, a manager, three OSDs that keep everything three times, and a metadata server. */
export async function startCephFs(): Promise<Distributed> {
  const parts = await Parts.in("omoide-cephfs-");
  const network = await PrivateNetwork.open([`${ADDRESS}/24`]);
  return await startOn(parts, network, async () => {
    await parts.makeDirectories("mon", "mgr", "mds", "log", ...OSDS.map((id) => `osd${id}`));
    const id = crypto.randomUUID();
    const keyring = parts.at("keyring"), map = parts.at("monmap");
    const config = await parts.write("ceph.conf", configuration(id, parts.directory));
    const where = ["env", `CEPH_CONF=${config}`, `CEPH_ARGS=--conf ${config} --keyring ${keyring}`];
    const ceph = (...args: string[]) => network.run("timeout", "30", ...where, ...args);
    const serve = (...args: string[]) =>
      parts.keep(network.start("env", ...where.slice(1), ...args));

    const caps = (...daemons: string[]) => daemons.flatMap((name) => ["--cap", name, "allow *"]);
    await ceph(
      "ceph-authtool",
      "--create-keyring",
      keyring,
      "--gen-key",
      "-n",
      "mon.",
      ...caps("mon"),
    );
    await ceph(
      ...["ceph-authtool", keyring, "--gen-key", "-n", "client.admin"],
      ...caps("mon", "osd", "mds", "mgr"),
    );
    await ceph("monmaptool", "--create", "--addv", "a", MONITOR, "--fsid", id, map);
    const monitor = ["ceph-mon", "-i", "a", "--mon-data", parts.at("mon")];
    await ceph(...monitor, "--mkfs", "--monmap", map);
    serve(...monitor, "-f");
    serve("ceph-mgr", "-i", "x", "--mgr-data", parts.at("mgr"), "-f");
    const startOsd = (osd: string) =>
      serve("ceph-osd", "-i", osd, "--osd-data", parts.at(`osd${osd}`), "-f");
    for (const osd of OSDS) {
      const uuid = crypto.randomUUID();
      await ceph("ceph", "osd", "new", uuid);
      await ceph(
        ...["ceph-osd", "-i", osd, "--mkfs", "--osd-data", parts.at(`osd${osd}`)],
        ...["--osd-uuid", uuid],
      );
      await ceph("ceph", "osd", "crush", "add", `osd.${osd}`, "1", "root=default", `host=h${osd}`);
    }
    const osds = OSDS.map(startOsd);
    serve("ceph-mds", "-i", "m", "--mds-data", parts.at("mds"), "-f");
    await ceph("ceph", "osd", "pool", "create", "data", "16");
    await ceph("ceph", "osd", "pool", "create", "meta", "8");
    await ceph("ceph", "fs", "new", "fs", "meta", "data");
    await until("CephFS is active", async () => {
      return (await ceph("ceph", "fs", "status").catch(() => "")).includes("active");
    }, 120_000);
    const mount = (name: string) =>
      parts.mount(name, (path) =>
        network.start(
          ...[
            "env",
            ...where.slice(1),
            "ceph-fuse",
            "--id",
            "admin",
            "-m",
            `${ADDRESS}:6789`,
          ] as const,
          ...["-f", path],
        ));
    const mounts = [await mount("A"), await mount("B")] as const;
    return {
      mounts,
      killServer: async () => await osds[1]?.kill(),
      startServer: () => {
        osds[1] = startOsd("1");
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
    };
  });
}

/** Small, without users, and quick to notice a dead OSD. */
function configuration(id: string, directory: string): string {
  return `[global]
fsid = ${id}
mon_host = ${MONITOR}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_network = 10.98.0.0/24
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_autoscale_mode = off
run_dir = ${directory}
admin_socket =
log_file = ${directory}/log/$name.log
pid_file =
osd_objectstore = bluestore
bluestore_block_size = ${3 * 1024 ** 3}
bluestore_block_db_create = false
bluestore_block_wal_create = false
bluestore_cache_autotune = false
osd_memory_target = 939524096
osd_heartbeat_grace = 6
osd_heartbeat_interval = 2
mon_osd_down_out_interval = 3600
mon_osd_min_down_reporters = 1
mon_data_avail_warn = 1
mon_data_avail_crit = 1
mds_cache_memory_limit = 268435456
`;
}
