/** A disk that answers nothing for a while: no error ever comes, so somebody has to notice. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { requireTools } from "../support/require_tool.ts";
import { until } from "../lab/command.ts";
import { Mount } from "../lab/mount.ts";
import { options } from "../lab/options.ts";
import { Random } from "../lab/random.ts";
import { FUSEPY, RecordedDisk } from "../lab/recorded_disk.ts";
import { Shelf } from "../lab/shelf.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();

const DISKS = requireTools(["mkfs.xfs", "mkfs.ext4", FUSEPY], { root: true });

Deno.test({
  // Half a minute of waiting for something not to happen: in the long version only.
  ignore: DISKS.ignore || !options.long,
  name:
    "a disk that hangs holds no snapshot in the database, can be seen, and drains when it answers",
  fn: async () => {
    const random = new Random(options.seed);
    await using shelf = await Shelf.open();
    const image = await shelf.format("disk.img", "ext4", "320M");
    await using disk = await RecordedDisk.over(shelf, image);
    await using mount = await Mount.at(disk.device, join(shelf.directory, "disk"));
    await using world = await template().world({ hot: join(mount.path, "root") });
    await using hot = world.start("hot", { args: ["--writers", "8"] });
    await using _cold = world.start("cold");
    await world.submitMany(random, 5);
    await world.drained();
    // All at once and more than is written at once, so that a COPY stands still: of media that come one by
    // one, the worker would wait for the disk between two of them.
    hot.signal("SIGSTOP");
    const submitted = (await world.submitMany(random, 200, () => 700_000)).length + 5;
    disk.behave("hang");
    try {
      hot.signal("SIGCONT");
      await until("a COPY stands still", async () => await oldTransactions(world, "COPY") > 0);
      await until("cold has everything", async () => await world.receipts("cold") === submitted);
      await until("it can be seen", async () => {
        const [row] = await world.query<{ shown: boolean }>(
          `SELECT seen_at < now() - interval '20 seconds' OR reason ~ 'disk' AS shown
           FROM omoide.worker_status WHERE storage = 'hot'`,
        );
        return row?.shown ?? false;
      }, 60_000);
      await until(
        "no snapshot is held",
        async () => await oldTransactions(world) === 0,
        60_000,
      );
      assert.ok(await world.receipts("hot") < submitted);
      await hot.says(/the disk has (not answered|finished none of its flushes) for/);
    } finally {
      console.log(
        `  ${
          JSON.stringify(
            await world.query(
              "SELECT state, reason, now() - seen_at AS ago FROM omoide.worker_status WHERE storage = 'hot'",
            ),
          )
        }`,
      );
      disk.behave("ok");
    }
    await world.drained();
    await world.requireInvariants();
    assert.equal((await hot.stop()).code, 0);
  },
});

/** How many transactions of the worker are older than 5 s, of those whose statement begins like this. */
async function oldTransactions(world: World, statement = ""): Promise<number> {
  const [row] = await world.query<{ held: number }>(
    `SELECT count(*)::int AS held FROM pg_stat_activity
     WHERE usename = 'omoide_hot' AND xact_start < now() - interval '5 seconds'
       AND starts_with(query, $1)`,
    [statement],
  );
  return row?.held ?? 0;
}
