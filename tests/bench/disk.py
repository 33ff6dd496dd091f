"""File systems made for a measurement: a sparse image in the scratch directory, mounted by a loop
device that goes when the mount goes.

The loop device goes past the page cache of the image where it can, so that nothing is cached twice
and a sync reaches the disk below. It counts what is written to it, the file system's own log too.
"""

import os
import shutil
import subprocess
import time

import machine

MAKE = {
    "xfs": ("mkfs.xfs", "-q", "-m", "reflink=1"),
    "ext4": ("mkfs.ext4", "-q", "-m", "0"),
}
SECTOR = 512  # the unit of /sys/block/LOOP/stat, whatever the device has


class NoDiskError(Exception):
    """What is missing for such a file system, in words."""


class Disk:
    """`with Disk("xfs", where, size) as disk:` is a new file system of `size` bytes."""

    def __init__(self, kind, where, size):
        """Take a type, the scratch directory, and a size."""
        self.kind, self.where, self.size = kind, where, size
        self.image = os.path.join(where, kind + ".img")
        self.point = os.path.join(where, kind)
        self.loop = None

    def __enter__(self):
        """Make and mount it; NoDiskError where that cannot be."""
        if not machine.ROOT:
            raise NoDiskError("not root")
        if not machine.have(MAKE[self.kind][0]):
            raise NoDiskError("no " + MAKE[self.kind][0])
        need = self.size + (1 << 30)
        if shutil.disk_usage(self.where).free < need:
            raise NoDiskError("less than %.0f GB free" % (need / 1e9))
        try:
            self.mount()
        except subprocess.CalledProcessError as error:
            self.remove()
            raise NoDiskError("%s failed" % error.cmd[0]) from None
        return self

    def mount(self):
        """Make the file system, and mount it."""
        os.makedirs(self.point, exist_ok=True)
        machine.output_of("truncate", "-s", str(self.size), self.image)
        machine.output_of(*MAKE[self.kind], self.image)
        machine.output_of("mount", "-t", self.kind, "-o", "loop", self.image, self.point)
        self.loop = os.path.basename(
            machine.output_of("findmnt", "-n", "-o", "SOURCE", self.point).strip()
        )
        direct = ["losetup", "--direct-io=on", "/dev/" + self.loop]
        subprocess.run(direct, stderr=subprocess.DEVNULL, check=False)

    def remove(self):
        """Take everything away. A process that has just ended may hold a file a moment longer."""
        for _ in range(200):
            if not machine.is_mounted(self.point):
                break
            if subprocess.run(["umount", "-q", self.point], check=False).returncode:
                time.sleep(0.01)
        machine.unmount(self.point)
        if os.path.exists(self.image):
            os.unlink(self.image)

    def __exit__(self, *error):
        """Unmount and remove."""
        self.remove()

    def path(self, name):
        """Return a path on it."""
        return os.path.join(self.point, name)

    def settle(self):
        """Write everything back, so that what was before is no part of what is measured next."""
        machine.output_of("sync", "--file-system", self.point)

    def written(self):
        """Return the bytes that the device has taken, after writing everything back."""
        self.settle()
        with open("/sys/block/%s/stat" % self.loop) as stat:
            return int(stat.read().split()[6]) * SECTOR
