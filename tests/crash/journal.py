"""Kills and fails every call that a journal makes, and every call of the recovery from it.

    journal.py faults   LABEL FOLDER DRIVER          through the fault layer (build with FAULTS=1)
    journal.py errors   LABEL FOLDER DRIVER          the same without kills (for a sanitized build)
    journal.py compound LABEL FOLDER DRIVER          kill; then kill or fail each call of the recovery
    journal.py witness  LABEL FOLDER DRIVER FAULTY   through strace, on the ordinary build
    journal.py controls LABEL FOLDER DRIVER FAULTY   no journal: it must be caught

A change in place: afterwards, and after `recover`, which is all that is needed, the file is the old
one or the new one, whole; before it, it may be a mixture, but only when the driver was killed or
said so. What was said to be done is the new one; what was said to have failed is not half done. No
journal stays. Appended edits: all that were acknowledged are there, in order, and one more at most.
Closes with "LABEL: N passed, N failed, N skipped".
"""
import collections
import os
import re
import sys

from enumerate import CHANGES, CHANGING, HARMLESS, Bench, inject, sha, specs, trace

CHANGED = ("inplace", "shrink")
EDITS = 10
TWICE = ("kill", "eio", "short", "oom")  # what happens to the recovery after a kill
HALF = b"half written"
DONE = b"the file is changed, but"  # what follows the commit: the journal could not be removed


class JournalBench(Bench):
    def __init__(self, folder, driver):
        super().__init__(folder, driver)
        self.journal = self.file + ".pthfs-journal"

    def fresh(self):
        if os.path.lexists(self.journal):
            os.unlink(self.journal)
        super().fresh()

    def save(self):
        """What is on the disk, to come back to; the inode stays."""
        both = []
        for path in (self.file, self.journal):
            data = None
            if os.path.exists(path):
                with open(path, "rb") as f:
                    data = f.read()
            both.append((path, data, os.stat(path).st_mtime_ns if data is not None else 0))
        return both

    def restore(self, both):
        for path, data, when in both:
            if data is None:
                if os.path.exists(path):
                    os.unlink(path)
                continue
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(data)
            os.utime(path, ns=(when, when))

    def counted(self):
        done = self.run("count")
        return int(done.stdout) if done.returncode == 0 else None


def exit_of(done, killed):
    if killed and done.returncode not in (-9, 137):
        yield f"not killed: exit {done.returncode}"
    if not killed and done.returncode not in (0, 1):
        yield f"exit {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}"
    if done.returncode == 1 and (done.stderr.count(b"\n") != 1 or len(done.stderr) < 20):
        yield f"no proper sentence: {done.stderr!r}"


def judge_change(bench, done, new, killed, lasting):
    """What is wrong after a run, in words, before the recovery and after it."""
    before = bench.state(new)
    yield from exit_of(done, killed)
    if done.returncode == 0 and (before != "new" or os.path.exists(bench.journal)):
        yield f"says it is done, but the file is {before}"
    if done.returncode == 1:
        want = ("new",) if DONE in done.stderr else ("old", "new", "DAMAGED") if HALF in done.stderr else ("old",)
        if before not in want:
            yield f"the file is {before}, and it says {done.stderr!r}"
    yield from recovered(bench, new)
    after = bench.state(new)
    if before == "new" and after != "new":
        yield f"it was new and is {after}"
    # A list that could be written but not synced is cut off again; where that fails, too, it counts.
    if done.returncode == 1 and before == "old" and HALF not in done.stderr and after != "old" and not lasting:
        yield f"says it failed, but later the file is {after}"
    if done.returncode == 1 and HALF in done.stderr and after != "new":
        yield f"says that it will be finished, but the file is {after}"


def recovered(bench, new):
    done = bench.run("recover")
    if done.returncode != 0:
        yield f"recovery failed: {done.stderr!r}"
    if bench.state(new) not in ("old", "new"):
        yield f"after the recovery the file is {bench.state(new)}"
    if os.path.exists(bench.journal):
        yield "the journal is still there"
    if bench.run("recover").stdout != b"nothing\n":
        yield "there was something to recover twice"


def judge_append(bench, done, killed):
    yield from exit_of(done, killed)
    acked = [int(n) for n in re.findall(rb"acked (\d+)", done.stdout)]
    known, there = acked[-1] if acked else 0, bench.counted()
    if there is None or not known <= there <= known + 1:
        yield f"{known} edits were acknowledged, {there} are there"
    if done.returncode == 0 and there != EDITS:
        yield f"says it is done, but {there} edits are there"
    again = bench.run("append")
    if again.returncode != 0 or bench.counted() != EDITS:
        yield f"the next run did not go on: {again.stderr!r}"


