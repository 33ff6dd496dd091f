#!/usr/bin/env python3
"""Holds `pthfs check`'s weights_only against torch.load(weights_only=True) of the torch that runs this.

weights_only.py --pthfs BIN [--count N] [--seed S]

fixtures  every file of tests/data: the same answer, or pthfs refuses the file (as tests/data/hostile.tsv says, or torch does)
names     every name that torch allows, with the module ending at every dot and in Python 2's spelling, and every fifth of the other
          names around them: allowed here when it is allowed there
values    N generated objects, saved by torch in protocols 2 to 5: the same answer
pickles   N generated pickles of pickle_diff.py, and as many programs of the opcodes that weights_only takes, on names of its
          list: pthfs says yes only when torch loads it or fails within a call (whose arguments pthfs does not judge), and no only when
          torch refuses

Prints one line for each case that is not so and closes with the counts. Exit codes: 0 the same, 1 different.
"""

import argparse
import collections
import csv
import datetime
import io
import json
import pathlib
import pickle
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import types
import warnings

import torch
from torch import _weights_only_unpickler as restricted

import pickle_diff

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/data"))
from zipkit import Record, write_zip  # noqa: E402

DATA = ROOT / "tests/data"
MODULES = ["torch", "torch._utils", "torch._tensor", "torch.storage", "torch.serialization", "torch.nn.parameter", "torch.cuda",
           "torch.sparse", "builtins", "collections", "_codecs"]
HANG = 120  # seconds a load: a guard


class Judge:
    def __init__(self, pthfs):
        self.pthfs, self.passed, self.failed = pthfs, 0, 0
        self.tally = collections.Counter()
        self.path = pathlib.Path(tempfile.mkdtemp()) / "x.pt"

    def ours(self, path):
        """Return pthfs's answer and why; None when it does not open the file."""
        run = subprocess.run([self.pthfs, "check", "--quick", "--json", path], capture_output=True, timeout=HANG, check=False)
        if run.returncode not in (0, 1):
            assert run.returncode == 2, (run.returncode, run.stderr)
            return None, run.stderr.decode("utf-8", "replace").strip()
        said = json.loads(run.stdout.decode("utf-8", "surrogateescape"))
        return said["weights_only"], said["weights_only_why"]

    def say(self, what, wrong):
        self.passed += not wrong
        self.failed += bool(wrong)
        if wrong and self.failed <= 40:
            print(f"{what}: {wrong}")

    def same(self, what, path, refused_is_fine=False):
        """The two answers are the same."""
        yes, why = self.ours(path)
        takes, error = torch_takes(path)
        if yes is None:
            wrong = takes and not refused_is_fine and f"torch takes what pthfs does not open: {why}"
        else:
            wrong = yes != takes and f"pthfs says {yes} ({why}), torch {takes} ({error})"
        self.tally["yes" if yes else "not opened" if yes is None else "no"] += 1
        self.say(what, wrong)

    def near(self, what, path):
        """A yes may fail within a call; a no must be a no."""
        yes, why = self.ours(path)
        takes, error = torch_takes(path)
        strict = isinstance(error, pickle.UnpicklingError)
        wrong = None
        if yes is False and takes:
            wrong = f"pthfs says no ({why}), torch loads it"
        elif yes and strict:
            wrong = f"pthfs says yes, torch {error}"
        self.tally["not opened" if yes is None else "no" if not yes else "yes" if takes else "arguments"] += 1
        self.say(what, wrong)

    def zip_of(self, data):
        self.path.write_bytes(write_zip([Record("data.pkl", data), Record("version", b"3\n")])[0])
        return self.path


def too_long(*_):
    raise TimeoutError


def torch_takes(path):
    """Return whether torch loads it, and the error."""
    signal.alarm(HANG)
    try:
        torch.load(path, weights_only=True, map_location="cpu")
        return True, None
    except Exception as error:
        return False, error
    finally:
        signal.alarm(0)


def fixtures(judge):
    with open(DATA / "hostile.tsv", newline="", encoding="utf-8") as table:
        refused = {row["file"] for row in csv.DictReader(table, delimiter="\t") if row["verdict"] == "refuse"}
    for path in sorted(DATA.glob("*")):
        if path.name.startswith(("good-", "bad-", "demo.", "unsupported-")):
            judge.same(path.name, path, path.name in refused)


