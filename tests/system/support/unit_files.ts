import { basename } from "node:path";

const DIRECTORY = new URL("../../../scripts/deploy/systemd/", import.meta.url).pathname;

export const WORKER_UNIT = `${DIRECTORY}omoide-worker@.service`;
export const CHECK_UNIT = `${DIRECTORY}omoide-check@.service`;
export const GATEWAY_UNIT = `${DIRECTORY}omoide-gateway.service`;
export const SCRUB_UNIT = `${DIRECTORY}omoide-scrub@.service`;
export const MONITOR_UNIT = `${DIRECTORY}omoide-monitor.service`;
export const WATCH_UNIT = `${DIRECTORY}omoide-watch.service`;
export const INSTALL_SCRIPT =
  new URL("../../../scripts/deploy/install.sh", import.meta.url).pathname;

/** The lines that make a unit's sandbox, comments left out. */
export async function sandboxOf(unit: string): Promise<string[]> {
  const text = await Deno.readTextFile(unit);
  const start = text.indexOf("# Who it is");
  if (start < 0) throw new Error(`${basename(unit)} has no part that begins with "Who it is"`);
  return text.slice(start).split("\n[Install]")[0]?.split("\n")
    .filter((line) => line !== "" && !line.startsWith("#")) ?? [];
}
