"""Edits through a real mount: some that a killed mount leaves behind, and a mount's own last commit.

The last one is a mount in the foreground, whose every call is killed or fails in turn while files
in it are written, and while it is unmounted. What was said to be done, and synced, is not lost;
edits are kept in their order; a failed commit keeps them all. Then `commit` writes what was left.
"""
import os
import re
import signal
import subprocess
import time

from enumerate import specs
from scene import JOURNAL, LIMIT, Scene, npy, read, umount

DONE = re.compile(b"the new file is in place, but|the edits are in the checkpoint, but")
HALF = b"half written"
BROKEN = b"the journal "  # what cannot be written or synced: what was not synced may be lost


def can():
    return os.access("/dev/fuse", os.R_OK | os.W_OK)


def pwrite(path, data, at):
    fd = os.open(path, os.O_RDWR)
    try:
        if os.pwrite(fd, data, at) != len(data):
            raise OSError("a short write")
    finally:
        os.close(fd)


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def put(path, data):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def edits(kind):
    """[(name, what is done to the mount)]; "sync" makes durable what was done before it."""
    tensor = {"zip": "model/module.conv2.weight", "legacy": "model/big"}[kind]
    noise = npy(1, 900, 3)[-3600:]  # within a page: all of it, or nothing
    return [
        ("write", lambda m: pwrite(f"{m}/{tensor}", noise, 4104)),
        ("sync", lambda m: sync(f"{m}/{tensor}")),
        ("rename", lambda m: os.rename(f"{m}/arch", f"{m}/architecture")),
        ("new", lambda m: put(f"{m}/model/extra.npy", npy(30, 50, 4))),
        ("sync", lambda m: sync(f"{m}/model")),
        ("value", lambda m: put(f"{m}/epoch", b"13\n")),
    ]


