#!/usr/bin/env python3
"""Edits of hostile and damaged checkpoints: refused in one sentence, or the result is one that pthfs reads again.

save_hostile.py [--pthfs BIN] [--mutations N]

Every bad-* of tests/data, TorchScript, and N good ones in which a seeded generator broke something. On each `set`, `rename`, `rm` and
`compact` with --output, and `compact` of a copy. Whatever the file: no signal, no report of a sanitizer, the original with
the same bytes, nothing left beside it, and no output after a refusal. What is written has the names it should have, and of
every tensor the same bytes (or the same refusal) as before. All of it within 192 MiB of address space (but for a
sanitized build, which PTHFS_SAN=1 says). Prints a line for what is not so, and closes with the counts.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
MAX_BYTES = 192 << 20
HANG = 120  # seconds: a guard, not a measurement
MANY = 400  # entries from which on only some are looked at


def run(pthfs, *words):
    """Run pthfs; return exit code, standard output and standard error."""
    command = [pthfs, *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hangs", b"", ""
    return process.returncode, out, err.decode("utf-8", "replace").strip()


def parsed(out):
    """Return a JSON document that pthfs prints; a name of it may be of bytes that are no text."""
    return json.loads(out.decode("utf-8", "surrogateescape"))


def described(pthfs, path):
    """Return [(name, what it is)] as `ls` lists them, or None when it cannot be opened."""
    code, out, _ = run(pthfs, "ls", "--json", path)
    if code != 0:
        return None
    keep = ("key", "type", "dtype", "shape", "nbytes", "requires_grad", "device")
    if len(out) > 8 << 20:
        return [("x", "[null, null, null, null, null]")] * (MANY + 1)
    return [(entry["name"], json.dumps([entry.get(member) for member in keep])) for entry in parsed(out)["entries"]]


def content(pthfs, path, names):
    """Return what stands for the bytes of these: equal for equal bytes, also where some of them cannot be read."""
    code, out, _ = run(pthfs, "cat", "--", path, *names)
    return "exit %s, %s" % (code, hashlib.sha256(out).hexdigest())


def fingerprint(path):
    """Return what must not change of a file."""
    now = path.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()


def refusal(code, err, path):
    """Return what is wrong with a refusal, or None."""
    if code != 2:
        return "exit %s: %.300s" % (code, err)
    if len(err.splitlines()) != 1 or path.name not in err:
        return "not one sentence that names the file: %.300r" % err
    return None


def same_things(pthfs, before, after, old, new):
    """Compare names, types and contents; new ones stand behind the old ones."""
    if new[: len(old)] != old:
        one = next((pair for pair in zip(old, new) if pair[0] != pair[1]), "less than before")
        return "lists other things than before: %.300r" % (one,)
    leaves = [name for name, what in old if json.loads(what)[4] is not None]
    if leaves and content(pthfs, before, leaves[:9]) != content(pthfs, after, leaves[:9]):
        return "%.200r: reads otherwise" % leaves[:9]
    return None


class Case:
    """One hostile file and what is done to it."""

    def __init__(self, pthfs, path, folder):
        self.pthfs, self.path, self.folder = pthfs, path, folder
        self.listed = described(pthfs, path)
        self.before = fingerprint(path)
        self.output = folder / "out" / "result.pt"
        self.wrong, self.done = [], [0, 0]

    def edit(self, *words, more=None):
        """Run an edit with --output and look at what comes of it; more: how many names more there are, None for others."""
        shutil.rmtree(self.output.parent, ignore_errors=True)
        self.output.parent.mkdir()
        code, _, err = run(self.pthfs, words[0], "--output", self.output, *words[1:])
        wrong = refusal(code, err, self.path) if code else None
        left = [entry.name for entry in self.output.parent.iterdir()]
        if code and left:
            wrong = wrong or "refused, but leaves %s" % left
        if not code and left != [self.output.name]:
            wrong = "writes %s" % left
        wrong = wrong or (None if code else self.look(more))
        if fingerprint(self.path) != self.before:
            wrong = "the original is not what it was"
        if [entry.name for entry in self.path.parent.iterdir()] != [self.path.name]:
            wrong = "something was left beside the original"
        if wrong:
            self.wrong.append("%s: %s" % (" ".join(str(word) for word in words if word != self.path)[:80], wrong))
        self.done[code == 0] += 1

    def look(self, more):
        """Look at what was written."""
        new = described(self.pthfs, self.output)
        if new is None:
            return "the result cannot be opened: %s" % run(self.pthfs, "ls", self.output)[2]
        if self.listed is None:
            return "was written, though it cannot be listed"
        if len(self.listed) > MANY or more is None:
            return None
        if len(new) != len(self.listed) + more:
            return "lists %d names, not %d" % (len(new), len(self.listed) + more)
        return same_things(self.pthfs, self.path, self.output, self.listed, new)

    def edits(self, npy):
        """Try everything."""
        names = [name for name, _ in self.listed or []]
        tensors = [name for name, what in self.listed or [] if json.loads(what)[1] == "tensor"]
        top = next((name for name in names if "/" not in name), "x")
        self.edit("compact", self.path, more=0)
        self.edit("set", self.path, "pthfs_new", "1", more=1)
        self.edit("rename", "--add", "pthfs_test", self.path)
        self.edit("rename", "--strip", "module", self.path)
        self.edit("rename", "--", self.path, top, "pthfs_moved")
        self.edit("rm", "--", self.path, escaped(names[-1] if names else "x"))
        if tensors:
            self.edit("set", "--npy", npy, "--", self.path, tensors[0])
        return self.wrong


def escaped(name):
    """Return a name as a pattern that matches only it."""
    return "".join("\\" + letter if letter in "*?[\\" else letter for letter in name)


def in_place(pthfs, original, folder):
    """compact of a copy: a refusal leaves it as it was; then it can be read all the same."""
    copy = folder / "place" / original.name
    copy.parent.mkdir()
    shutil.copy(original, copy)
    before = fingerprint(copy)
    code, _, err = run(pthfs, "compact", copy)
    left = [entry.name for entry in copy.parent.iterdir()]
    if left != [copy.name]:
        return ["compact in place: leaves %s" % left]
    if code:
        wrong = refusal(code, err, copy) or (None if fingerprint(copy) == before else "refused, but written")
        return ["compact in place: %s" % wrong] if wrong else []
    return [] if described(pthfs, copy) is not None else ["compact in place: cannot be opened any more"]


def broken(seed, sources):
    """Return (name, bytes) of a checkpoint in which something was broken."""
    chance = random.Random(seed)
    source = chance.choice(sources)
    raw = bytearray(source.read_bytes())
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, what = chance.randrange(len(raw)), chance.randrange(6)
        if what < 3:
            raw[at] = chance.choice((0, 0xFF, raw[at] ^ (1 << chance.randrange(8)), chance.randrange(256)))
        elif what == 3:
            raw[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.getrandbits(32))))
        elif what == 4:
            begin = chance.randrange(len(raw))
            raw[at:at] = raw[begin : begin + chance.randrange(1, 64)]
        else:
            del raw[at : at + chance.randrange(1, 64)]
        if not raw:
            return broken(seed + 1000003, sources)
    return "%s-%d%s" % (source.stem, seed, source.suffix), bytes(raw)


def main():
    """Judge every file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS", "pthfs"))
    parser.add_argument("--mutations", type=int, default=100)
    options = parser.parse_args()
    pthfs = os.path.abspath(options.pthfs)
    passed, failed, done = 0, 0, [0, 0]
    if not os.environ.get("PTHFS_SAN"):  # a sanitizer's shadow memory does not fit into any limit
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))  # of this process, and so of the others
    with tempfile.TemporaryDirectory() as top:
        npy = pathlib.Path(top, "new.npy")
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(117) + b"\n"
        npy.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + struct.pack("<3f", 1, 2, 3))
        sources = sorted(path for path in DATA.glob("good-*") if path.stat().st_size < 20000)
        files = [(path.name, path.read_bytes()) for path in sorted(DATA.glob("bad-*")) + sorted(DATA.glob("unsupported-*"))]
        files += [broken(seed, sources) for seed in range(options.mutations)]
        for number, (name, raw) in enumerate(files):
            folder = pathlib.Path(top, str(number))
            path = folder / "original" / name
            path.parent.mkdir(parents=True)
            path.write_bytes(raw)
            case = Case(pthfs, path, folder)
            wrong = case.edits(npy) + in_place(pthfs, path, folder)
            done = [done[0] + case.done[0], done[1] + case.done[1]]
            for sentence in wrong[:4]:
                print("%s: %s" % (name, sentence))
            passed, failed = passed + (not wrong), failed + bool(wrong)
            shutil.rmtree(folder)
    if not done[0] or not done[1]:
        print("nothing was refused, or nothing was written: %s" % done)
        failed += 1
    print("hostile: %d edits were refused, %d made a file" % tuple(done))
    print("hostile: %d passed, %d failed, 0 skipped" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