def judge(bench, mode, done, new, killed, lasting=False):
    if mode == "append":
        return list(judge_append(bench, done, killed))
    wrong = list(judge_change(bench, done, new, killed, lasting))
    if killed and bench.state(new) == "old":
        again = bench.run(mode)
        if again.returncode != 0 or bench.state(new) != "new":
            wrong.append(f"the next run failed: {again.stderr!r}")
    return wrong


def faults(bench, with_kill):
    tally = collections.Counter()
    for mode in CHANGED + ("append",):
        new, names = bench.learn(mode)
        for fault, kind, hit, on in specs(names, with_kill):
            bench.fresh()
            done = bench.run(mode, fault)
            killed, struck = kind == "kill", bench.calls()[1]
            wrong = judge(bench, mode, done, new, killed, on)
            if not killed and not struck and not fault.startswith("short:1000"):
                wrong.append("the fault never struck")
            harmless = HARMLESS.get(kind, set()) | ({"unlinkat"} if kind == "eintr" else set())
            if not killed and hit[0] in harmless and (not on or kind == "short") and done.returncode:
                wrong.append(f"this should do no harm, but: {done.stderr!r}")
            tally["failed" if wrong else "passed"] += 1
            for w in wrong:
                print(f"# {mode} {fault} ({hit[0]}): {w}")
    return tally


def compound(bench):
    """Every state that a kill leaves, recovered by a run that is killed or failed itself."""
    tally = collections.Counter()
    for mode in CHANGED:
        new, names = bench.learn(mode)
        for n in range(1, len(names) + 1):
            bench.fresh()
            bench.run(mode, f"kill@{n}")
            left = bench.save()
            bench.run("recover")
            calls, wanted = bench.calls()[0], bench.state(new)
            for fault, kind, _, on in specs(calls or [], True):
                if kind not in TWICE:
                    continue
                bench.restore(left)
                done = bench.run("recover", fault)
                wrong = list(exit_of(done, kind == "kill"))
                wrong += recovered(bench, new)
                if bench.state(new) != wanted:
                    wrong.append(f"the file is {bench.state(new)}, not {wanted}")
                tally["failed" if wrong else "passed"] += 1
                for w in wrong:
                    print(f"# {mode} kill@{n}, recover {fault}{' and on' if on else ''}: {w}")
    return tally


def witness(bench, faulty):
    """The same from outside, so that a mistake in the fault layer cannot hide one in the journal."""
    tally = collections.Counter()
    for mode in CHANGED + ("append",):
        counted = [x for x in bench.by(faulty).learn(mode)[1] if x not in ("malloc", "close")]
        new, _ = bench.learn(mode)
        events = trace(bench, mode)
        really = [CHANGES.get(n, n) for n, _, line in events
                  if n in CHANGING and (n != "openat" or "O_CREAT" in line)]
        if really != counted:
            print(f"# {mode}: the fault layer counted {counted}, strace saw {really}")
        tally["passed" if really == counted else "failed"] += 1
        for what in ("signal=KILL:when={}", "error=EIO:when={}", "error=ENOSPC:when={}", "error=EINTR:when={}"):
            for name, ordinal, line in events:
                done, hit = inject(bench, mode, name, what.format(ordinal))
                wrong = [] if hit else ["strace injected nothing"]
                wrong += judge(bench, mode, done, new, "KILL" in what)
                tally["failed" if wrong else "passed"] += 1
                for w in wrong:
                    print(f"# {mode} {what.format(ordinal)} {line}: {w}")
    return tally


def controls(bench, faulty):
    """A protocol known to be wrong. (Unordered writing shows only when power is lost.)"""
    tally = collections.Counter()
    for who, spec in ((bench.by(faulty), "kill@{}"), (bench.by(faulty), "enospc@{}+")):
        new, names = who.learn("nojournal")
        caught = 0
        for i in range(len(names)):
            who.fresh()
            who.run("nojournal", spec.format(i + 1))
            who.run("recover")
            caught += sha(who.file) not in (who.old, new)
        print(f"# in place without a journal, {spec}: caught at {caught} points")
        tally["passed" if caught else "failed"] += 1
    return tally


def main():
    what, label, folder, driver, *more = sys.argv[1:]
    bench = JournalBench(folder, driver)
    if what in ("faults", "errors"):
        tally = faults(bench, what == "faults")
    elif what == "compound":
        tally = compound(bench)
    else:
        tally = (witness if what == "witness" else controls)(bench, more[0])
    print(f"{label}: {tally['passed']} passed, {tally['failed']} failed, {tally['skipped']} skipped")
    return 1 if tally["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
