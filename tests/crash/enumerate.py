"""Fails every call that changes something, one run each, and looks at what is left.

    enumerate.py faults   LABEL FOLDER DRIVER          through the fault layer (build with FAULTS=1)
    enumerate.py errors   LABEL FOLDER DRIVER          the same without kills (for a sanitized build)
    enumerate.py witness  LABEL FOLDER DRIVER FAULTY   through strace, on the ordinary build
    enumerate.py controls LABEL FOLDER DRIVER FAULTY   wrong protocols: each must be caught

FOLDER says which file system is tested. Each run starts from a fresh copy. Afterwards the file must
be the old one or the new one, whole, with its mode and attributes; an error must have been told
when it is old and success only when it is new; there is at most one temporary, which a sweep takes
away; and the next run succeeds. Closes with "LABEL: N passed, N failed, N skipped".
"""
import collections
import copy
import hashlib
import os
import re
import subprocess
import sys

MODES = ("replace", "shorten")
LIMIT = 60  # seconds for one run
IN_PLACE = b"the new file is in place, but"  # the only error with the new file there
# A call that fails so must not fail the whole: it is made again, or something else is.
HARMLESS = {
    "eio": {"copy_file_range"},
    "exdev": {"copy_file_range", "ioctl"},
    "enospc": {"ioctl"},
    "edquot": {"ioctl"},
    "eintr": {"openat", "pwrite", "copy_file_range", "ioctl", "ftruncate", "renameat"},
    "short": {"pwrite", "copy_file_range"},
    "oom": set(),
}


