/** A test whose recorded disk dies while it waits for something that then never comes. */
import { join } from "node:path";
import { Mount } from "../mount.ts";
import { RecordedDisk } from "../recorded_disk.ts";
import { Shelf } from "../shelf.ts";

Deno.test("a test that waits for a disk", async () => {
  await using shelf = await Shelf.open();
  const image = await shelf.format("disk.img", "ext4", "64M");
  await using disk = await RecordedDisk.over(shelf, image);
  await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
  disk.behave("hang");
  // A process that the kernel stops in the middle of a call until the disk answers.
  const writer = new Deno.Command("dd", {
    args: ["if=/dev/zero", `of=${join(mount.path, "file")}`, "bs=1M", "count=10", "conv=fsync"],
    stderr: "null",
  }).spawn();
  Deno.kill(disk.recorderPid, "SIGKILL");
  await writer.status;
  await new Promise(() => {});
});
