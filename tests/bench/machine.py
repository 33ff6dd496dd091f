"""What a measurement needs of the machine: timed processes, mounts of the peers, caches."""

import os
import shutil
import subprocess
import time

ENV = dict(os.environ, LC_ALL="C")
ROOT = os.geteuid() == 0


def have(program):
    """Say whether a program is installed."""
    return shutil.which(program) is not None


# --- processes ---------------------------------------------------------------------------------


def run_ms(*argv):
    """Run a program with its output thrown away; return its milliseconds from start to end."""
    null = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begin = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, ENV, file_actions=null)
    status = os.waitpid(pid, 0)[1]
    spent = (time.monotonic() - begin) * 1e3
    if status != 0:
        raise RuntimeError("%s ended with status %d" % (" ".join(argv), status))
    return spent


class Spent:
    """What a command spent, by the tool spent.c: ms, peak MiB, KiB made dirty; and its output."""

    def __init__(self, tool, where, *argv):
        """Run it."""
        result = os.path.join(where, "spent.txt")
        self.said = output_of(tool, result, *argv).strip()
        with open(result) as text:
            words = text.read().split()
        self.ms, self.peak, self.dirty = float(words[0]), int(words[1]) / 1024, int(words[2]) / 1024


def output_of(*argv):
    """Run a program; return what it prints."""
    return subprocess.run(argv, env=ENV, check=True, stdout=subprocess.PIPE, text=True).stdout


def peak_kib(pid):
    """Return the largest resident size a process has had (VmHWM)."""
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    raise RuntimeError("process %d has no VmHWM" % pid)


def forget_peak(pid):
    """Let a process's largest resident size begin anew at what it has now."""
    with open("/proc/%d/clear_refs" % pid, "w") as control:
        control.write("5\n")


def dirty_kib(pid):
    """Return the KiB of files that a process has made dirty (write_bytes), or None."""
    try:
        with open("/proc/%d/io" % pid) as counts:
            for line in counts:
                if line.startswith("write_bytes:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


# --- caches ------------------------------------------------------------------------------------


def warm_up(path):
    """Bring a file into the page cache, by one reading of it."""
    with open(path, "rb", buffering=0) as data:
        while data.read(1 << 20):
            pass


def drop_caches(what):
    """Empty the kernel's caches: 2 names and inodes, 3 those and pages. Root only."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("%d\n" % what)


# --- mounts ------------------------------------------------------------------------------------


def is_mounted(point):
    """Say whether something is mounted there."""
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == point for line in mounts)


def unmount(point):
    """Take a mount away; busy ones lazily."""
    ways = [["umount", point], ["fusermount3", "-u", point], ["umount", "-l", point]]
    for way in ways:
        if not is_mounted(point):
            return
        if have(way[0]):
            subprocess.run(way, stderr=subprocess.DEVNULL, check=False)


def server_of(program, point):
    """Return the process that serves a mount, by its command line, or None."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as line:
                argv = line.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if os.path.basename(argv[0]) == os.path.basename(program) and point in argv:
            return int(pid)
    return None


def wait_end(pid):
    """Wait until a process has ended, so that its end is not part of what is measured next."""
    for _ in range(5000):
        try:
            with open("/proc/%d/stat" % pid) as stat:
                if stat.read().rpartition(") ")[2].startswith("Z"):
                    return
        except OSError:
            return
        time.sleep(0.001)


class Mount:
    """One peer's way of mounting; `with peer.mounted():` around what reads through it."""

    def __init__(self, name, point, argv, inside=""):
        """Take a name for the table, a mount point, the command, and where in it to read."""
        self.name, self.point, self.argv, self.inside = name, point, argv, inside
        self.process, self.foreground = None, False

    @property
    def path(self):
        """Return the file (or directory) to read."""
        return os.path.join(self.point, self.inside) if self.inside else self.point

    def start(self):
        """Mount; return when it answers."""
        os.makedirs(self.point, exist_ok=True)
        if not self.foreground:
            run_ms(*self.argv)
            return
        # A session of its own, as a daemon has: the scheduler groups processes by session.
        self.process = subprocess.Popen(self.argv, start_new_session=True)
        for _ in range(5000):
            if is_mounted(self.point):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.001)
        raise RuntimeError("%s does not mount" % self.name)

    def stop(self):
        """Unmount, and wait for the server to end."""
        server = None if self.foreground else server_of(self.argv[0], self.point)
        unmount(self.point)
        if self.process:
            self.process.wait()
            self.process = None
        elif server:
            wait_end(server)

    def peak(self):
        """Return the peak memory of its server so far, in KiB."""
        pid = self.process.pid if self.process else server_of(self.argv[0], self.point)
        return peak_kib(pid)

    def __enter__(self):
        """Mount."""
        self.start()
        return self

    def __exit__(self, *error):
        """Unmount."""
        self.stop()