def sha(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Bench:
    def __init__(self, folder, driver):
        self.driver, self.folder = driver, folder
        self.file = os.path.join(folder, "ck")
        self.count = os.path.join(folder, "count")
        self.run("make")
        with open(self.file, "rb") as f:
            self.old_bytes = f.read()
        self.old = sha(self.file)

    def by(self, driver):
        """The same with another driver."""
        other = copy.copy(self)
        other.driver = driver
        return other

    def fresh(self):
        for name in self.temporaries() + ["ck", "ck.tmp"]:
            if os.path.exists(os.path.join(self.folder, name)):
                os.unlink(os.path.join(self.folder, name))
        with open(self.file, "wb") as f:
            f.write(self.old_bytes)
        os.setxattr(self.file, "user.note", b"hello")
        os.chmod(self.file, 0o640)

    def temporaries(self):
        return [x for x in os.listdir(self.folder) if x.startswith(".ck.pthfs-")]

    def run(self, mode, fault=None, wrap=()):
        env = dict(os.environ, PTHFS_FAULT_COUNT=self.count)
        if fault:
            env["PTHFS_FAULT"] = fault
        if os.path.exists(self.count):
            os.unlink(self.count)
        return subprocess.run([*wrap, self.driver, mode, self.file], env=env, capture_output=True,
                              timeout=LIMIT, check=False)

    def calls(self):
        """(names of the calls of the last run, how many were struck); None when it was killed."""
        if not os.path.exists(self.count):
            return None, None
        with open(self.count, encoding="ascii") as f:
            head, *names = f.read().split("\n")
        return names[:-1], int(head.split()[1])

    def state(self, new):
        kind = {self.old: "old", new: "new"}.get(sha(self.file), "DAMAGED")
        if os.stat(self.file).st_mode & 0o7777 != 0o640 or os.getxattr(self.file, "user.note") != b"hello":
            return kind + " without its attributes"
        return kind

    def learn(self, mode):
        """One run that nothing happens to: the new hash, and the calls it makes."""
        self.fresh()
        done = self.run(mode)
        assert done.returncode == 0, done.stderr
        return sha(self.file), self.calls()[0]


def judge(bench, done, new, killed):
    """What is wrong after a run, in words; nothing when it is fine."""
    state, left = bench.state(new), len(bench.temporaries())
    if state not in ("old", "new"):
        yield "the file is " + state
    if killed and done.returncode not in (-9, 137):
        yield f"not killed: exit {done.returncode}"
    if not killed and done.returncode not in (0, 1):
        yield f"exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}"
    if done.returncode == 0 and state != "new":
        yield f"says it is done, but the file is {state}"
    if done.returncode == 1 and state != "old" and IN_PLACE not in done.stderr:
        yield f"says it failed, but the file is {state}"
    if done.returncode == 1 and (done.stderr.count(b"\n") != 1 or len(done.stderr) < 20):
        yield f"no proper sentence: {done.stderr!r}"
    if left > 1:
        yield f"{left} temporaries are left"


def aftermath(bench, new, killed):
    """Sweeping, also when that is killed; then the next run."""
    state, left = bench.state(new), len(bench.temporaries())
    if left and bench.run("sweep", "kill@1").returncode != -9:
        yield "the sweep was not killed"
    if left and (len(bench.temporaries()), bench.state(new)) != (left, state):
        yield "a killed sweep changed something"
    swept = bench.run("sweep").stdout.strip()
    if swept != str(left).encode() or bench.temporaries() or bench.state(new) != state:
        yield f"the sweep found {swept!r} of {left}, {len(bench.temporaries())} are left"
    if killed and state == "old":
        done = bench.run("replace")
        if done.returncode != 0:
            yield f"the next run failed: {done.stderr!r}"


def specs(names, with_kill):
    """Every (fault, kind, names struck, whether from then on) that can strike one of the calls."""
    for i, name in enumerate(names):
        rest = names[i:]
        if with_kill:
            yield f"kill@{i + 1}", "kill", [name], False
        for kind, errs in (("eio", 1), ("enospc", 1), ("edquot", 1), ("exdev", 1), ("eintr", 1), ("oom", 0)):
            hits = [x for x in rest if (x != "malloc") == bool(errs)]
            if name in hits:
                yield f"{kind}@{i + 1}", kind, [name], False
            if hits and (kind != "eintr" or name in hits):
                yield f"{kind}@{i + 1}+", kind, hits, True
        if name in HARMLESS["short"]:
            yield f"short:1@{i + 1}", "short", [name], False
            yield f"short:1000@{i + 1}+", "short", [name], True
    yield "short:7@1+", "short", ["pwrite"], True


def faults(bench, with_kill):
    tally = collections.Counter()
    for mode in MODES:
        new, names = bench.learn(mode)
        for fault, kind, hit, on in specs(names, with_kill):
            bench.fresh()
            done = bench.run(mode, fault)
            killed = kind == "kill"
            wrong = list(judge(bench, done, new, killed))
            struck = bench.calls()[1]
            if not killed and not struck:
                wrong.append("the fault never struck")
            if not killed and hit[0] in HARMLESS[kind] and (not on or kind == "short") and done.returncode:
                wrong.append(f"this should do no harm, but: {done.stderr!r}")
            if not on and not killed and bench.temporaries() and hit != ["unlinkat"]:
                wrong.append("a temporary is left though nobody was killed")
            wrong += aftermath(bench, new, killed)
            tally["failed" if wrong else "passed"] += 1
            for w in wrong:
                print(f"# {mode} {fault} ({hit[0]}): {w}")
    return tally


CHANGES = {"pwrite64": "pwrite", "rename": "renameat", "renameat2": "renameat", "unlink": "unlinkat"}
CHANGING = set("""openat pwrite64 write writev pwritev ftruncate truncate fallocate fsync fdatasync rename
    renameat renameat2 unlink unlinkat link linkat symlink mkdir chmod fchmod fchmodat chown fchown fchownat
    setxattr fsetxattr removexattr fremovexattr copy_file_range ioctl sendfile splice utimensat creat""".split())


def trace(bench, mode):
    """[(syscall, its ordinal, line)] from where the file is opened to the end."""
    out = os.path.join(bench.folder, "trace")
    bench.fresh()
    bench.run(mode, wrap=("strace", "-f", "-qq", "-o", out, "-e", "trace=desc,file"))
    seen, events, begun = collections.Counter(), [], False
    with open(out, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"\d+\s+(\w+)\(", line)
            if not m:
                continue
            seen[m[1]] += 1
            begun = begun or bench.file in line and m[1] == "openat"
            if begun and not re.search(r" write\(1,", line):
                events.append((m[1], seen[m[1]], line.strip()))
    return events


def inject(bench, mode, name, what):
    out = os.path.join(bench.folder, "trace")
    bench.fresh()
    done = bench.run(mode, wrap=("strace", "-f", "-qq", "-o", out, "-e", f"trace={name}",
                                 "-e", f"inject={name}:{what}"))
    with open(out, encoding="utf-8", errors="replace") as f:
        text = f.read()
    return done, "INJECTED" in text or "killed by" in text


def witness(bench, faulty):
    """The same from outside, so that a mistake in the fault layer cannot hide one in the sink."""
    tally = collections.Counter()
    for mode in MODES:
        counted = [x for x in bench.by(faulty).learn(mode)[1] if x not in ("malloc", "close")]
        new, _ = bench.learn(mode)
        events = trace(bench, mode)
        really = [CHANGES.get(n, n) for n, _, line in events
                  if n in CHANGING and (n != "openat" or "O_CREAT" in line)]
        if really != counted:
            print(f"# {mode}: the fault layer counted {counted}, strace saw {really}")
        tally["passed" if really == counted else "failed"] += 1
        for what in ("signal=KILL:when={}", "error=EIO:when={}", "error=EIO:when={}+", "error=ENOSPC:when={}",
                     "error=ENOSPC:when={}+", "error=EINTR:when={}"):
            for name, ordinal, line in events:
                done, hit = inject(bench, mode, name, what.format(ordinal))
                wrong = list(judge(bench, done, new, "KILL" in what))
                if not hit:
                    wrong.append("strace injected nothing")
                if "KILL" in what:
                    wrong += aftermath(bench.by(faulty), new, True)
                tally["failed" if wrong else "passed"] += 1
                for w in wrong:
                    print(f"# {mode} {what.format(ordinal)} {line}: {w}")
    return tally


def controls(bench, faulty):
    """Protocols known to be wrong. What does not catch them proves nothing."""
    tally = collections.Counter()
    strict = bench.by(faulty)

    def damaged_by(mode, spec):
        new, names = strict.learn(mode)
        count = 0
        for i in range(len(names)):
            strict.fresh()
            done = strict.run(mode, spec.format(i + 1))
            count += sha(strict.file) not in (strict.old, new) or \
                (done.returncode == 0 and sha(strict.file) != new)
        return count

    found = {
        "in place without a journal, killed": damaged_by("in-place", "kill@{}"),
        "in place without a journal, disk full": damaged_by("in-place", "enospc@{}+"),
        "a writer that is deaf to errors, disk full": damaged_by("deaf", "enospc@{}"),
    }
    new, _ = bench.learn("in-place")
    count = 0
    for name, ordinal, _ in trace(bench, "in-place"):
        inject(bench, "in-place", name, f"signal=KILL:when={ordinal}")
        count += sha(bench.file) not in (bench.old, new)
    found["in place without a journal, killed by strace"] = count
    for what, n in found.items():
        print(f"# {what}: caught at {n} points")
        tally["passed" if n else "failed"] += 1
    return tally


def main():
    what, label, folder, driver, *more = sys.argv[1:]
    bench = Bench(folder, driver)
    if what in ("faults", "errors"):
        tally = faults(bench, what == "faults")
    else:
        tally = (witness if what == "witness" else controls)(bench, more[0])
    print(f"{label}: {tally['passed']} passed, {tally['failed']} failed, {tally['skipped']} skipped")
    return 1 if tally["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
