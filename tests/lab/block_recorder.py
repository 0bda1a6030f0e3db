#!/usr/bin/python3
"""A disk made of one file that writes down what is asked of it.

Usage: block_recorder.py MOUNTPOINT IMAGE LOG CONTROL

MOUNTPOINT/disk is IMAGE, fit to be put under a loop device. Each write and each flush is appended to
LOG before it is answered, so the length of LOG is a moment in the disk's life:

    write: b"W" offset:u64 length:u32 bytes        flush: b"F"        (little endian)

CONTROL is a file that says how the disk behaves from now on, in one word, read again at each request:
    ok            as a disk should
    eio-write     writes fail with EIO
    eio-flush     flushes fail with EIO
    eio-read      reads fail with EIO
    hang          writes and flushes wait until the word is another

Python, since the kernel's side of FUSE wants a library, and this one is packaged by Debian. Everything
is one thread: the order in LOG is the order in which the requests were answered.
"""

import errno
import os
import stat
import struct
import sys
import time

import fusepy


class Disk(fusepy.Operations):
    def __init__(self, image, log, control):
        self.image = os.open(image, os.O_RDWR)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.control = control

    def behave(self, *failing):
        while True:
            with open(self.control, encoding="ascii") as file:
                word = file.read().strip()
            if word != "hang" or "hang" not in failing:
                break
            time.sleep(0.01)
        if word in failing:
            raise fusepy.FuseOSError(errno.EIO)

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        if path != "/disk":
            raise fusepy.FuseOSError(errno.ENOENT)
        size = os.fstat(self.image).st_size
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

    def readdir(self, path, fh):
        return [".", "..", "disk"]

    def open(self, path, flags):
        return 0

    def truncate(self, path, length, fh=None):
        pass

    def read(self, path, size, offset, fh):
        self.behave("eio-read")
        return os.pread(self.image, size, offset)

    def write(self, path, data, offset, fh):
        self.behave("eio-write", "hang")
        os.pwrite(self.image, data, offset)
        os.write(self.log, b"W" + struct.pack("<QI", offset, len(data)) + data)
        return len(data)

    def fsync(self, path, datasync, fh):
        self.behave("eio-flush", "hang")
        os.write(self.log, b"F")
        return 0

    def flush(self, path, fh):
        return 0


if __name__ == "__main__":
    mountpoint, image, log, control = sys.argv[1:]
    fusepy.FUSE(
        Disk(image, log, control),
        mountpoint,
        foreground=True,
        nothreads=True,
        big_writes=True,
        max_write=131072,
        max_read=131072,
    )