class Bare(Mount):
    """The yardstick: bare.c, which stays in the foreground."""

    def __init__(self, tool, way, point, path, offset, length):
        """Take the built program, its way of answering, and the one extent."""
        argv = [tool, way, path, str(offset), str(length), point]
        super().__init__("bare FUSE file (%s)" % way, point, argv, "data")
        self.foreground = True


# --- torch -------------------------------------------------------------------------------------

TORCH = r"""
import os, sys, time, torch
loaded = {}
def load(path, mmap):
    begin = time.monotonic()
    loaded[path] = torch.load(path, mmap=mmap == "mmap", weights_only=True)
    list(loaded[path])
    return (time.monotonic() - begin) * 1e3
def read(path, key):
    begin = time.monotonic()
    with open("/dev/null", "wb", buffering=0) as null:
        null.write(memoryview(loaded[path][key].contiguous().view(-1).numpy()).cast("B"))
        spent = (time.monotonic() - begin) * 1e3
    return spent
def drop(path):
    return len(loaded.pop(path))
def equal(a, b):
    begin = time.monotonic()
    sum(torch.equal(tensor, loaded[b][key]) for key, tensor in loaded[a].items())
    return (time.monotonic() - begin) * 1e3
def numbers(path):
    begin = time.monotonic()
    for tensor in loaded[path].values():
        tensor.isnan().sum(), tensor.min(), tensor.max(), tensor.mean(), tensor.std()
    return (time.monotonic() - begin) * 1e3
def strip(path, out, mmap):
    begin = time.monotonic()
    old = torch.load(path, mmap=mmap == "mmap", weights_only=True)
    new = type(old)((key.removeprefix("module."), tensor) for key, tensor in old.items())
    return save(new, out, begin)
def change(path, out, key, raw):
    begin = time.monotonic()
    state = torch.load(path, weights_only=True)
    tensor = state[key]
    state[key] = torch.from_file(raw, size=tensor.numel(), dtype=tensor.dtype).view_as(tensor)
    return save(state, out, begin)
def save(state, out, begin):
    torch.save(state, out)
    saved = time.monotonic()
    with open(out, "rb") as file:
        os.fsync(file.fileno())
    return "%r %r" % ((saved - begin) * 1e3, (time.monotonic() - begin) * 1e3)
print(torch.__version__, flush=True)
for line in sys.stdin:
    name, *words = line.rstrip("\n").split("\t")
    print(globals()[name](*words), flush=True)
"""


class Torch:
    """A Python with torch imported, that loads and reads on request."""

    def __init__(self, python):
        """Start it; reading the version says that it is ready."""
        self.process = subprocess.Popen(
            [python, "-c", TORCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self.process.stdout.readline().strip()
        if not self.version:
            raise RuntimeError("%s has no torch" % python)

    def ask(self, *words):
        """Call one of its functions; return the number it answers with."""
        return self.ask_all(*words)[0]

    def ask_all(self, *words):
        """Call one of its functions; return the numbers it answers with."""
        self.process.stdin.write("\t".join(words) + "\n")
        self.process.stdin.flush()
        return [float(word) for word in self.process.stdout.readline().split()]

    def load(self, path, mmap=True):
        """Load a checkpoint and name its keys; return the milliseconds. It is let go at once."""
        spent = self.ask("load", path, "mmap" if mmap else "plain")
        self.ask("drop", path)
        return spent

    def stop(self):
        """End it."""
        self.process.stdin.close()
        self.process.wait()
