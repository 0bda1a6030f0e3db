import { until } from "../command.ts";
import { type Distributed, Parts, startOn } from "./distributed.ts";
import { PrivateNetwork } from "./private_network.ts";

const EMPTY = "/var/lib/mfs/metadata.mfs.empty";

export const MOOSE = ["mfsmaster", "mfschunkserver", "mfsmount", "mfssetgoal", EMPTY];

const MASTER = "10.97.0.1";
/** Where the master listens for mounts. */
const CLIENTS = 9421;
const SERVERS = ["1", "2", "3"];

/** MooseFS: a master, and three chunk servers that keep everything three times. */
export async function startMooseFs(): Promise<Distributed> {
  const parts = await Parts.in("omoide-moosefs-");
  const addresses = [MASTER, ...SERVERS.map((id) => `${MASTER}${id}`)];
  const network = await PrivateNetwork.open(addresses.map((address) => `${address}/24`));
  return await startOn(parts, network, async () => {
    await parts.makeDirectories("master");
    await Deno.copyFile(EMPTY, parts.at("master/metadata.mfs"));
    const master = await parts.write(
      "master.cfg",
      settings({
        WORKING_USER: "root",
        WORKING_GROUP: "root",
        DATA_PATH: parts.at("master"),
        EXPORTS_FILENAME: await parts.write("exports.cfg", "* / rw,alldirs,maproot=0\n"),
        TOPOLOGY_FILENAME: await parts.write("topology.cfg", ""),
        MATOML_LISTEN_HOST: MASTER,
        MATOCS_LISTEN_HOST: MASTER,
        MATOCL_LISTEN_HOST: MASTER,
      }),
    );
    parts.keep(network.start("mfsmaster", "-f", "-c", master, "start"));
    // A mount that finds nobody gives up at once.
    const knock = () => network.run("bash", "-c", `: </dev/tcp/${MASTER}/${CLIENTS}`);
    await until("the master listens", () => knock().then(() => true, () => false));
    const startServer = async (id: string) => {
      await parts.makeDirectories(`data${id}`, `disk${id}`);
      const config = await parts.write(
        `server${id}.cfg`,
        settings({
          WORKING_USER: "root",
          WORKING_GROUP: "root",
          DATA_PATH: parts.at(`data${id}`),
          HDD_CONF_FILENAME: await parts.write(`disk${id}.cfg`, `${parts.at(`disk${id}`)}\n`),
          HDD_LEAVE_SPACE_DEFAULT: "256MiB",
          HDD_FSYNC_BEFORE_CLOSE: "1",
          MASTER_HOST: MASTER,
          BIND_HOST: `${MASTER}${id}`,
          CSSERV_LISTEN_HOST: `${MASTER}${id}`,
          CSSERV_LISTEN_PORT: "9422",
        }),
      );
      return parts.keep(network.start("mfschunkserver", "-f", "-c", config, "start"));
    };
    const servers = await Promise.all(SERVERS.map(startServer));
    const mount = (name: string) =>
      parts.mount(
        name,
        (path) => network.start("mfsmount", "-f", path, "-H", MASTER),
      );
    const mounts = [await mount("A"), await mount("B")] as const;
    // Whoever would mount it as root's alone: a storage's user must pass.
    await Deno.chmod(mounts[0], 0o755);
    await network.run("mfssetgoal", "-r", "3", mounts[0]);
    await until(
      "three chunk servers take data",
      () => Deno.writeTextFile(`${mounts[0]}/probe`, "x").then(() => true, () => false),
    );
    return {
      mounts,
      killServer: async () => await servers[1]?.kill(),
      startServer: async () => void (servers[1] = await startServer("2")),
      [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
    };
  });
}

function settings(values: Record<string, string>): string {
  return Object.entries(values).map(([name, value]) => `${name} = ${value}\n`).join("");
}
