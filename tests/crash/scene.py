"""A checkpoint, a command that edits it, and what is left in its folder when the command is struck.

    FOLDER/at/ck                        the checkpoint, the same inode each time
    FOLDER/at/ck.pthfs-journal          edits of a mount that was killed, where the scene has some
    FOLDER/at/.ck.pthfs-XXXXXX          a temporary that a killed command has left
    FOLDER/keep, count, trace, *.npy    ours

The inode is kept by a second name, so that a journal, which is bound to it, fits again.
"""
import collections
import ctypes
import os
import random
import subprocess

LIMIT = 60  # seconds for one run
JOURNAL = ".pthfs-journal"
NOTE = b"hello"
Left = collections.namedtuple("Left", "temporaries journals others")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def npy(rows, columns, seed):
    """A float32 matrix of noise, as a .npy file."""
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, columns)
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    noise = b"".join(bytes([x & 0x3f if i % 4 == 3 else x]) for i, x in
                     enumerate(random.Random(seed).randbytes(rows * columns * 4)))
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + noise


def umount(point, lazily=False):
    if os.geteuid() == 0:
        return ctypes.CDLL(None).umount2(os.fsencode(point), 2 if lazily else 0)
    return subprocess.call(["fusermount3", "-u", "-z" if lazily else "-q", point], stderr=subprocess.DEVNULL)


class Scene:
    """args: the command, CK for the checkpoint; inplace: the file itself is changed."""

    def __init__(self, folder, program, old, args, inplace):
        self.folder, self.program, self.old = folder, program, old
        self.at, self.keep = os.path.join(folder, "at"), os.path.join(folder, "keep")
        self.file, self.count = os.path.join(self.at, "ck"), os.path.join(folder, "count")
        self.args, self.inplace = args, inplace
        self.new, self.journal, self.waiting, self.probes = None, None, False, {}
        self.final, self.was_new, self.stale = None, False, 0
        os.mkdir(self.at)
        with open(self.keep, "wb") as f:
            f.write(old)
        os.chmod(self.keep, 0o640)
        os.setxattr(self.keep, "user.note", NOTE)
        self.when = os.stat(self.keep).st_mtime_ns
        os.link(self.keep, self.file)
        self.shows = {"old": self.contents()}

    def fresh(self):
        for name in os.listdir(self.at):
            os.unlink(os.path.join(self.at, name))
        self.set_back(self.old, self.journal)
        os.link(self.keep, self.file)

    def set_back(self, data, journal):
        """Contents that the kept inode and the journal had; the names are the caller's."""
        if read(self.keep) != data:
            with open(self.keep, "wb") as f:
                f.write(data)
        os.utime(self.keep, ns=(self.when, self.when))
        if journal is not None:
            with open(os.open(self.file + JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(journal)

    def save(self):
        """What is in the folder, to come back to: each file is held by a second name."""
        names = {}
        for x in os.listdir(self.at):
            second = os.path.join(self.folder, "saved" + x)
            if os.path.exists(second):
                os.unlink(second)
            os.link(os.path.join(self.at, x), second)
            names[x] = read(second), os.stat(second).st_mtime_ns
        return names

    def restore(self, names):
        for x in os.listdir(self.at):
            os.unlink(os.path.join(self.at, x))
        for x, (data, when) in names.items():
            second = os.path.join(self.folder, "saved" + x)
            if read(second) != data:
                with open(second, "wb") as f:
                    f.write(data)
            os.utime(second, ns=(when, when))
            os.link(second, os.path.join(self.at, x))

    def command(self, args, fault=None, wrap=(), program=None):
        env = dict(os.environ, PTHFS_FAULT_COUNT=self.count)
        if fault:
            env["PTHFS_FAULT"] = fault
        if os.path.exists(self.count):
            os.unlink(self.count)
        words = [self.file if x == "CK" else x for x in args]
        return subprocess.run([*wrap, program or self.program, *words], env=env, capture_output=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, check=False)

    def run(self, fault=None, wrap=(), program=None):
        return self.command(self.args, fault, wrap, program)

    def calls(self):
        """(names of the calls of the last run, how many were struck); None when it was killed."""
        if not os.path.exists(self.count):
            return None, 0
        with open(self.count, encoding="ascii") as f:
            head, *names = f.read().split("\n")
        return names[:-1], int(head.split()[1])

    def allocations(self):
        return int(read(self.count).split()[2])

    def learn(self):
        """One run that nothing happens to: what it makes of the file, and by which calls."""
        self.fresh()
        done = self.run()
        assert done.returncode == 0 and self.alone(), (self.args, done, os.listdir(self.at))
        self.new, names = read(self.file), self.calls()[0]
        assert self.new != self.old, self.args
        self.shows["new"] = self.contents()
        return names, done.stdout

    def learn_probe(self, words):
        """What another command makes of the old file and of the new one."""
        for kind, data in (("old", self.old), ("new", self.new)):
            self.fresh()
            self.set_back(data, None)
            done = self.command(words)
            assert done.returncode == 0, done
            self.probes[kind] = self.contents()

    def probed(self):
        shown = self.contents()
        return next((k for k, v in self.probes.items() if v == shown), "DAMAGED")

    def state(self):
        data = read(self.file)
        kind = "old" if data == self.old else "new" if data == self.new else "DAMAGED"
        if os.stat(self.file).st_mode & 0o7777 != 0o640 or os.getxattr(self.file, "user.note") != NOTE:
            return kind + " without its attributes"
        return kind

    def left(self):
        names = [x for x in os.listdir(self.at) if x != "ck"]
        temporaries = [x for x in names if x.startswith(".ck.pthfs-")]
        journals = [x for x in names if x == "ck" + JOURNAL]
        return Left(len(temporaries), len(journals), len(names) - len(temporaries) - len(journals))

    def alone(self):
        return os.listdir(self.at) == ["ck"]

    def contents(self):
        """All that a reader sees, who writes nothing."""
        listing = self.command(["ls", "CK"])
        names = [line.split("\t")[0] for line in listing.stdout.decode().splitlines()]
        return listing.stdout, self.command(["cat", "CK", *names]).stdout if names else listing.stderr
