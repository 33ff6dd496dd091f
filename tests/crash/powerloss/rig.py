"""Loses power in every state that the disk could have been in.

    rig.py LOGDISK DRIVER JOURNAL_DRIVER FOLDER SUBSETS [FILE_SYSTEM...]

A real file system lies on a loop device on logdisk (see there), and a driver replaces one file in
it, which is 300 000 bytes of old content, changes it in place, or appends edits to its journal.
Then, for every flush in the log, and for the moment at which the driver said that it was done,
images are made: all that was flushed, and a random part of what was written since, torn at 4 KiB.
Each image is mounted, which is all the recovery there is, and the file must be the old one or the
new one, whole; the new one, if power went after the driver's word. In place, `recover` comes first,
which every command does by itself. Of appended edits ("old": not all of them) those that are there
must be the first ones.

The right protocol must pass on every file system; each of the wrong ones must be caught on some
(ext4 as it is set up by default hides a missing fsync, which is why it is not the only one).
Closes with "powerloss: N passed, N failed, N skipped"; a state counts as one.
"""
import hashlib
import os
import random
import shutil
import struct
import subprocess
import sys
import time

MIB = 1 << 20
PIECE = 4096
SHARES = (0.2, 0.5, 0.8)
# name: (type, size in MiB, options of mkfs, options of mount)
SYSTEMS = {
    "ext4-writeback": ("ext4", 32, ["-E", "lazy_itable_init=0,lazy_journal_init=0"],
                       "data=writeback,noauto_da_alloc,commit=1"),
    "ext4": ("ext4", 32, ["-E", "lazy_itable_init=0,lazy_journal_init=0"], "commit=1"),
    "xfs": ("xfs", 320, [], "nouuid"),
    "btrfs": ("btrfs", 128, [], "commit=1"),
}
RIGHT = ("replace", "shorten", "inplace", "shrink", "redo", "append")
WRONG = ("in-place", "no-fsync", "nojournal", "unordered")
JOURNAL = ("inplace", "shrink", "redo", "append", "nojournal", "unordered")  # of the other driver
EDITS = 10


