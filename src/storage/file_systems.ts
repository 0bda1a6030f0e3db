/** What is known of a kind of file system, and what a worker may rely on there. */
export interface FileSystemKind {
  readonly name: string;
  /** What was measured, or is to be known before relying on it; null where it is what the tests run on. */
  readonly note: string | null;
  /** The exact words in which an administrator must have accepted it; null where it runs as it is. */
  readonly acceptance: string | null;
  /** It lacks what a storage is built of: refused, and nothing to accept. */
  readonly unfit: boolean;
  /** Each call is a question to somebody else, who may take seconds to answer. */
  readonly isRemote: boolean;
  /**
   * Its inode numbers are hashes of 64 bits. Deno rounds them to 53, which still tells whether a file is the
   * one that was looked at a moment ago, all that a worker asks; numbers given in a row would fall together.
   */
  readonly hasHashedInodes?: boolean;
}

/** Some fsync returns before the disks have the bytes: a power cut of all servers at once loses them. */
export const ONE_MACHINE = "survives one machine, not all at once";

/** It may keep everything. `--check` cannot see a lie about fsync, and nobody has looked at its servers. */
export const UNMEASURED = "nobody has measured whether its fsync reaches the disks";

/**
 * To `statfs`, all file systems that are programs of a user's have this one type. Which one it is stands in
 * /proc/self/mountinfo, which the runtime shows to no sandboxed program: so `storage init` looks, and notes
 * it in storage.json.
 */
export const FUSE = "fuse";

const local = (name: string, note: string | null = null): FileSystemKind => ({
  ...{ name, note, acceptance: null, unfit: false, isRemote: false },
});
const remote = (
  name: string,
  note: string | null,
  acceptance: string | null,
): FileSystemKind => ({ ...{ name, note, acceptance, unfit: false, isRemote: true } });
const unfit = (name: string, note: string): FileSystemKind => ({
  ...{ name, note, acceptance: null, unfit: true, isRemote: false },
});

const PROVEN_HERE = "not among those tested; what is proven here is all that is known";
const NO_LINKS = "has no hard links";

/** By the number that `statfs` reports. */
const BY_MAGIC = new Map<number, FileSystemKind>([
  [0xef53, local("ext4")],
  [0x58465342, local("xfs")],
  [
    0x9123683e,
    local(
      "btrfs",
      "works; free space is an estimate there, and it can be full earlier than it says",
    ),
  ],
  [
    0x2fc12fc1,
    local(
      "zfs",
      "works; leave its property sync at standard or always: disabled lies about every fsync",
    ),
  ],
  [0xf2f52010, local("f2fs", PROVEN_HERE)],
  [0xca451a4e, local("bcachefs", PROVEN_HERE)],
  [0x01021994, local("tmpfs", "is memory: for trying out only, nothing in it survives a restart")],
  [
    0x794c7630,
    local(
      "overlayfs",
      "is a container's: mount a real file system there, or everything goes with the container",
    ),
  ],
  [0x4d44, unfit("vfat", NO_LINKS)],
  [0x2011bab0, unfit("exfat", NO_LINKS)],
  // A virtual machine's share of its host's disk, or all that a container of gVisor sees.
  [0x01021997, remote("9p", PROVEN_HERE, null)],
  [
    0x00c36400,
    remote("ceph", "measured through ceph-fuse alone, where every fsync reaches the disks", null),
  ],
  [0x6969, remote("nfs", "depends on its server, which must export it with sync", UNMEASURED)],
  [0xff534d42, remote("cifs", "depends on its server", UNMEASURED)],
  [0xfe534d42, remote("cifs", "depends on its server", UNMEASURED)],
  [0x0bd00bd0, remote("lustre", null, UNMEASURED)],
  [0x47504653, remote("gpfs", null, UNMEASURED)],
  [0x19830326, remote("beegfs", null, UNMEASURED)],
  [0x65735546, remote(FUSE, "keeps no more than its daemon keeps", UNMEASURED)],
]);

/** By the type that /proc/self/mountinfo gives: those that were measured. */
const BY_MOUNT = new Map<string, FileSystemKind>([
  [
    "fuse.ceph-fuse",
    remote(
      "fuse.ceph-fuse",
      "measured with CephFS 16.2: fdatasync, links and the fsync of directories reach the disks",
      null,
    ),
  ],
  [
    "fuse.glusterfs",
    {
      ...remote(
        "fuse.glusterfs",
        "measured with GlusterFS 10.3, replica 3: fdatasync reaches the disks, but a link and the fsync of " +
          "a directory cause no fsync on any brick",
        ONE_MACHINE,
      ),
      hasHashedInodes: true,
    },
  ],
  [
    "fuse.mfs",
    remote(
      "fuse.mfs",
      "measured with MooseFS 3.0, goal 3: fdatasync returns before the disks of the chunk servers have " +
        "the bytes",
      ONE_MACHINE,
    ),
  ],
]);

/** Other names of the same file system. */
const FAMILIES: Record<string, string> = { nfs4: "nfs", smb3: "cifs", ext2: "ext4", ext3: "ext4" };

/** @param magic the type that `statfs` reports */
export function fileSystemKind(magic: number): FileSystemKind {
  // Some runtimes hand the number out signed.
  const unsigned = magic >>> 0;
  return BY_MAGIC.get(unsigned) ?? local(`type 0x${unsigned.toString(16)}`, PROVEN_HERE);
}

/** @param type as /proc/self/mountinfo names it, such as `ext4` or `fuse.glusterfs` */
export function mountKind(type: string): FileSystemKind {
  const family = familyOf(type);
  const kind = BY_MOUNT.get(type) ??
    [...BY_MAGIC.values()].find(({ name }) => name === family);
  return kind === undefined ? local(type, PROVEN_HERE) : { ...kind, name: type };
}

/** The name that `fileSystemKind` knows a mount's type by: all of FUSE have one. */
export function familyOf(type: string): string {
  if (type === FUSE || type === "fuseblk" || type.startsWith("fuse.")) return FUSE;
  return FAMILIES[type] ?? type;
}

/** Whether a mount's type must stand in storage.json: `statfs` does not say enough, or it was accepted. */
export function mustBeNoted(type: string): boolean {
  return familyOf(type) === FUSE || mountKind(type).acceptance !== null;
}