# --- names -------------------------------------------------------------------------------------


def name_cases():
    allowed = set(restricted._get_allowed_globals())
    full = set(allowed)
    for module in MODULES:
        full.update(f"{module}.{name}" for name in vars(__import__(module, fromlist=["x"])) if name.isascii())
    for name in sorted(allowed) + sorted(full - allowed)[::5]:
        dots = [i for i, c in enumerate(name) if c == "."]
        for i in dots if name in allowed else dots[-1:]:
            yield name[:i], name[i + 1:]
    for module in ("__builtin__", "UserDict", "UserList", "copy_reg"):
        for name in ("set", "bytearray", "complex", "OrderedDict", "Counter", "xrange", "long", "eval"):
            yield module, name


def names(judge):
    """All names in one pickle of each answer, then one by one where that does not hold."""
    cases = {True: [], False: []}
    for module, name in name_cases():
        cases[torch_takes(judge.zip_of(global_of(module, name)))[0]].append((module, name))
    judge.zip_of(b"\x80\x02(" + b"".join(b"c%s\n%s\n" % (m.encode(), n.encode()) for m, n in cases[True]) + b"t.")
    together = judge.ours(judge.path)
    for takes in (True, False):
        for module, name in cases[takes]:
            yes = True if takes and together[0] else judge.ours(judge.zip_of(global_of(module, name)))[0]
            judge.say(f"{module} {name}", yes != takes and f"pthfs says {yes}, torch {takes}")


def global_of(module, name):
    return b"\x80\x02c%s\n%s\n." % (module.encode(), name.encode())


# --- values ------------------------------------------------------------------------------------

Point = collections.namedtuple("Point", "x y")


def leaf(rng):
    dtype = rng.choice([torch.float32, torch.int64, torch.bfloat16, torch.bool, torch.uint16, torch.float8_e5m2])
    tensor = torch.arange(6).view(2, 3).to(dtype)
    return rng.choice([
        None, True, 3, -70000, 2**70, 0.5, "text", "\ud800", "ä", b"bytes\xff", b"", 1 + 2j, torch.float16, torch.Size([2, 3]),
        torch.device("cpu"), bytearray(b"ab"), {1, 2}, frozenset([1]), range(3), tensor, tensor.t(), tensor[:, 1],
        torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2), requires_grad=False), torch.ones(3).to_sparse(),
        torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), torch.empty(3, device="meta"), torch.strided,
        torch.ones(2, dtype=torch.complex64).conj(), datetime.date(2020, 1, 1), types.SimpleNamespace(a=1), Point(1, 2),
        torch.per_tensor_affine, torch.nn.Linear, torch.FloatTensor([1.0]), torch.ones(2).untyped_storage(), ...,
    ])


def attributed(rng):
    odd = collections.OrderedDict(a=1)
    odd._metadata = {"": {"version": 1}}
    ghost = torch.ones(2)
    ghost.note = "x"
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "x"
    return rng.choice([odd, ghost, parameter, collections.Counter("abca"), collections.defaultdict(int, a=1), collections.deque([1])])


def value(rng, depth=0):
    kind = rng.randrange(9) if depth < 4 else 0
    some = [value(rng, depth + 1) for _ in range(rng.randrange(4))] if 3 < kind else []
    if kind == 4:
        return some
    if kind == 5:
        return tuple(some)
    if kind == 6:
        return dict(enumerate(some))
    if kind == 7:
        return collections.OrderedDict((str(i), x) for i, x in enumerate(some))
    if kind == 8:
        return collections.OrderedDict([((i, "k"), x) for i, x in enumerate(some)])
    return attributed(rng) if kind == 3 else leaf(rng)


