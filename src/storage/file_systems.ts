/** What is known of a kind of file system, by the magic number that `statfs` reports. */
export interface FileSystemKind {
  readonly name: string;
  /** Something to know before relying on it; null where it is what the tests run on. */
  readonly note: string | null;
}

const PROVEN_HERE = "not among those tested; what is proven here is all that is known";

const KINDS = new Map<number, FileSystemKind>([
  [0xef53, { name: "ext4", note: null }],
  [0x58465342, { name: "xfs", note: null }],
  [0x9123683e, {
    name: "btrfs",
    note: "works; free space is an estimate there, and it can be full earlier than it says",
  }],
  [0x2fc12fc1, {
    name: "zfs",
    note: "works; leave its property sync at standard or always: disabled lies about every fsync",
  }],
  [0x6969, { name: "nfs", note: `${PROVEN_HERE}; the server must export it with sync` }],
  [0x00c36400, { name: "ceph", note: PROVEN_HERE }],
  [0x65735546, { name: "fuse", note: `${PROVEN_HERE}; it keeps no more than its daemon keeps` }],
  [0xff534d42, { name: "cifs", note: PROVEN_HERE }],
  [0xfe534d42, { name: "smb", note: PROVEN_HERE }],
  [0x01021997, { name: "9p", note: PROVEN_HERE }],
  [0xf2f52010, { name: "f2fs", note: PROVEN_HERE }],
  [0xca451a4e, { name: "bcachefs", note: PROVEN_HERE }],
  [0x4d44, { name: "vfat", note: "has no hard links" }],
  [0x2011bab0, { name: "exfat", note: "has no hard links" }],
  [0x01021994, {
    name: "tmpfs",
    note: "is memory: for trying out only, nothing in it survives a restart",
  }],
  [0x794c7630, {
    name: "overlayfs",
    note: "is a container's: mount a real file system there, or everything goes with the container",
  }],
]);

/** @param magic the type that `statfs` reports */
export function fileSystemKind(magic: number): FileSystemKind {
  // Some runtimes hand the number out signed.
  const unsigned = magic >>> 0;
  return KINDS.get(unsigned) ?? { name: `type 0x${unsigned.toString(16)}`, note: PROVEN_HERE };
}
