/** What a storage may lie on: by number, by name, as noted, as accepted. */
import assert from "node:assert/strict";
import { ConfigurationError } from "../../src/errors.ts";
import { checkRoot } from "../../src/storage/check_root.ts";
import { fileCalls, spaceOf } from "../../src/storage/file_calls.ts";
import {
  fileSystemKind,
  mountKind,
  mustBeNoted,
  ONE_MACHINE,
  UNMEASURED,
} from "../../src/storage/file_systems.ts";
import { requireMount, showAcceptance } from "../../src/storage/mounted.ts";
import type { NotedMount } from "../../src/storage/storage.ts";
import { newIdentity, TestStorage } from "./support/roots.ts";

const EXT4 = 0xef53;
const FUSE = 0x65735546;
const NFS = 0x6969;
const CEPH = 0x00c36400;

const ACCEPTED: NotedMount = {
  type: "fuse.glusterfs",
  accepted: { words: ONE_MACHINE, at: "2026-11-26T10:00:00.000Z" },
};

Deno.test("file systems are known by the number that statfs reports, signed or not", () => {
  assert.equal(fileSystemKind(EXT4).name, "ext4");
  assert.equal(fileSystemKind(EXT4).note, null);
  assert.equal(fileSystemKind(0x58465342).name, "xfs");
  assert.equal(fileSystemKind(0x9123683e | 0).name, "btrfs");
  assert.ok(fileSystemKind(0xf2f52010).note?.includes("proven here"));
  assert.equal(fileSystemKind(0x12345).name, "type 0x12345");
});

Deno.test("which kinds run as they are, which are to be accepted, and which are refused", () => {
  for (const type of ["ext4", "xfs", "btrfs", "zfs", "ceph", "fuse.ceph-fuse"]) {
    assert.equal(mountKind(type).acceptance, null, type);
    assert.equal(mountKind(type).unfit, false, type);
  }
  for (const type of ["fuse.glusterfs", "fuse.mfs"]) {
    assert.equal(mountKind(type).acceptance, ONE_MACHINE, type);
    assert.match(mountKind(type).note ?? "", /^measured with /, type);
  }
  for (const type of ["fuse", "fuse.sshfs", "fuseblk", "nfs", "nfs4", "cifs", "smb3", "lustre"]) {
    assert.equal(mountKind(type).acceptance, UNMEASURED, type);
  }
  for (const type of ["vfat", "exfat"]) assert.ok(mountKind(type).unfit, type);
  assert.deepEqual(
    ["ext4", "btrfs", "ceph", "tmpfs", "never-heard-of"].filter(mustBeNoted),
    [],
  );
  assert.ok(["nfs4", "fuse", "fuse.ceph-fuse", "fuse.mfs"].every(mustBeNoted));
});

