/** What comes back of groups that are handed over, told by the inbox and the disk themselves. */
import assert from "node:assert/strict";
import { MediaDefectError, StorageDistrustedError } from "../../src/errors.ts";
import { CHUNK_BYTES } from "../../src/inbox/copy/chunk_bytes.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { pending } from "../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../src/inbox/storage_calls.ts";
import { type FileCalls, fileCalls } from "../../src/storage/file_calls.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import type { WriteOnceStorage } from "../../src/storage/storage.ts";
import { Courier } from "../../src/worker/courier.ts";
import { GroupSize } from "../../src/worker/group_size.ts";
import { MediaMemory } from "../../src/worker/intake.ts";
import { Random } from "../lab/random.ts";
import { sharedTemplate } from "../lab/template.ts";
import type { World } from "../lab/world.ts";

const template = sharedTemplate();
const MiB = 1024 * 1024;

/** A session of hot's worker, and its storage on a disk whose calls may fail. */
class Lane implements AsyncDisposable {
  readonly courier: Courier;

  private constructor(readonly session: InboxSession, readonly storage: WriteOnceStorage) {
    const group = new GroupSize({ files: 1024, bytes: 32 * MiB }, false);
    this.courier = new Courier({ session, storage, group, memory: new MediaMemory() });
  }

  static async open(world: World, failing: Partial<FileCalls>): Promise<Lane> {
    const storage = await openStorage(world.root("hot"), { storage: "hot" }, {
      calls: { ...fileCalls, ...failing },
      reserve: { bytes: 0 },
    });
    const session = await InboxSession.open({
      ...{ hosts: [{ host: "127.0.0.1", port: world.server.port }], database: world.database },
      ...{ user: "omoide_hot", tls: "disable" as const, target: "read-write" as const },
    }, { password: "secret" });
    await takeStorage(session, "hot", storage.identity.uuid);
    return new Lane(session, storage);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.session.end(new Error("the test is over"));
    this.storage.close();
    return Promise.resolve();
  }
}

function osError(code: string): Error {
  return Object.assign(new Error(`generated ${code}`), { code });
}

Deno.test("a large media that fails in its middle beside a full disk comes back with all the others", async () => {
  await using world = await template().world();
  const random = new Random(21);
  const sizes = [1000, 5 * CHUNK_BYTES, 2000, 3333, 4000, 5000];
  for (const size of sizes) {
    await world.submit(random.bytes(size), { ownerUuid: random.uuid(), itemUuid: random.uuid() });
  }
  let isFull = false;
  await using lane = await Lane.open(world, {
    write(file, bytes) {
      isFull ||= bytes.length === 3333;
      if (isFull) throw osError("ENOSPC");
      return fileCalls.write(file, bytes);
    },
  });
  const media = (await pending(lane.session, 0n, 10)).map((delivery) => delivery.media);
  const [first, large, third] = media;
  assert.ok(first !== undefined && large !== undefined && third !== undefined);
  await world.query("DELETE FROM omoide.media_chunk WHERE media_id = $1 AND seq = 2", [large.id]);

  const groups = [media.slice(0, 5), media.slice(5)].map((group) => lane.courier.handOver(group));
  const [fates, behind] = await Promise.all(groups);

  assert.deepEqual(fates?.acknowledged.map((each) => each.media.id), [first.id, third.id]);
  assert.deepEqual(fates.refused, []);
  const [failed, ...others] = fates.notStored;
  assert.deepEqual(others, []);
  assert.equal(failed?.media.id, large.id);
  assert.ok(failed.error instanceof MediaDefectError);
  assert.match(failed.error.message, /chunk 2 is missing/);
  assert.equal(fates.paused?.reason, "no space");
  assert.deepEqual(behind, { acknowledged: [], refused: [], notStored: [], paused: fates.paused });

  assert.equal(await world.receipts("hot"), 2);
  const owed = await world.query<{ attempts: number }>(
    "SELECT attempts FROM omoide.owed WHERE storage = 'hot'",
  );
  assert.deepEqual(owed, Array(4).fill({ attempts: 0 }));
});

Deno.test("once an fsync has failed nothing is acknowledged, neither before nor behind it", async () => {
  await using world = await template().world();
  const random = new Random(22);
  for (let i = 0; i < 3; i++) {
    await world.submit(random.bytes(100 + i), {
      ownerUuid: random.uuid(),
      itemUuid: random.uuid(),
    });
  }
  const failed = Promise.withResolvers<void>();
  let flushes = 0;
  await using lane = await Lane.open(world, {
    async syncData(file) {
      flushes += 1;
      if (flushes > 1) {
        failed.resolve();
        throw osError("EIO");
      }
      // The first group is still being flushed when the second one's flush fails.
      await failed.promise;
      await fileCalls.syncData(file);
    },
  });
  const media = (await pending(lane.session, 0n, 10)).map((delivery) => delivery.media);
  const groups = media.map((each) => lane.courier.handOver([each]));
  for (const group of groups) await assert.rejects(group, StorageDistrustedError);
  assert.equal(await world.receipts("hot"), 0);
});
