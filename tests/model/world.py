"""The mount itself: the same calls as the model's, done, and everything that can be looked at."""
import errno
import json
import mmap
import os
import shutil
import signal
import subprocess
import threading


class Broken(Exception):
    """The program did something that no program should."""


class Helper:
    """Runs programs. A process that is forked closes what its parent has open, and every close is one
    that pthfs is told about: so programs are started by somebody who has nothing open."""

    def __init__(self):
        (ours, child_out), (child_in, theirs) = os.pipe(), os.pipe()
        if os.fork() == 0:
            os.close(ours)
            os.close(theirs)
            self.serve(os.fdopen(child_in), os.fdopen(child_out, "w"))
        os.close(child_in)
        os.close(child_out)
        self.answers, self.orders = os.fdopen(ours), os.fdopen(theirs, "w")

    def ask(self, what, *args):
        print(json.dumps([what, *args]), file=self.orders, flush=True)
        return json.loads(self.answers.readline())

    def serve(self, orders, answers):
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # it goes last
            signal.signal(signo, signal.SIG_IGN)
        self.running, self.scene = {}, None
        try:
            for line in orders:
                print(json.dumps(self.obey(*json.loads(line))), file=answers, flush=True)
        finally:
            self.clear_up()
            os._exit(0)

    def obey(self, what, *args):
        if what == "run":
            r = subprocess.run(args[0], cwd=args[1], capture_output=True, text=True)
            return r.returncode, r.stdout, r.stderr
        if what == "start":  # until it says so
            with open(args[2], "ab") as log:
                p = subprocess.Popen(args[0], stdout=subprocess.PIPE, stderr=log)
            self.running[p.pid] = p
            ready = any(line.startswith(args[1].encode()) for line in p.stdout)
            return p.pid, None if ready else p.wait()
        if what == "poll":
            return self.running[args[0]].poll()
        if what == "wait":
            return self.running.pop(args[0]).wait()
        if what == "unmount":
            return [unmount(mnt) for mnt in args]
        self.scene = args
        return None

    def clear_up(self):
        """Nobody else does it when the checker itself was killed."""
        for p in self.running.values():
            p.kill()
        if self.scene and os.path.exists(self.scene[0]):
            for mnt in self.scene[1:]:
                unmount(mnt)
            shutil.rmtree(self.scene[0], ignore_errors=True)


def unmount(mnt):
    """Whatever is there, also a mount whose daemon is dead."""
    with open("/proc/self/mounts") as f:
        there = sum(line.split(" ")[1] == mnt for line in f)
    for _ in range(there):
        for tool in (["umount", "-l"], ["fusermount3", "-u", "-z"]):
            if subprocess.run([*tool, mnt], capture_output=True).returncode == 0:
                break