Deno.test("a storage without a note runs where it always did, and not on FUSE", () => {
  const old = newIdentity();
  for (const magic of [EXT4, 0x58465342, 0x9123683e, 0x2fc12fc1, 0x01021994, CEPH, 0x12345]) {
    requireMount("/r", old, magic);
  }
  refused(() => requireMount("/r", old, FUSE), /of which kind.*`storage init hot \/r` again/);
  refused(() => requireMount("/r", old, NFS), /must accept: .*--accept "nobody has measured/);
  refused(() => requireMount("/r", old, 0x4d44), /vfat, which has no hard links; use ext4/);
});

Deno.test("what was noted must be mounted, and accepted in exactly the words", () => {
  const ceph = newIdentity({ mount: { type: "fuse.ceph-fuse" } });
  assert.equal(requireMount("/r", ceph, FUSE).name, "fuse.ceph-fuse");
  const gluster = newIdentity({ mount: ACCEPTED });
  assert.equal(requireMount("/r", gluster, FUSE).name, "fuse.glusterfs");
  // A brick's own directory has the whole tree on it.
  refused(() => requireMount("/r", gluster, EXT4), /on ext4, and was on fuse\.glusterfs when/);
  const unaccepted = newIdentity({ mount: { type: "fuse.glusterfs" } });
  refused(() => requireMount("/r", unaccepted, FUSE), new RegExp(`--accept "${ONE_MACHINE}"`));
  const at = "2026-11-26T10:00:00.000Z";
  const others = newIdentity({ mount: { ...ACCEPTED, accepted: { words: UNMEASURED, at } } });
  refused(() => requireMount("/r", others, FUSE), /must accept/);
});

Deno.test("what was accepted is shown with its day", () => {
  assert.equal(showAcceptance(newIdentity()), null);
  assert.equal(showAcceptance(newIdentity({ mount: { type: "fuse.ceph-fuse" } })), null);
  assert.equal(
    showAcceptance(newIdentity({ mount: ACCEPTED })),
    `fuse.glusterfs, accepted on 2026-11-26 ("${ONE_MACHINE}")`,
  );
});

/** As if the root were on FUSE. */
const ON_FUSE = {
  ...fileCalls,
  statfs: (path: string) => ({ ...fileCalls.statfs(path), type: FUSE }),
};

Deno.test("a check and a worker show what was accepted, and refuse what was not", async () => {
  using test = new TestStorage("memory", { mount: ACCEPTED });
  const results = await checkRoot(test.root, { storage: "hot" }, { calls: ON_FUSE });
  assert.deepEqual(results.filter(({ ok }) => !ok), []);
  const line = results.find(({ name }) => name === "file system")?.detail ?? "";
  assert.match(line, /^fuse\.glusterfs, accepted on 2026-11-26 .*: measured with GlusterFS/);
  (await test.open({ calls: ON_FUSE })).close();

  using plain = new TestStorage();
  const found = await checkRoot(plain.root, { storage: "hot" }, { calls: ON_FUSE });
  assert.deepEqual(found.filter(({ ok }) => !ok).map(({ name }) => name), ["file system"]);
  await assert.rejects(plain.open({ calls: ON_FUSE }), ConfigurationError);
});

Deno.test("what statfs says becomes numbers that the inbox can hold", () => {
  const ceph = { type: CEPH, bsize: 4 << 20, blocks: 700, bavail: 600, files: 2310 };
  const space = spaceOf({ ...ceph, ffree: 2 ** 64 });
  assert.deepEqual(space, {
    ...{ type: CEPH, blockSize: 4 << 20, blocks: 700, blocksAvailable: 600 },
    ...{ inodes: 0, inodesFree: 0 },
  });
  const absurd = 2 ** 64;
  for (const said of [absurd, -1, NaN, Infinity]) {
    const { type: _, ...counts } = spaceOf({
      ...{ type: 0, bsize: said, blocks: said, bavail: said, files: said, ffree: said },
    });
    for (const [name, value] of Object.entries(counts)) {
      assert.ok(Number.isSafeInteger(value) && value >= 0, `${name} of ${said}: ${value}`);
    }
    assert.ok(Number.isSafeInteger(counts.blocks * counts.blockSize), String(said));
  }
  const ext4 = { type: EXT4, bsize: 4096, blocks: 1000, bavail: 10, files: 5, ffree: 4 };
  assert.deepEqual(spaceOf(ext4), {
    ...{ type: EXT4, blockSize: 4096, blocks: 1000, blocksAvailable: 10 },
    ...{ inodes: 5, inodesFree: 4 },
  });
});

function refused(attempt: () => unknown, message: RegExp): void {
  assert.throws(attempt, (error) => {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("large inode numbers are refused, unless they are hashes", async () => {
  const large = {
    ...ON_FUSE,
    lstat: (path: string) => {
      const found = fileCalls.lstat(path);
      return found === null || !path.endsWith(".link") ? found : { ...found, ino: 2 ** 63 };
    },
    fstat: (file: Deno.FsFile) => ({ ...fileCalls.fstat(file), ino: 2 ** 63 }),
  };
  const hardLink = async (mount: NotedMount) => {
    using test = new TestStorage("memory", { mount });
    const results = await checkRoot(test.root, { storage: "hot" }, { calls: large });
    return results.find(({ name }) => name === "hard link");
  };
  const sshfs = await hardLink({ type: "fuse.sshfs" });
  assert.equal(sshfs?.ok, false);
  assert.match(sshfs.detail, /above 2\^53/);
  const gluster = await hardLink(ACCEPTED);
  assert.equal(gluster?.ok, true, gluster?.detail);
  assert.match(gluster.detail, /tools that go by links refuse/);
});