def values(judge, rng, count):
    for i in range(count):
        thing, protocol = value(rng), rng.choice([2, 2, 2, 2, 3, 4, 5])
        legacy = rng.random() < 0.2
        try:
            torch.save(thing, judge.path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
        except Exception:
            continue
        judge.same(f"value {i} {thing!r:.100} protocol {protocol}{' legacy' if legacy else ''}", judge.path)


# --- pickles -----------------------------------------------------------------------------------

LISTED = [b"collections\nOrderedDict", b"collections\nCounter", b"__builtin__\nset", b"builtins\ncomplex", b"builtins\nbytearray",
          b"torch\nSize", b"torch\nTensor", b"torch\nFloatStorage", b"torch\nfloat32", b"torch.nn.parameter\nParameter",
          b"_codecs\nencode", b"torch\ndevice", b"torch.storage\nUntypedStorage", b"torch\nFloatTensor", b"torch.nn\nparameter.Parameter",
          b"torch._utils\n_rebuild_parameter", b"torch.serialization\n_get_layout", b"torch\nper_tensor_affine"]


class Program(pickle_diff.Program):
    """Only opcodes that weights_only takes, on names of its list (mostly)."""

    def text(self):
        text = self.rng.choice([b"storage", b"latin1", b"cpu", b"k", b"0", b"", b"\xed\xa0\x80", b"\xff"])
        return b"X" + struct.pack("<I", len(text)) + text

    def value(self):
        rng = self.rng
        called = b"c" + rng.choice(LISTED) + b"\n"
        self.emit(rng.choice([
            b"N", b"\x88", b"\x89", b"K\x05", b"M\x05\x01", b"J\xff\xff\xff\xff", b"\x8a\x01\x07", b"G" + struct.pack(">d", 0.5), b")", b"]",
            b"}", b"\x8f", self.text(), self.text(), b"U\x02ab", b"U\x02a\xff", called, called + b")R", called + b")R", called + b")\x81",
            called + b"]\x85R", called + b"K\x02\x85R", called + b"](K\x01K\x02e\x85R", b"ccollections\nOrderedDict\n)R",
            b"ccollections\nCounter\n)R", b"ctorch\nTensor\n)R", b"cargparse\nNamespace\n" if rng.random() < 0.1 else b"N",
        ]), 0, 1)

    def step(self):
        rng, kind = self.rng, self.rng.randrange(20)
        if kind < 8 or self.above() == 0 and kind < 16:
            self.value()
        elif kind == 8:
            self.emit(b"(")
            self.marks.append(self.depth)
        elif kind < 11 and self.marks:
            mark = self.marks[-1]
            below = mark - (self.marks[-2] if len(self.marks) > 1 else 0) > 0
            even = (self.depth - mark) % 2 == 0
            self.close(*rng.choice([(b"t", 0)] + ([(b"e", 1)] if below else []) + ([(b"u", 1)] if below and even else [])))
        elif kind == 11 and self.puts:
            self.emit(b"j" + struct.pack("<I", rng.choice(self.puts)), 0, 1)
        elif kind == 12 and self.above():
            self.puts.append(len(self.puts))
            self.emit(b"r" + struct.pack("<I", self.puts[-1]))
        elif kind == 13 and self.above():
            self.emit(rng.choice([b"\x85", b"\x85", b"Q"]), 1, 1)
        elif self.above() >= 3 and kind < 17:
            self.emit(rng.choice([b"\x87", b"s", b"s"]), 3, 1)
        elif self.above() >= 2:
            self.emit(rng.choice([b"\x86", b"a", b"b", b"b", b"R", b"\x81"]), 2, 1)

    def close(self, opcode, below):
        mark = self.marks.pop()
        self.depth = mark
        self.emit(opcode, below, 1)

    def bytes(self):
        for _ in range(self.rng.randrange(2, 16)):
            self.step()
        while self.marks:
            self.close(b"t", 0)
        while self.depth > 1:
            n = min(self.depth, 3)
            self.emit({2: b"\x86", 3: b"\x87"}[n], n, 1)
        if self.depth == 0:
            self.out.append(b"N")
        return b"\x80\x02" + b"".join(self.out) + b"."


def pickles(judge, rng, count):
    for i in range(2 * count):
        data = pickle_diff.generate(rng) if i % 2 else Program(rng).bytes()
        judge.near(f"pickle {data!r:.300}", judge.zip_of(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pthfs", required=True)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))  # a few hostile files make torch ask for more
    signal.signal(signal.SIGALRM, too_long)
    torch.set_num_threads(1)
    rng, judge = random.Random(args.seed), Judge(args.pthfs)
    fixtures(judge)
    names(judge)
    values(judge, rng, args.count)
    pickles(judge, rng, args.count)
    print(f"weights_only: {judge.passed} passed, {judge.failed} failed, 0 skipped ({dict(judge.tally)})")
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
