/** Everything that a test can start, at once, and then nothing more: a run to be interrupted. */
import { join } from "node:path";
import { Mount } from "../../lab/mount.ts";
import { RecordedDisk } from "../../lab/recorded_disk.ts";
import { Shelf } from "../../lab/shelf.ts";
import { Template } from "../../lab/template.ts";
import { Machine } from "../../system/support/machine.ts";

Deno.test("everything that a test can start", async () => {
  await using shelf = await Shelf.open();
  const image = await shelf.format("disk.img", "ext4", "64M");
  await using disk = await RecordedDisk.over(shelf, image);
  await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
  await using template = await Template.make();
  await using world = await template.world({ hot: join(mount.path, "root") });
  await using hot = world.start("hot");
  const log = await world.temporaryFile();
  await using cold = world.start("cold", { trace: { log, calls: ["fdatasync"] } });
  await Promise.all([hot.says(/serving/), cold.says(/serving/)]);
  await using _machine = await Machine.boot();
  // A process that left every group, as a daemon does.
  new Deno.Command("setsid", { args: ["--fork", "sleep", "3600"] }).spawn();
  console.log("everything runs");
  await Deno.writeTextFile(Deno.env.get("EVERYTHING_RUNS") ?? "", "");
  await Promise.all([hot.ended, cold.ended]);
});
