/** The kind of mount that `storage init` finds, and what it writes down about it. */
import assert from "node:assert/strict";
import { ConfigurationError, StorageHeldError } from "../../../src/errors.ts";
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { findMountType, mountTypeOf } from "../../../src/storage/admin/mount_table.ts";
import { ONE_MACHINE } from "../../../src/storage/file_systems.ts";
import { readIdentity } from "../../../src/storage/identity.ts";
import { openStorage } from "../../../src/storage/open_storage.ts";
import { describeTree, newIdentity, Scratch } from "../support/roots.ts";

const TABLE = String.raw`
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 24 0:26 / /srv rw - xfs /dev/vdb rw
31 30 0:27 / /srv/hot rw master:2 - fuse.glusterfs 10.96.0.1:v rw,user_id=0
32 30 0:28 / /srv/cold rw - fuse mfs\04310.97.0.1:9421 rw
33 30 0:29 / /srv/my\040pictures rw - fuse.ceph-fuse ceph-fuse rw
34 30 0:30 / /srv/twice rw - autofs systemd-1 rw
35 34 0:31 / /srv/twice rw - nfs4 server:/export rw
36 30 0:32 / /srv/other rw - fuse.sshfs host:/ rw
`;

Deno.test("a path lies on the deepest mount above it, and on the last of those at one place", () => {
  for (
    const [path, type] of [
      ["/home", "ext4"],
      ["/srv", "xfs"],
      ["/srvx", "ext4"],
      ["/srv/hotter", "xfs"],
      ["/srv/hot", "fuse.glusterfs"],
      ["/srv/hot/a/b", "fuse.glusterfs"],
      ["/srv/cold/x", "fuse.mfs"],
      ["/srv/my pictures/x", "fuse.ceph-fuse"],
      ["/srv/twice/x", "nfs4"],
      ["/srv/other", "fuse.sshfs"],
    ] as const
  ) assert.equal(findMountType(TABLE, path), type, path);
  assert.equal(findMountType("", "/srv"), null);
  assert.equal(findMountType("nonsense - ", "/srv"), null);
});

Deno.test({
  ignore: Deno.build.os !== "linux",
  name: "this machine's own table says what /proc is",
  fn: () => assert.equal(mountTypeOf("/proc"), "proc"),
});

Deno.test("a file system that must be accepted is, in its words, which are kept with the day", async () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  const identity = newIdentity();
  const type = "fuse.glusterfs";
  const init = (mounted: { type: string; accept?: string }) =>
    initRoot(root, identity, { mounted });

  refused(() => init({ type }), new RegExp(`give --accept "${ONE_MACHINE}"`));
  refused(() => init({ type, accept: "yes" }), /in exactly these words and not "yes"/);
  refused(() => init({ type: "ext4", accept: ONE_MACHINE }), /leave out --accept/);
  refused(() => init({ type: "vfat" }), /has no hard links/);
  assert.throws(() => Deno.lstatSync(root), Deno.errors.NotFound);

  init({ type, accept: ONE_MACHINE });
  const { mount } = readIdentity(root);
  assert.equal(mount?.type, type);
  assert.equal(mount?.accepted?.words, ONE_MACHINE);
  assert.ok(Math.abs(Date.parse(mount?.accepted?.at ?? "") - Date.now()) < 60_000);

  // Once is enough; and whoever does not look changes nothing.
  const before = describeTree(root);
  init({ type });
  init({ type, accept: ONE_MACHINE });
  initRoot(root, identity);
  assert.deepEqual(describeTree(root), before);
  // The worker sees that this is no GlusterFS.
  await assert.rejects(openStorage(root, { storage: "hot" }), /and was on fuse\.glusterfs when/);
});

Deno.test("init again writes down what is mounted by now, but not under a worker", async () => {
  using scratch = new Scratch("memory");
  const root = `${scratch.path}/root`;
  const identity = newIdentity();
  initRoot(root, identity, { mounted: { type: "ext4" } });
  assert.deepEqual(readIdentity(root), identity);
  const moved = { mounted: { type: "fuse.ceph-fuse" } };
  const worker = await openStorage(root, { storage: "hot" });
  const before = describeTree(root);
  assert.throws(() => initRoot(root, identity, moved), StorageHeldError);
  assert.deepEqual(describeTree(root), before);
  worker.close();

  initRoot(root, identity, moved);
  assert.deepEqual(readIdentity(root), { ...identity, mount: { type: "fuse.ceph-fuse" } });
  assert.equal((Deno.lstatSync(`${root}/.omoide/storage.json`).mode ?? 0) & 0o777, 0o440);
  await assert.rejects(openStorage(root, { storage: "hot" }), /if the storage has moved, run/);

  initRoot(root, identity, { mounted: { type: "xfs" } });
  assert.deepEqual(readIdentity(root), identity);
  (await openStorage(root, { storage: "hot" })).close();
});

function refused(attempt: () => unknown, message: RegExp): void {
  assert.throws(attempt, (error) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.match(error.message, message);
    return true;
  });
}
