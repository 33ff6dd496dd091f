"""What is measured. A row is a method of Rows that adds its groups to the table.

Within a row the peers take turns, round by round, each round beginning with another one, so that
whatever else the machine does hits all of them. Every round mounts anew where a mount is cold.
"""

import os
import statistics
import subprocess

import inputs
import machine
from table import Aim

READERS, READS = 8, 4096
MMAP = "torch.load(mmap=True)"
BARE = ("bare FUSE file (pread)", "bare FUSE file (splice)")


def take_turns(rounds, tasks):
    """Call every task once a round; return {name: [values in order of rounds]}."""
    values, names = {name: [] for name in tasks}, list(tasks)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            values[name].append(tasks[name]())
    return values


class Rows:
    """The rows, over one scratch directory and one set of programs."""

    def __init__(self, options, where, table, tools, torch):
        """Take the parsed options, a scratch directory, a table, built tools and torch or None."""
        self.options, self.where, self.table = options, where, table
        self.tools, self.torch = tools, torch
        self.rounds = options.rounds
        self.made = {}

    # --- pieces ------------------------------------------------------------------------------

    def place(self, name):
        """Return a path in the scratch directory."""
        return os.path.join(self.where, name)

    def input(self, name, write, *args):
        """Return the path of an input, written when first asked for, and what writing it gave."""
        if name not in self.made:
            path = self.place(name)
            self.made[name] = (path, write(path, *args))
        return self.made[name]

    def pthfs(self, path, inside="", *options):
        """Return our mount of a checkpoint."""
        argv = (self.options.pthfs, "-q", *options, path, self.place("mnt"))
        return machine.Mount("pthfs", self.place("mnt"), argv, inside)

    def fuse_zip(self, path, inside):
        """Return fuse-zip's mount of a checkpoint, or None."""
        argv = ("fuse-zip", "-r", path, self.place("mnt-zip"))
        peer = machine.Mount("fuse-zip", self.place("mnt-zip"), argv, inside)
        return peer if machine.have("fuse-zip") else None

    def loading(self, path, mmap=True):
        """Return a task that has torch load a checkpoint."""
        return lambda: self.torch.load(path, mmap)

    def add(self, what, unit, values, groups, aims=None):
        """Add a group: {who: name of its series in values}; no such series: not here."""
        series = {who: values.get(name) for who, name in groups.items()}
        self.table.add(what, unit, series, aims)

    def finish(self):
        """Nothing waits for the end."""

    # --- mount and ls ------------------------------------------------------------------------

    def startup(self):
        """Mount and list 1000 tensors, small and large ones."""
        sizes = {"10 MB": 10_000, "10 GB": 10_000_000}
        tasks = {"nothing": lambda: machine.run_ms("true") + machine.run_ms("true")}
        for size, nbytes in sizes.items():
            path = self.input("t1000-%s.pth" % size.replace(" ", ""), inputs.many, 1000, nbytes)[0]
            tasks["pthfs " + size] = lambda path=path: self.mount_and_ls(path)
            if self.torch:
                tasks["torch " + size] = self.loading(path)
        for task in tasks.values():
            task()  # the metadata is in the page cache from here on
        values = take_turns(max(self.rounds, 15), tasks)
        for size in sizes:
            groups = {"pthfs": "pthfs " + size, MMAP: "torch " + size}
            aims = {"pthfs": Aim("<=", 10, "ms")}
            if size == "10 GB":
                groups["pthfs, 10 MB"] = "pthfs 10 MB"
                aims["pthfs, 10 MB"] = Aim("<=", 1.1)
            else:
                groups["two empty processes"] = "nothing"
            self.add("mount + ls, 1000 tensors, " + size, "ms", values, groups, aims)

    def mount_and_ls(self, path):
        """Return the milliseconds of both commands."""
        mount = self.pthfs(path)
        os.makedirs(mount.point, exist_ok=True)
        try:
            return machine.run_ms(*mount.argv) + machine.run_ms("ls", mount.point)
        finally:
            mount.stop()

    def names(self):
        """List very many tensors, in a mount and in a directory of ext4."""
        count = self.options.names
        path = self.input("many.pth", inputs.many, count, 64)[0]
        folder = self.ext4_folder(self.listing_of(path))
        steps = {}
        tasks = {
            "pthfs": lambda: self.listings(path, "pthfs", steps),
            "noxattr": lambda: self.listings(path, "noxattr", steps, "-o", "noxattr"),
            "ext4": lambda: self.ext4_listings(folder, steps),
        }
        if machine.have("fuse-zip"):
            tasks["fuse-zip"] = lambda: self.zip_listing(path, steps)
        take_turns(self.rounds, tasks)
        if self.torch:
            fresh = machine.Torch(self.options.torch)
            steps["torch mmap"] = [fresh.load(path)]
            steps["torch peak"] = [machine.peak_kib(fresh.process.pid) / 1024]
            steps["torch"] = [fresh.load(path, False)]
            fresh.stop()
        self.names_groups(count, steps)

    def names_groups(self, count, steps):
        """Add what the listings gave."""
        mount = {"pthfs": "pthfs mount + ls", "fuse-zip, half the names": "fuse-zip mount + ls"}
        mount.update({MMAP: "torch mmap", "torch.load": "torch"})
        what = "mount + ls, %d tensors, %d names" % (count, 2 * count)
        self.add(what, "ms", steps, mount)
        first = {"pthfs": "pthfs ls", "ext4, cached": "ext4 ls", "pthfs, again": "pthfs ls again"}
        aims = {"pthfs": Aim("<=", 300, "ms")}
        self.add("the ls of it, %d names" % (2 * count), "ms", steps, first, aims)
        twice = Aim("<=", 2)
        cold = {"pthfs -o noxattr": "noxattr ls -l", "pthfs, with xattrs": "pthfs ls -l"}
        dropped = "ext4, names and inodes dropped"
        cold[dropped] = "ext4 ls -l dropped"
        self.add("ls -l of it, new mount", "ms", steps, cold, {dropped: twice})
        warm = {name: series + " again" for name, series in cold.items() if name != dropped}
        warm["ext4, cached"] = "ext4 ls -l"
        self.add("ls -l of it, again", "ms", steps, warm, {"ext4, cached": twice})
        peak = {"pthfs": "pthfs peak", "fuse-zip": "fuse-zip peak", MMAP: "torch peak"}
        what = "peak memory, mount + ls + ls -l, %d tensors" % count
        self.add(what, "MiB", steps, peak, {"pthfs": Aim("<=", 64, "MiB")})

    def listing_of(self, path):
        """Return the names in the root of a mount."""
        with self.pthfs(path) as mount:
            return os.listdir(mount.point)

    def listings(self, path, who, steps, *options):
        """Mount, list, list long, both twice; note each step's time under its name."""
        mount = self.pthfs(path, "", *options)
        os.makedirs(mount.point, exist_ok=True)
        begin = machine.run_ms(*mount.argv)
        try:
            first = machine.run_ms("ls", mount.point)
            note(steps, who + " mount + ls", begin + first)
            note(steps, who + " ls", first)
            note(steps, who + " ls again", machine.run_ms("ls", mount.point))
            mount.stop()
            mount.start()
            note(steps, who + " ls -l", machine.run_ms("ls", "-l", mount.point))
            note(steps, who + " ls -l again", machine.run_ms("ls", "-l", mount.point))
            note(steps, who + " peak", mount.peak() / 1024)
        finally:
            mount.stop()

    def zip_listing(self, path, steps):
        """Do what fuse-zip can of it: its folder data/ has one name for each tensor."""
        mount = self.fuse_zip(path, "many/data")
        os.makedirs(mount.point, exist_ok=True)
        begin = machine.run_ms(*mount.argv)
        try:
            note(steps, "fuse-zip mount + ls", begin + machine.run_ms("ls", mount.path))
            note(steps, "fuse-zip peak", mount.peak() / 1024)
        finally:
            mount.stop()

    def ext4_listings(self, folder, steps):
        """List a directory of files, from cached names and, where we may, from dropped ones."""
        if folder is None:
            return
        note(steps, "ext4 ls", machine.run_ms("ls", folder))
        note(steps, "ext4 ls -l", machine.run_ms("ls", "-l", folder))
        if machine.ROOT:
            machine.drop_caches(2)
            note(steps, "ext4 ls -l dropped", machine.run_ms("ls", "-l", folder))
            machine.run_ms("ls", "-l", folder)

    def ext4_folder(self, names):
        """Return a directory on ext4 with files of those names, or None where there is no ext4."""
        folder = self.place("ext4")
        os.makedirs(folder, exist_ok=True)
        if machine.output_of("stat", "-f", "-c", "%T", folder).strip() != "ext2/ext3":
            if not machine.ROOT or not machine.have("mkfs.ext4"):
                return None
            image = self.place("ext4.img")
            machine.output_of("truncate", "-s", "2G", image)
            machine.output_of("mkfs.ext4", "-q", "-N", str(2 * len(names)), image)
            machine.output_of("mount", "-o", "loop", image, folder)
        folder = os.path.join(folder, "names")
        os.makedirs(folder)
        for name in names:
            os.close(os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY, 0o444))
        os.sync()
        machine.run_ms("ls", "-l", folder)
        return folder

    # --- contents ----------------------------------------------------------------------------

    def big(self):
        """Return the path of the checkpoint with one large tensor, and where its bytes begin."""
        return self.input("big.pth", inputs.big, self.options.size)

    def servers(self):
        """Return every way of mounting the large tensor, ours first."""
        path, offset = self.big()
        peers = [self.pthfs(path, "w")]
        for way in ("pread", "splice"):
            extent = (path, offset, self.options.size)
            peers.append(machine.Bare(self.tools["bare"], way, self.place("mnt-" + way), *extent))
        return peers + [self.fuse_zip(path, "big/data/0")]

    def cat(self):
        """Read one large tensor from end to end."""
        path, _ = self.big()
        machine.warm_up(path)
        rate = self.options.size / 1e6  # bytes a millisecond are MB/s
        warm, dropped = {}, {}
        tasks = {}
        for peer in filter(None, self.servers()):
            tasks[peer.name] = lambda peer=peer: self.cat_once(peer, rate, warm)
        if machine.have("unzip"):
            tasks["unzip -p"] = lambda: rate / machine.run_ms("unzip", "-p", path, "big/data/0")
        tasks["raw"] = lambda: rate / machine.run_ms("cat", path)
        cold = take_turns(self.rounds, tasks)
        warm.update((name, cold[name]) for name in ("unzip -p", "raw") if name in cold)
        if machine.ROOT:
            again = {name: lambda name=name: self.cat_dropped(name, path, rate) for name in tasks}
            dropped = take_turns(min(self.rounds, 3), again)
            machine.warm_up(path)
        what, best = "cat of %s, " % in_words(self.options.size), best_bare(cold)
        self.content_group(what + "cold in the mount", "GB/s", cold, best)
        self.content_group(what + "warm", "GB/s", warm, best)
        self.content_group(what + "nothing cached", "GB/s", dropped)

    def content_group(self, what, unit, values, aimed_at=None):
        """Add one group of a content row."""
        itself = "cat of the checkpoint" if unit == "GB/s" else "the checkpoint itself"
        groups = {name: name for name in ("pthfs", *BARE, "fuse-zip", "unzip -p")}
        groups[itself] = "raw"
        if unit != "GB/s":
            del groups["unzip -p"]
        aims = {aimed_at: Aim(">=", 0.95)} if aimed_at else {}
        self.add(what, unit, values, groups, aims)

    def cat_once(self, peer, rate, warm):
        """Return the rate of the first reading in a new mount; note that of the second."""
        with peer:
            first = rate / machine.run_ms("cat", peer.path)
            note(warm, peer.name, rate / machine.run_ms("cat", peer.path))
        return first

    def cat_dropped(self, name, path, rate):
        """Return the rate of a reading that has to go to the disk."""
        peers = {peer.name: peer for peer in self.servers() if peer}
        if name in peers:
            with peers[name] as peer:
                machine.drop_caches(3)
                return rate / machine.run_ms("cat", peer.path)
        machine.drop_caches(3)
        argv = ("unzip", "-p", path, "big/data/0") if name == "unzip -p" else ("cat", path)
        return rate / machine.run_ms(*argv)

    def random(self):
        """Read 4 KiB pieces of one large tensor at random places, by several readers at once."""
        path, _ = self.big()
        machine.warm_up(path)
        warm, tasks, seeds = {}, {}, iter(range(1, 10**6))
        for peer in filter(None, self.servers()):
            tasks[peer.name] = lambda peer=peer: self.random_once(peer, next(seeds), warm)
        tasks["raw"] = lambda: self.random_rate(path, next(seeds))
        cold = take_turns(self.rounds, tasks)
        warm["raw"] = cold["raw"]
        what, best = "4 KiB at random, %d readers, " % READERS, best_bare(cold)
        self.content_group(what + "cold in the mount", "reads/s", cold, best)
        self.content_group(what + "same places again", "reads/s", warm, best)

    def random_rate(self, path, seed):
        """Return reads a second of a file."""
        argv = (self.tools["randread"], path, str(READERS), str(READS), str(seed))
        return READERS * READS * 1e3 / float(machine.output_of(*argv))

    def random_once(self, peer, seed, warm):
        """Return the rate in a new mount; note that of reading the same places again."""
        with peer:
            first = self.random_rate(peer.path, seed)
            note(warm, peer.name, self.random_rate(peer.path, seed))
        return first

    def memory(self):
        """Do all of the above in one mount, and ask how much its server ever had."""
        values = {}
        for peer in filter(None, self.servers()):
            with peer:
                listed = peer.path if peer.foreground else peer.point  # bare cannot list
                machine.run_ms("ls", listed)
                machine.run_ms("ls", "-l", listed)
                machine.run_ms("cat", peer.path)
                for seed in (1, 2):
                    self.random_rate(peer.path, seed)
                note(values, peer.name, peer.peak() / 1024)
        if self.torch:
            fresh = machine.Torch(self.options.torch)
            note(values, "torch, imported only", machine.peak_kib(fresh.process.pid) / 1024)
            fresh.ask("load", self.big()[0], "mmap")
            fresh.ask("read", self.big()[0], "w")
            peak = machine.peak_kib(fresh.process.pid) / 1024
            note(values, "torch, loaded with mmap and read", peak)
            fresh.stop()
        who = ["pthfs", *BARE, "fuse-zip"]
        who += ["torch, imported only", "torch, loaded with mmap and read"]
        what = "peak memory, ls, cat and random reads of " + in_words(self.options.size)
        aims = {"pthfs": Aim("<=", 16, "MiB")}
        self.add(what, "MiB", values, {name: name for name in who}, aims)

    # --- what has to be computed ---------------------------------------------------------------

    def strided(self):
        """Read a transposed view, which no peer shows: torch makes it contiguous in memory."""
        path, _ = self.big()
        machine.warm_up(path)
        rate = self.options.size / 1e6
        tasks = {"pthfs": lambda: self.cat_once(self.pthfs(path, "wt"), rate, {})}
        if self.torch:
            self.torch.ask("load", path, "mmap")
            tasks["torch"] = lambda: rate / self.torch.ask("read", path, "wt")
        values = take_turns(self.rounds, tasks)
        if self.torch:
            self.torch.ask("drop", path)
        what = "cat of a transposed tensor, " + in_words(self.options.size)
        self.add(what, "GB/s", values, {"pthfs": "pthfs", "torch, contiguous()": "torch"})

    def deflated(self):
        """Read a deflated tensor; torch itself never writes one."""
        size = max(self.options.size // 4 // inputs.BLOCK, 1) * inputs.BLOCK
        path = self.input("deflated.pth", inputs.deflated, size)[0]
        machine.warm_up(path)
        rate = size / 1e6
        tasks = {"pthfs": lambda: self.cat_once(self.pthfs(path, "w"), rate, {})}
        peer = self.fuse_zip(path, "deflated/data/0")
        if peer:
            tasks["fuse-zip"] = lambda: self.cat_once(peer, rate, {})
        if machine.have("unzip"):
            member = "deflated/data/0"
            tasks["unzip -p"] = lambda: rate / machine.run_ms("unzip", "-p", path, member)
        values = take_turns(self.rounds, tasks)
        what = "cat of a deflated tensor, " + in_words(size)
        who = {name: name for name in ("pthfs", "fuse-zip", "unzip -p")}
        self.add(what, "GB/s", values, who)


def best_bare(cold):
    """Return the way of answering that is the better one where the server has to answer."""
    return max(BARE, key=lambda name: statistics.median(cold[name]))


def in_words(size):
    """Return "1 GiB" or "64 MiB"."""
    return "%g GiB" % (size / (1 << 30)) if size >= 1 << 30 else "%g MiB" % (size / (1 << 20))


def note(series, name, value):
    """Append a value to a series."""
    series.setdefault(name, []).append(value)


ALL = ("startup", "names", "cat", "random", "memory", "strided", "deflated")