def sh(*args, **more):
    return subprocess.run(args, check=True, capture_output=True, **more)


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Image:
    """A file that only holds what was written to it."""

    def __init__(self, path, size=0):
        self.path = path
        if size:
            with open(path, "wb") as f:
                f.truncate(size)

    def copy(self, to):
        """Holes and all; shutil would write the zeros."""
        with open(self.path, "rb") as src, open(to, "wb") as dst:
            size = os.fstat(src.fileno()).st_size
            dst.truncate(size)
            at = 0
            while at < size:
                try:
                    at = os.lseek(src.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                end = os.lseek(src.fileno(), at, os.SEEK_HOLE)
                os.pwrite(dst.fileno(), os.pread(src.fileno(), end - at, at), at)
                at = end
        return Image(to)

    def apply(self, writes):
        fd = os.open(self.path, os.O_WRONLY)
        for off, data in writes:
            os.pwrite(fd, data, off)
        os.close(fd)


class Mounted:
    def __init__(self, what, at, fs, loop=True):
        kind, _, _, options = SYSTEMS[fs]
        self.at = at
        sh("mount", "-t", kind, "-o", ("loop," if loop else "") + options, what, at)

    def __enter__(self):
        return self.at

    def __exit__(self, *_):
        sh("umount", self.at)


def read_log(path):
    """[(end of the record in the log, off, data)]; data is None for a flush."""
    events, at = [], 0
    with open(path, "rb") as f:
        log = f.read()
    while at + 24 <= len(log):
        kind, off, n = struct.unpack_from("<3Q", log, at)
        at += 24 + n
        events.append((at, off, log[at - n:at] if kind == 1 else None))
    return events


class Rig:
    def __init__(self, logdisk, driver, journal_driver, folder, subsets):
        self.logdisk, self.driver, self.folder, self.subsets = logdisk, driver, folder, subsets
        self.journal_driver = journal_driver
        for name in ("disk", "mnt"):
            os.makedirs(self.path(name), exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def base(self, fs):
        """The file system with the old file in it, cleanly unmounted."""
        kind, size, options, _ = SYSTEMS[fs]
        image = Image(self.path("base"), size * MIB)
        sh("mkfs." + kind, "-q", *options, image.path)
        with Mounted(image.path, self.path("mnt"), fs) as at:
            sh(self.driver, "make", at + "/ck")
            os.setxattr(at + "/ck", "user.note", b"hello")
            self.old = sha(at + "/ck")
        return image

    def record(self, base, fs, mode):
        """One replacement, on the disk that logs. Returns where in the log it was acknowledged."""
        log = self.path("log")
        sh(self.logdisk, self.path("disk"), base.path, log)
        loop = sh("losetup", "-f", "--show", self.path("disk/disk"), text=True).stdout.strip()
        try:
            with Mounted(loop, self.path("mnt"), fs, loop=False) as at:
                if mode == "redo":  # what a killed run left in the page cache only is recovered from
                    subprocess.run([self.journal_driver, "listed", at + "/ck"], check=False)
                    sh(self.journal_driver, "recover", at + "/ck")
                else:
                    sh(self.journal_driver if mode in JOURNAL else self.driver, mode, at + "/ck")
                ack = os.stat(log).st_size
                self.new = sha(at + "/ck")
                if mode == "no-fsync":
                    time.sleep(2.5)  # the journal is committed before the data is written
        finally:
            sh("losetup", "-d", loop)
            sh("fusermount3", "-u", self.path("disk"))
        return ack

    def look(self, image, fs, mode):
        """What a crash at this state leaves: damaged also when more than one temporary is beside it."""
        if mode in JOURNAL:
            return self.look_at_journal(image, fs, mode)
        try:
            with Mounted(image.path, self.path("mnt"), fs) as at:
                left = [x for x in os.listdir(at) if x.startswith(".ck.pthfs-")]
                state = {self.old: "old", self.new: "new"}.get(sha(at + "/ck"), "damaged")
                swept = sh(self.driver, "sweep", at + "/ck").stdout.strip()
                if mode in RIGHT and os.getxattr(at + "/ck", "user.note") != b"hello":
                    state = "damaged"
                if len(left) > 1 or swept != str(len(left)).encode():
                    state = "damaged"
        except (OSError, subprocess.CalledProcessError):
            state = "damaged"
        return state

    def look_at_journal(self, image, fs, mode):
        state = "damaged"
        try:
            with Mounted(image.path, self.path("mnt"), fs) as at:
                if mode == "append":
                    there = int(sh(self.journal_driver, "count", at + "/ck").stdout)
                    if sha(at + "/ck") == self.old and there <= EDITS:
                        state = "new" if there == EDITS else "old"
                else:
                    sh(self.journal_driver, "recover", at + "/ck")
                    state = {self.old: "old", self.new: "new"}.get(sha(at + "/ck"), "damaged")
                    if os.path.exists(at + "/ck.pthfs-journal"):
                        state = "damaged"
                if os.getxattr(at + "/ck", "user.note") != b"hello":
                    state = "damaged"
        except (OSError, subprocess.CalledProcessError):
            state = "damaged"
        return state

    def states(self, base, ack):
        """Every (image, whether it is after the acknowledgement)."""
        flushed, pending, acked = base.copy(self.path("flushed")), [], False
        events = read_log(self.path("log"))
        for n, (end, off, data) in enumerate(events):
            moment = data is None or n + 1 == len(events)
            if not acked and end > ack:  # the very moment of the word
                yield from self.torn(flushed, pending, True, n)
                acked = True
            if data is not None:
                pending += [(at, data[at - off:at - off + PIECE]) for at in range(off, off + len(data), PIECE)]
            if moment:
                yield from self.torn(flushed, pending, acked, n)
            if data is None:
                flushed.apply(pending)
                pending = []

    def torn(self, flushed, pending, acked, seed):
        chance = random.Random(seed)
        for i in range(self.subsets if pending else 1):
            share = SHARES[i % len(SHARES)]
            state = flushed.copy(self.path("state"))
            state.apply([w for w in pending if chance.random() < share])
            yield state, acked

    def lose_power(self, fs, mode):
        base = self.base(fs)
        ack = self.record(base, fs, mode)
        count = {"states": 0, "old": 0, "new": 0, "damaged": 0, "lost": 0}
        for image, acked in self.states(base, ack):
            state = self.look(image, fs, mode)
            if acked and state == "old":
                state = "lost"
            count[state] += 1
            count["states"] += 1
        print(f"# {fs}, {mode}: " + ", ".join(f"{v} {k}" for k, v in count.items()), flush=True)
        return count


def main():
    rig = Rig(*sys.argv[1:5], int(sys.argv[5]))
    passed = failed = skipped = 0
    caught = dict.fromkeys(WRONG, 0)
    for fs, (kind, *_) in SYSTEMS.items():
        if sys.argv[6:] and fs not in sys.argv[6:]:
            continue
        if not shutil.which("mkfs." + kind):
            print(f"# {fs} skipped: no mkfs.{kind}")
            skipped += 1
            continue
        for mode in RIGHT:
            count = rig.lose_power(fs, mode)
            bad = count["damaged"] + count["lost"]
            passed, failed = passed + count["states"] - bad, failed + bad
            if not count["old"] or not count["new"]:
                print(f"# {fs}, {mode}: the states are of one kind only; the rig sees nothing")
                failed += 1
        for mode in WRONG:
            caught[mode] += rig.lose_power(fs, mode)["damaged"]
    for mode, n in caught.items():
        if not n and not sys.argv[6:]:
            print(f"# {mode} was not caught anywhere")
            failed += 1
        passed += bool(n)
    print(f"powerloss: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