class World:
    helper = None
    def __init__(self, pthfs, work, options=""):
        self.pthfs, self.work = pthfs, work
        self.ckpt, self.mnt = os.path.join(work, "c.pth"), os.path.join(work, "mnt")
        self.options = options
        self.fds = {}
        self.daemon = None

    # --- its life -----------------------------------------------------------------------------

    def mount(self, mnt=None, options=None):
        mnt = mnt or self.mnt
        options = "rw" + self.options if options is None else options
        # -s: the end of an open file is told to the daemon after close(2) has returned; with one thread
        # what is asked next waits for it
        pid, code = self.helper.ask("start", [self.pthfs, "-f", "-s", "-o", options, self.ckpt, mnt],
                                    mnt + ": ", os.path.join(self.work, "daemon.log"))
        if code is not None:
            raise Broken(f"it does not mount (exit {code}): {self.last_words()}")
        return pid

    def start(self):
        self.daemon = self.mount()

    def last_words(self):
        with open(os.path.join(self.work, "daemon.log"), "rb") as f:
            return f.read()[-600:].decode(errors="replace")

    def close_all(self):
        for fd in self.fds.values():
            try:
                os.close(fd)
            except OSError:
                pass
        self.fds = {}

    def run(self, *args, ok=(0,)):
        code, out, err = self.helper.ask("run", [self.pthfs, *args], self.work)
        if code not in ok:
            raise Broken(f"pthfs {' '.join(args)}: exit {code}: {err.strip()}")
        return out

    def ended(self):
        """Its exit code, when the daemon has died."""
        return self.helper.ask("poll", self.daemon) if self.daemon else None

    def stop(self):
        self.close_all()
        self.run("umount", self.mnt)
        code = self.helper.ask("wait", self.daemon)
        self.daemon = None
        if code:
            raise Broken(f"the daemon ended with {code}: {self.last_words()}")
        if os.path.exists(self.ckpt + ".pthfs-journal"):
            raise Broken("an unmount left its journal behind")

    def kill(self):
        os.kill(self.daemon, signal.SIGKILL)
        self.helper.ask("wait", self.daemon)
        self.daemon = None
        self.close_all()

    def log(self):
        try:
            with open(os.path.join(self.mnt, ".pthfs/log")) as f:
                return f.read()
        except OSError:
            return ""

    def away(self):
        """Whatever is left of it."""
        self.close_all()
        if self.daemon and self.ended() is None:
            self.kill()
        self.helper.ask("unmount", self.mnt, self.mnt + "-ro")

    # --- looking ------------------------------------------------------------------------------

    def path(self, p):
        return f"{self.mnt}/{p}" if p else self.mnt

    def slurp(self, p):
        """(bytes, what stat says)."""
        fd = os.open(self.path(p), os.O_RDONLY)
        try:
            st = os.fstat(fd)
            parts = []
            while True:
                part = os.read(fd, 1 << 20)
                if not part:
                    return b"".join(parts), st
                parts.append(part)
        finally:
            os.close(fd)

    def listing(self, p):
        """In the file system's own order."""
        return os.listdir(self.path(p))

    # --- doing: each answers with an errno (0: done) or what was read -------------------------

    @staticmethod
    def call(fn, *args, **kw):
        try:
            return fn(*args, **kw)
        except OSError as e:
            return -e.errno

    def apart(self, fn, *args, **kw):
        """As another process would do it, for whom the .meta of what goes is not kept."""
        out = []
        t = threading.Thread(target=lambda: out.append(self.call(fn, *args, **kw)))
        t.start()
        t.join()
        return out[0]

    def flags(self, write, trunc, create, excl=False):
        return (os.O_RDWR if write else os.O_RDONLY) | (os.O_TRUNC if trunc else 0) | \
            (os.O_CREAT if create else 0) | (os.O_EXCL if excl else 0)

    def put(self, p, data, trunc, create, off, chunk):
        """Open, write, close: the errors of all three."""
        fd = self.call(os.open, self.path(p), self.flags(True, trunc, create))
        if fd < 0:
            return -fd, 0, 0
        wrote = 0
        for at in range(0, len(data), chunk or max(len(data), 1)):
            part = data[at:at + chunk] if chunk else data
            r = self.call(os.pwrite, fd, part, off + at)
            if r != len(part):
                wrote = -r if r < 0 else errno.EIO
                break
        closed = self.call(os.close, fd)
        return 0, wrote, -(closed or 0)

    def mapped(self, p, off, data):
        fd = self.call(os.open, self.path(p), os.O_RDWR)
        if fd < 0:
            return -fd
        try:
            m = mmap.mmap(fd, 0)
            m[off:off + len(data)] = data
            m.flush()
            m.close()
            return 0
        except OSError as e:
            return e.errno
        finally:
            os.close(fd)

    def sync_dir(self, p):
        fd = self.call(os.open, self.path(p), os.O_RDONLY)
        if fd < 0:
            return -fd
        try:
            return -(self.call(os.fsync, fd) or 0)
        finally:
            os.close(fd)

    def rm(self, p):
        code, _, said = self.helper.ask("run", ["rm", "-r", self.path(p)], "/")
        return said.strip() if code else 0

    def order(self, what, words):
        """Writes to .pthfs/commit or .pthfs/revert."""
        fd = os.open(self.path(".pthfs/" + what), os.O_WRONLY)
        try:
            os.write(fd, words.encode())
        except OSError as e:
            with open(self.path(".pthfs/" + what)) as f:
                raise Broken(f"{what}: {os.strerror(e.errno)}: {f.read().strip()}") from e
        finally:
            os.close(fd)

    def ls(self):
        return json.loads(self.run("ls", "--json", self.ckpt))["entries"]
