"""What is measured of editing: whole edits, up to the moment when they are safe on disk.

Every row makes a file system of its own (disk.py) and everything that lies on it, and takes it away
again, so the rows need no more disk together than one alone. Before each measurement the checkpoint
is in the page cache and everything else is written back; neither is timed. Peers take turns as in
rows.py. Files are several gigabytes, so what writes all of one is done three times only.
"""

import os

import inputs
import machine
from disk import Disk, NoDiskError
from rows import in_words, note
from table import Aim

TENSOR = 4 << 20  # bytes of each tensor
KEY = "module.model.layers.1.mlp.up.weight"  # of the one that is changed: no. 10
SLACK = 64  # KiB beside the tensor
DEAR = 3  # rounds, at most, of what writes gigabytes
WAYS = {"reflink": "cloned and patched", "in place": "patched in place", "copy": "copied"}
SAFE = ", and fsync"  # behind a torch that also waits for the disk


class EditRows:
    """The rows, over one scratch directory and one set of programs."""

    def __init__(self, options, where, table, tools, torch):
        """Take the parsed options, a scratch directory, a table, built tools and torch or None."""
        self.options, self.where, self.table = options, where, table
        self.tools, self.torch = tools, torch
        self.size = options.edit_size
        self.peaks = {}

    # --- pieces ------------------------------------------------------------------------------

    def place(self, name):
        """Return a path in the scratch directory."""
        return os.path.join(self.where, name)

    def turns(self, cheap, dear):
        """Call every task once a round, each round beginning with another; dear ones less often."""
        names = [*cheap, *dear]
        for number in range(self.options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                if name in cheap:
                    cheap[name]()
                elif number < DEAR:
                    dear[name]()

    def command(self, disk, values, name, way, *argv):
        """Run a command of ours; note under its name what it spent, and what the disk took."""
        before = disk.written()
        spent = machine.Spent(self.tools["spent"], self.where, self.options.pthfs, *argv)
        disk_kib = (disk.written() - before) / 1024
        check_way(spent.said, way)
        self.note_all(values, name, spent.ms, spent.dirty, disk_kib)
        note(values, name + " says", said_kib(spent.said))
        self.peak("pthfs " + argv[0] + (" --npy" if "--npy" in argv else ""), spent.peak)

    def note_all(self, values, name, spent_ms, dirty, disk_kib):
        """Note time and both counts of bytes."""
        note(values, name, spent_ms)
        note(values, name + " disk", disk_kib)
        if dirty is not None:
            note(values, name + " dirty", dirty)

    def peak(self, who, mib):
        """Note a peak of memory."""
        note(self.peaks, who, mib)

    def through_mount(self, disk, values, name, way, job):
        """Mount, copy a file over a tensor, commit, unmount; note the same. job: see change()."""
        options = "rw,inplace" if way == "in place" else "rw"
        argv = (self.options.pthfs, "-q", "-o", options, job["path"], self.place("mnt"))
        mount = machine.Mount("pthfs", self.place("mnt"), argv)
        before = disk.written()
        os.makedirs(mount.point, exist_ok=True)
        mounting = machine.run_ms(*argv)
        try:
            copying = machine.run_ms("cp", job["raw"], os.path.join(mount.point, job["key"]))
            commit = machine.Spent(
                self.tools["spent"], self.where, self.options.pthfs, "commit", mount.point
            )
            server = machine.server_of(argv[0], mount.point)
            dirty = machine.dirty_kib(server)
            self.peak("the mount's process, cp of " + in_words(job["size"]), mount.peak() / 1024)
            unmounting = machine.run_ms(self.options.pthfs, "umount", mount.point)
        finally:
            mount.stop()
        check_way(commit.said, way)
        note(values, name + " says", said_kib(commit.said))
        spent = copying + commit.ms + (mounting + unmounting if job["whole"] else 0)
        self.note_all(values, name, spent, dirty, (disk.written() - before) / 1024)

    def ask_torch(self, disk, values, name, what, *words):
        """Let torch edit into another file beside it; note both times, and what the disk took."""
        out, pid = disk.path("torch.pth"), self.torch.process.pid
        machine.warm_up(words[0])
        machine.forget_peak(pid)
        before = disk.written()
        saved, safe = self.torch.ask_all(what, words[0], out, *words[1:])
        note(values, name, saved)
        note(values, name + SAFE, safe)
        note(values, name + " disk", (disk.written() - before) / 1024)
        self.peak(name, machine.peak_kib(pid) / 1024)
        os.unlink(out)

    def times(self, what, values, ours, aim, *peers):
        """Add a group of times, pthfs and torch with and without its fsync."""
        series = {"pthfs": values.get(ours)}
        for peer in peers:
            series[peer] = values.get(peer)
            series[peer + SAFE] = values.get(peer + SAFE)
        self.table.add(what, "ms", series, {who: aim for who in series if who != "pthfs"})

    def amounts(self, what, values, names, aim, peer=None):
        """Add a group of bytes, {who: name}: of each what the program says, and the disk."""
        series, aims = {}, {}
        for who, name in names.items():
            for how, suffix in (("says", " says"), ("made dirty", " dirty"), ("disk", " disk")):
                if name + suffix in values:
                    series["%s, %s" % (who, how)] = values[name + suffix]
            aims[who + ", disk"] = aim
        if peer:
            series[peer + ", disk"] = values.get(peer + " disk")
        self.table.add("bytes written, " + what, "KiB", series, aims)

    # --- strip a prefix -------------------------------------------------------------------------

    def strip(self):
        """Take `module.` off every key, where blocks can be shared, and in place."""
        what = "strip module. from %s, XFS" % in_words(self.size)
        try:
            with Disk("xfs", self.where, 2 * self.size + (1 << 30)) as disk:
                self.strip_groups(what, self.strip_values(disk))
        except NoDiskError as error:
            self.table.skip(what, str(error))

    def strip_values(self, disk):
        """Measure it."""
        original, values = disk.path("original.pth"), {}
        inputs.parallel(original, self.size // TENSOR, TENSOR)
        cheap = {"reflink": lambda: self.strip_link(disk, values, original, "reflink")}
        dear = {"in place": lambda: self.strip_copy(disk, values, original)}
        if self.torch:
            for name, how in (("torch", "plain"), ("torch mmap", "mmap")):
                dear[name] = lambda name=name, how=how: self.ask_torch(
                    disk, values, name, "strip", original, how
                )
        self.turns(cheap, dear)
        return values

    def strip_link(self, disk, values, original, way, *options):
        """Strip a second name of the checkpoint: a new file takes that, the first keeps the old."""
        path = disk.path("model.pth")
        if os.path.exists(path):
            os.unlink(path)
        os.link(original, path)
        machine.warm_up(path)
        argv = ("rename", "--strip", "module", *options, path)
        self.command(disk, values, way, way, *argv)
        os.unlink(path)

    def strip_copy(self, disk, values, original):
        """Strip a copy in place, one that shares no blocks."""
        path = disk.path("model.pth")
        machine.output_of("cp", "--reflink=never", original, path)
        argv = ("rename", "--strip", "module", "--inplace", path)
        self.command(disk, values, "in place", "in place", *argv)
        os.unlink(path)

    def strip_groups(self, what, values):
        """Add what it gave."""
        aim = Aim("<=", 0.001)
        for way in ("reflink", "in place"):
            self.times("%s, %s" % (what, way), values, way, aim, "torch", "torch mmap")
        names = {"reflink": "reflink", "in place": "in place"}
        self.amounts(what, values, names, Aim("<=", 1024, "KiB"), "torch")

    def copy(self):
        """Take `module.` off every key where the whole file has to be copied for it."""
        what = "strip module. from %s, ext4, copy" % in_words(self.size)
        try:
            with Disk("ext4", self.where, 2 * self.size + (1 << 30)) as disk:
                values = self.copy_values(disk)
        except NoDiskError as error:
            self.table.skip(what, str(error))
            return
        series = {"pthfs": values["copy"], "cp, and sync of the copy": values["cp"]}
        self.table.add(what, "ms", series, {"cp, and sync of the copy": Aim("<=", 1.1)})

    def copy_values(self, disk):
        """Measure it."""
        original, values = disk.path("original.pth"), {}
        inputs.parallel(original, self.size // TENSOR, TENSOR)
        dear = {
            "copy": lambda: self.strip_link(disk, values, original, "copy"),
            "cp": lambda: note(values, "cp", self.cp(disk, original)),
        }
        self.turns({}, dear)
        return values

    def cp(self, disk, path):
        """Return the milliseconds of a copy onto the disk that is safe there."""
        out = disk.path("cp.out")
        machine.warm_up(path)
        disk.settle()
        spent = machine.run_ms("cp", "--reflink=never", path, out) + machine.run_ms("sync", out)
        os.unlink(out)
        return spent

    # --- change a tensor ------------------------------------------------------------------------

    def change(self):
        """Change one tensor of many, without a mount and through one."""
        what = "change 4 MiB of %s, XFS" % in_words(self.size)
        try:
            with Disk("xfs", self.where, 2 * self.size + (1 << 30)) as disk:
                self.change_groups(what, self.change_values(disk))
        except NoDiskError as error:
            self.table.skip(what, str(error))

    def change_values(self, disk):
        """Measure it. Two tensors take turns, so that it is a change each time."""
        path, values = disk.path("model.pth"), {}
        inputs.parallel(path, self.size // TENSOR, TENSOR)
        jobs = self.jobs(path, KEY, TENSOR, True)
        for job in jobs:
            job["npy"] = job["raw"] + ".npy"
            inputs.npy(job["npy"], job["raw"], (TENSOR // 4096, 1024))
        cheap, dear = {}, {}
        for way, option in (("reflink", ()), ("in place", ("--inplace",))):
            cheap["set " + way] = lambda way=way, option=option: self.command(
                disk, values, "set " + way, way,
                "set", *option, "--npy", next_of(jobs)["npy"], path, KEY,
            )
            cheap["mount " + way] = lambda way=way: self.through_mount(
                disk, values, "mount " + way, way, next_of(jobs)
            )
        if self.torch:
            dear["torch"] = lambda: self.ask_torch(
                disk, values, "torch", "change", path, KEY, next_of(jobs)["raw"]
            )
        machine.warm_up(path)
        self.turns(cheap, dear)
        return values

    def jobs(self, path, key, size, whole):
        """Return two edits of a tensor; whole: mounting and unmounting counts too."""
        made = []
        for number in range(2):
            raw = self.place("tensor-%d" % number)
            inputs.raw(raw, size)
            made.append({"path": path, "key": key, "size": size, "raw": raw, "whole": whole})
        return made

    def change_groups(self, what, values):
        """Add what it gave."""
        aim, kib = Aim("<=", 0.01), TENSOR // 1024
        for how, who in (("set", "pthfs set --npy"), ("mount", "mount, cp, commit, umount")):
            for way in ("reflink", "in place"):
                self.times("%s, %s: %s" % (what, way, who), values, how + " " + way, aim, "torch")
        for how, times, who in (("set", 1, "set --npy"), ("mount", 2, "mount, cp, commit, umount")):
            names = {way: "%s %s" % (how, way) for way in ("reflink", "in place")}
            limit = Aim("<=", times * kib + SLACK, "KiB")
            self.amounts("%s: %s" % (what, who), values, names, limit, "torch")

    def write(self):
        """Write one large tensor with cp, and commit: on every kind of disk, in every way."""
        for kind, ways in (("xfs", ("reflink", "in place")), ("ext4", ("copy", "in place"))):
            self.write_on(kind, ways)

    def write_on(self, kind, ways):
        """Measure that on one."""
        size = self.size // 4
        name = {"xfs": "XFS", "ext4": "ext4"}[kind]
        what = "cp of %s into the mount, commit, %s" % (in_words(size), name)
        try:
            with Disk(kind, self.where, 4 * size + (1 << 30)) as disk:
                values = self.write_values(disk, size, ways)
        except NoDiskError as error:
            self.table.skip(what, str(error))
            return
        for way in ways:
            series = {"pthfs": values[way], "cp, and sync of the copy": values["cp"]}
            aims = {"cp, and sync of the copy": Aim("<=", 2.2)}
            self.table.add("%s, %s" % (what, way), "ms", series, aims)

    def write_values(self, disk, size, ways):
        """Measure it in these ways."""
        path, values = disk.path("model.pth"), {}
        inputs.big(path, size)
        jobs = self.jobs(path, "w", size, False)
        dear = {"cp": lambda: note(values, "cp", self.cp(disk, next_of(jobs)["raw"]))}
        for way in ways:
            dear[way] = lambda way=way: self.write_once(disk, values, way, next_of(jobs))
        self.turns({}, dear)
        return values

    def write_once(self, disk, values, way, job):
        """Do it once, with both files in the page cache."""
        machine.warm_up(job["path"])
        machine.warm_up(job["raw"])
        self.through_mount(disk, values, way, way, job)

    # --- memory ---------------------------------------------------------------------------------

    def finish(self):
        """Add what all of that took of memory."""
        if not self.peaks:
            return
        ours = {who: peaks for who, peaks in self.peaks.items() if not who.startswith("torch")}
        most = [max(max(peaks) for peaks in ours.values())] if ours else None
        series = {"pthfs, the most of all": most, **ours}
        for who in ("torch", "torch mmap"):
            series[who] = self.peaks.get(who)
        what = "peak memory of editing %s" % in_words(self.size)
        aims = {"pthfs, the most of all": Aim("<=", 32, "MiB")}
        self.table.add(what, "MiB", series, aims)


def next_of(jobs):
    """Return the first, and put it behind the others."""
    jobs.append(jobs.pop(0))
    return jobs[-1]


def check_way(said, way):
    """Measuring another way than the table names would be a lie."""
    if "(%s)" % WAYS[way] not in said:
        raise RuntimeError("not %s: %s" % (way, said))


def said_kib(said):
    """Return the KiB of "..., wrote 30.3 KB (...)", which is rounded."""
    number, unit = said.partition(", wrote ")[2].split()[:2]
    return float(number) * {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}[unit] / 1024


ALL = ("strip", "copy", "change", "write")
