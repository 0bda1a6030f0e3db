import { until } from "../command.ts";
import { type Distributed, Parts, startOn } from "./distributed.ts";
import { PrivateNetwork } from "./private_network.ts";

export const GLUSTER = ["glusterd", "gluster", "glusterfs"];

const ADDRESS = "10.96.0.1";
const BRICKS = ["b1", "b2", "b3"];

/** GlusterFS: three bricks that keep everything three times. */
export async function startGlusterFs(): Promise<Distributed> {
  const parts = await Parts.in("omoide-glusterfs-");
  const network = await PrivateNetwork.open([`${ADDRESS}/24`]);
  return await startOn(parts, network, async () => {
    await parts.makeDirectories("lib", "run", ...BRICKS);
    const socket = parts.at("glusterd.socket");
    const volfile = await parts.write(
      "glusterd.vol",
      `volume management
    type mgmt/glusterd
    option working-directory ${parts.at("lib")}
    option run-directory ${parts.at("run")}
    option glusterd-sockfile ${socket}
    option transport-type socket
    option transport.socket.listen-port 24007
    option transport.address-family inet
    option ping-timeout 0
    option max-port 60999
end-volume
`,
    );
    const gluster = (...args: string[]) =>
      network.run("gluster", "--mode=script", `--glusterd-sock=${socket}`, ...args);
    parts.keep(
      network.start(
        ...["glusterd", "-N", "-f", volfile, "-l", parts.at("glusterd.log")] as const,
        ...["-p", parts.at("glusterd.pid")],
      ),
    );
    await until("glusterd answers", () => gluster("peer", "status").then(() => true, () => false));
    const bricks = BRICKS.map((name) => `${ADDRESS}:${parts.at(name)}`);
    await gluster("volume", "create", "v", "replica", "3", ...bricks, "force");
    await gluster("volume", "set", "v", "network.ping-timeout", "5");
    parts.atEnd(() => gluster("volume", "stop", "v", "force"));
    await gluster("volume", "start", "v");
    const mount = (name: string) =>
      parts.mount(name, (path) =>
        network.start(
          ...["glusterfs", "-N", `--volfile-server=${ADDRESS}`, "--volfile-id=v"] as const,
          ...["-l", parts.at(`${name}.log`), path],
        ));
    const mounts = [await mount("A"), await mount("B")] as const;
    return {
      mounts,
      killServer: async () => Deno.kill(await brickPid(parts.at("run")), "SIGKILL"),
      startServer: async () => void await gluster("volume", "start", "v", "force"),
      [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
    };
  });
}

async function brickPid(run: string): Promise<number> {
  for await (const { name } of Deno.readDir(`${run}/vols/v`)) {
    if (name.endsWith("b2.pid")) return Number(await Deno.readTextFile(`${run}/vols/v/${name}`));
  }
  throw new Error("the second brick does not run");
}
