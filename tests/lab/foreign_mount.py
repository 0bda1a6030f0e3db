#!/usr/bin/python3
"""A directory as another file system shows it.

Usage: foreign_mount.py MOUNTPOINT DIRECTORY MANNER [CONTROL]; MANNER is one of

    large-inodes  inode numbers above 2^53, neighbours close together: Lustre, some FUSE and SMB mounts
    no-links      every name has an inode of its own and one link, as sshfs shows hard links
    remote        nothing is hidden, but CONTROL is a file that says how its server answers from now on:
                  "ok", or "hang": whatever is asked waits until the word is another, but for what a
                  close asks, after which nothing more is to come
    late          as remote, but for half a second it does not see the probes that another mount has
                  created, and creates them once more
    slow          as most file systems of a network: what was looked at is known for a second, and what
                  changes something or flushes takes as many milliseconds longer as CONTROL says

What is done below MOUNTPOINT is done in DIRECTORY. The package is described in block_recorder.py.
"""

import errno
import os
import sys
import time
import zlib

import fusepy

LARGE = 1 << 62


CHANGES = ("create", "write", "fsync", "fsyncdir", "link", "mkdir")


class Foreign(fusepy.Operations):
    def __init__(self, directory, manner, control=None):
        self.directory = directory
        self.manner = manner
        self.control = control
        self.mine = set()

    def is_news(self, path, found):
        return path not in self.mine and time.time() - found.st_ctime < 0.5

    def __call__(self, operation, *args):
        if self.manner == "slow" and operation in CHANGES:
            with open(self.control) as control:
                time.sleep(float(control.read()) / 1000)
        waits = self.manner != "slow" and operation not in ("flush", "release", "init", "destroy")
        while self.control and waits:
            with open(self.control) as control:
                if control.read() != "hang":
                    break
            time.sleep(0.05)
        return super().__call__(operation, *args)

    def at(self, path):
        return self.directory + path

    def getattr(self, path, fh=None):
        found = os.lstat(self.at(path))
        if self.manner == "late" and "/probe/" in path and self.is_news(path, found):
            raise fusepy.FuseOSError(errno.ENOENT)
        attributes = {
            key: getattr(found, key)
            for key in (
                ["st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks"]
                + ["st_atime", "st_mtime", "st_ctime"]
            )
        }
        if self.manner == "large-inodes":
            attributes["st_ino"] += LARGE
        elif self.manner == "no-links":
            attributes["st_ino"] = zlib.crc32(path.encode()) | 1 << 33
            if not os.path.isdir(self.at(path)):
                attributes["st_nlink"] = 1
        return attributes

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self.at(path))]

    def open(self, path, flags):
        return os.open(self.at(path), flags)

    def create(self, path, mode, fi=None):
        self.mine.add(path)
        exclusive = 0 if self.manner == "late" else os.O_EXCL
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT | exclusive, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def fsyncdir(self, path, datasync, fh):
        return 0

    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)

    def link(self, target, source):
        os.link(self.at(source), self.at(target))

    def unlink(self, path):
        os.unlink(self.at(path))

    def rename(self, old, new):
        os.rename(self.at(old), self.at(new))

    def chmod(self, path, mode):
        os.chmod(self.at(path), mode)

    def chown(self, path, uid, gid):
        os.lchown(self.at(path), uid, gid)

    def statfs(self, path):
        found = os.statvfs(self.at(path))
        names = ["f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files"]
        return {name: getattr(found, name) for name in names + ["f_flag", "f_frsize", "f_namemax"]}


if __name__ == "__main__":
    mountpoint, directory, manner, *control = sys.argv[1:]
    os.umask(0)
    fusepy.FUSE(
        Foreign(directory, manner, *control),
        mountpoint,
        foreground=True,
        # Else whoever waits would hold up what a close asks, too.
        nothreads=manner not in ("remote", "late", "slow"),
        use_ino=True,
        default_permissions=True,
        allow_other=True,
        attr_timeout=int(manner == "slow"),
        entry_timeout=int(manner == "slow"),
    )