class Mount:
    """A process that serves a checkpoint in the foreground, until it is unmounted."""

    def __init__(self, scene, fault=None):
        self.point = os.path.join(scene.folder, "mnt")
        os.makedirs(self.point, exist_ok=True)
        for path, _, names in os.walk(self.point):  # what was written after a mount had ended
            for name in names:
                os.unlink(os.path.join(path, name))
        env = dict(os.environ, PTHFS_FAULT_COUNT=scene.count)
        if fault:
            env["PTHFS_FAULT"] = fault
        if os.path.exists(scene.count):
            os.unlink(scene.count)
        self.outside = os.stat(self.point).st_dev
        self.process = subprocess.Popen(
            [scene.program, "-f", "-q", "-o", "rw,inplace" if scene.inplace else "rw", scene.file, self.point],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.there = self.wait(lambda: self.device() != self.outside)

    def device(self):
        try:
            return os.stat(self.point).st_dev
        except OSError:
            return None  # it is there, and dead

    def check(self):
        """Not that a file is made in the folder that it was mounted on."""
        if self.device() == self.outside:
            raise OSError("it has ended")

    def wait(self, what):
        end = time.monotonic() + LIMIT
        while not what():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < end, "the mount does not answer"
            time.sleep(0.002)
        return True

    def ended(self, killed=False):
        """Unmounts, waits; what it said."""
        if killed:
            self.process.kill()
        if self.there and (umount(self.point) != 0 or self.process.poll() is not None):
            umount(self.point, lazily=True)
        out, err = self.process.communicate(timeout=LIMIT)
        if self.device() is None:
            umount(self.point, lazily=True)
        return subprocess.CompletedProcess([], self.process.returncode, out, err)


def leave_edits(scene, kind):
    """Makes the journal of a mount that was killed."""
    mount = Mount(scene)
    assert mount.there
    for _, edit in edits(kind):
        edit(mount.point)
    sync(mount.point)
    mount.ended(killed=True)
    scene.journal, scene.waiting = read(scene.file + JOURNAL), True


class MountScene(Scene):
    def __init__(self, folder, program, old, kind, inplace):
        super().__init__(folder, program, old, [], inplace)
        self.edits, self.results = edits(kind), {}
        self.made, self.waiting = {}, True

    def run(self, fault=None, only=None):
        """Edits (only: some of them), then the unmount. results: whether each was done."""
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.alarm(LIMIT)  # whoever is told EINTR asks again for ever
        mount, self.results, hung = Mount(self, fault), {}, False
        try:
            self.edit(mount, only)
        except KeyboardInterrupt:
            hung = True
        signal.alarm(0)
        done = mount.ended(killed=hung)
        return subprocess.CompletedProcess([], "it hangs", b"", b"") if hung else done

    def edit(self, mount, only):
        for i, (_, edit) in enumerate(self.edits if mount.there else []):
            if only is None or i in only:
                try:
                    mount.check()
                    edit(mount.point)
                    self.results[i] = True
                except OSError:
                    self.results[i] = False

    def make(self, some):
        """What the file is with these edits, and what a reader is shown."""
        if some not in self.made:
            was = self.results
            self.fresh()
            done = self.run(only=some)
            assert done.returncode == 0 and self.alone() and all(self.results.values()), (some, done)
            self.made[some] = read(self.file), self.contents()
            self.results = was
        return self.made[some]

    def learn(self):
        everything = tuple(i for i, (name, _) in enumerate(self.edits) if name != "sync")
        self.new = self.make(everything)[0]
        self.fresh()
        self.run()
        assert read(self.file) == self.new
        return self.calls()[0], b"(cloned and patched)"  # a mount does not say how

    def may_hold(self, sure):
        """Sets of edits that the file may hold: these in any case, and none without those before it. One
        that failed counts or does not."""
        sets = [()]
        for i, was_done in self.results.items():
            if self.edits[i][0] == "sync":
                continue
            more = [s + (i,) for s in sets if not was_done or self.done(i) <= set(s)]
            sets = more if i in sure else sets + more
        return sets

    def done(self, before=99):
        return {i for i, ok in self.results.items() if ok and i < before and self.edits[i][0] != "sync"}

    def acknowledged(self):
        """Those that a sync has made durable."""
        syncs = [i for i, ok in self.results.items() if ok and self.edits[i][0] == "sync"]
        return self.done(max(syncs, default=0))

    def whole(self):
        """The file; where an edit failed and was made again only what a reader sees in it is sure."""
        return (read(self.file), None) if all(self.results.values()) else (None, self.contents())

    def is_one_of(self, sets, what):
        return any(self.make(s)[what[0] is None] in what for s in sets)


def after(scene, turn):
    """What the commands after it make of it: (the file, whether it is alone, what went wrong)."""
    wrong = []
    if turn % 2:
        done = scene.command(["recover", "CK"])
        if done.returncode != 0 or scene.left().temporaries:
            wrong.append(f"recover: there are {os.listdir(scene.at)}, {done.stderr!r}")
    done = scene.command(["commit", "CK"])
    if done.returncode != 0:
        wrong.append(f"the next commit failed: {done.stderr!r}")
    return scene.whole(), scene.alone(), wrong


def said(done):
    """What it said, without libfuse's own lines."""
    return re.sub(rb"(?m)^(?!pthfs: ).*\n", b"", done.stderr)


def judge(scene, done, killed, turn):
    """What is wrong, in words. What the file should be is made at the end: that takes its place."""
    results, text, left = dict(scene.results), said(done), scene.left()
    first, state, shown = scene.whole(), scene.state(), scene.contents() if left.journals else None
    last, alone, wrong = after(scene, turn)
    half = scene.inplace and left.journals and (killed or HALF in text)
    sure = scene.acknowledged()
    if done.returncode == 0 or not killed and BROKEN not in text:
        sure = scene.done()
    sets = scene.may_hold(sure)
    at_once = sets if done.returncode == 0 or DONE.search(text) else [(), *sets] if killed else [()]
    if "attributes" in state or left.others or left.journals > 1 or left.temporaries > 1 or not alone:
        yield f"the file is {state}, {left}, and in the end it is {'' if alone else 'not '}alone"
    if killed and done.returncode != -9 or not killed and done.returncode not in (0, 32):
        yield f"exit {done.returncode}: {text[-2000:].decode(errors='replace')}"
    if done.returncode == 32 and (text.count(b"\n") != 1 or not text.startswith(b"pthfs: ") or len(text) < 40 and b"out of memory" not in text):
        yield f"no proper sentence: {text!r}"
    if done.returncode == 0 and sum(left):
        yield f"says it is done, and leaves {left}"
    yield from wrong
    if not half and not scene.is_one_of(at_once, first):
        yield f"exit {done.returncode} after {results}, and the file is not what it should be: {text!r}"
    if shown and not scene.is_one_of([(), *sets], (None, shown)):
        yield f"exit {done.returncode} after {results}, and a reader is shown what it should not be"
    if not scene.is_one_of(sets, last):
        yield f"exit {done.returncode} after {results}, and the file does not become what it should be: {text!r}"


def memory(scene, tally, label, names, long):
    """Allocations fail; the calls of many threads do not come in the same order each time."""
    n = scene.allocations()
    for turn, at in enumerate(range(1, n + 1, 1 if long else n // 30 + 1)):
        fault = f"nomem@{at}" + "+" * (turn % 2)
        scene.fresh()
        done = scene.run(fault)
        early = done.returncode == 1 or b"libgcc_s" in done.stderr  # libfuse and the C library have their ways
        if early and scene.state() == "old" and not scene.done():
            tally.add(label, [])
            continue
        killed = done.returncode == -6  # by the C library, when a thread cannot be ended
        if killed:
            done.returncode = -9
        tally.add(f"{label} {fault}", list(judge(scene, done, killed, turn)))


def strike(scene, tally, label, names, long):
    """Every kill, and of the other faults every fifth: a mount takes its time."""
    for turn, (fault, kind, hit, _) in enumerate(specs(names, True)):
        killed = kind == "kill"
        if not long and not killed and turn % 5:
            continue
        scene.fresh()
        done = scene.run(fault)
        struck = scene.calls()[1]
        wrong = list(judge(scene, done, killed, turn))
        if not killed and not struck and kind != "short":
            wrong.append("the fault never struck")
        tally.add(f"{label} {fault} ({hit[0]})", wrong)
