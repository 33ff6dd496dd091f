#!/usr/bin/env python3
"""Pickles are loaded and written again by pthfs: the same bytes, or a reason that stands here.

pickle_roundtrip.py [--lib libpthfs.a] [--count N] [--seed S] [part...]

fixtures   every pickle in tests/data/good-* and unsupported-*; those that may differ are in DIFFER
real       those of the published checkpoints in $PTHFS_REAL_CACHE (skipped when it is not set)
random     N object graphs by CPython's pickler in protocol 2, with sharing, cycles and batches: the same bytes
others     N / 5 in protocols 0, 1, 3, 4 and 5: what pthfs writes is what CPython writes of the same objects in protocol 2

Exit codes: 0 as it should be, 1 not, 2 not possible.
"""

import argparse
import array
import collections
import datetime
import decimal
import fractions
import io
import os
import pathlib
import pickle
import pickletools
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import types
import uuid
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The pickles (FILE or FILE:MEMBER) that do not come out as they were, and why.
CPP = "TorchScript's C++ pickler has rules of its own"
BY_HAND = "written by hand, without puts"
PROTOCOL = "not protocol 2"
PYTHON_2 = "Python 2's cPickle counts puts from 1 and leaves out those that nothing gets"
DIFFER = {
    "good-control.pt": BY_HAND,
    "good-legacy-python2.pth:2": BY_HAND,
    "good-legacy-python2.pth:3": BY_HAND,
    "good-legacy-python2.pth:4": BY_HAND,
    "good-legacy-windows.pt:2": BY_HAND,
    "good-legacy-windows.pt:3": BY_HAND,
    "good-legacy-windows.pt:4": BY_HAND,
    "good-old-format.tar:pickle:0": BY_HAND,
    "good-old-format.tar:sys_info:0": BY_HAND,
    "good-plain-numpy-p0.pkl": PROTOCOL,
    "good-plain-numpy-p5.pkl": PROTOCOL,
    "good-plain-p0.pkl": PROTOCOL,
    "good-plain-p1.pkl": PROTOCOL,
    "good-plain-p3.pkl": PROTOCOL,
    "good-plain-p4.pkl": PROTOCOL,
    "good-plain-p5.pkl": PROTOCOL,
    "good-plain-tensors-p0.pkl": PROTOCOL,
    "good-plain-tensors-p1.pkl": PROTOCOL,
    "good-plain-tensors-p3.pkl": PROTOCOL,
    "good-plain-tensors-p4.pkl": PROTOCOL,
    "good-plain-tensors-p5.pkl": PROTOCOL,
    "good-protocol4.pt": PROTOCOL,
    "good-protocol5.pt": PROTOCOL,
    "good-zip-address-keys.pt": BY_HAND,
    "good-zip-long-storage.pt": BY_HAND,
    "good-zip-path-key.pt": BY_HAND,
    "unsupported-torchscript.pt:data.pkl": CPP,
    # published
    "alex.pth:2": PYTHON_2,
    "alex.pth:3": PYTHON_2,
    "alex.pth:4": PYTHON_2,
    "squeeze.pth:2": PYTHON_2,
    "squeeze.pth:3": PYTHON_2,
    "squeeze.pth:4": PYTHON_2,
    "silero_vad.jit": CPP,
}

MAGIC = 0x1950A86A20F9469CFC6C


# --- the program --------------------------------------------------------------------------------


def build(lib):
    if not lib.exists():
        sys.exit(f"{lib} is not built")
    path = pathlib.Path(tempfile.mkdtemp()) / "pickle_resave"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O1", "-I", ROOT / "include", "-o", path,
                    ROOT / "tests/oracle/pickle_resave.c", lib, "-lz", "-ldeflate", "-lm", "-pthread"], check=True)
    return path


def resave(program, pickles):
    """For each ("same",), ("differs", offset, what is written) or ("no", why)."""
    data = b"".join(struct.pack("<I", len(p)) + p for p in pickles)
    out = io.BytesIO(subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True).stdout)
    answers = []
    for _ in pickles:
        word, _, rest = out.readline().decode("utf-8", "replace").rstrip("\n").partition(" ")
        if word == "differs":
            at, length = map(int, rest.split())
            answers.append((word, at, out.read(length)))
        else:
            answers.append((word, rest))
    assert out.read() == b""
    return answers


# --- files --------------------------------------------------------------------------------------


def length_of(data):
    for opcode, _, at in pickletools.genops(data):
        if opcode.name == "STOP":
            return at + 1
    raise ValueError


def in_a_row(data):
    """The pickles at the beginning of data: one, or the five of a legacy file."""
    found = []
    while len(found) < 5:
        try:
            n = length_of(data)
        except Exception:
            break
        found.append(data[:n])
        data = data[n:]
        if len(found) == 1 and b"\x8a\x0a" + MAGIC.to_bytes(10, "little") not in found[0][:30] and str(MAGIC).encode() not in found[0]:
            break
    return found


def pickles_of(path):
    """(name, bytes) of every pickle in a checkpoint."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            for name in z.namelist():
                if name.endswith(".pkl"):
                    yield f"{path.name}:{name.split('/', 1)[-1]}", z.read(name)
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            for member in tar:
                for i, one in enumerate(in_a_row(tar.extractfile(member).read())):
                    yield f"{path.name}:{member.name}:{i}", one
    else:
        row = in_a_row(data)
        for i, one in enumerate(row):
            yield path.name if len(row) == 1 else f"{path.name}:{i}", one


def files(program, paths, show):
    total = bad = 0
    for path in paths:
        found = list(pickles_of(path))
        for (name, data), answer in zip(found, resave(program, [d for _, d in found])):
            total += 1
            want = DIFFER.get(name) or DIFFER.get(path.name)
            if show and answer[0] != "same":
                print(f"    {name}: {answer[:2]}")
            if (answer[0] == "same") == bool(want):
                bad += 1
                print(f"{name}: {answer[:2]}, but {want or 'nothing says why'}")
    return total, bad


def fixtures(program, args):
    return files(program, sorted((ROOT / "tests/data").glob("[gu][on]*-*")), args.verbose)


def real(program, args):
    cache = os.environ.get("PTHFS_REAL_CACHE")
    if not cache:
        print("real: skipped, PTHFS_REAL_CACHE is not set")
        return 0, 0
    paths = [p for p in sorted(pathlib.Path(cache).rglob("*")) if p.is_file() and p.suffix not in (".onnx", ".safetensors")]
    return files(program, paths, args.verbose)


# --- random objects -----------------------------------------------------------------------------


class Thing:
    pass


class Slots:
    __slots__ = ("a", "b")


class MyList(list):
    pass


class MyDict(dict):
    pass


class NewArgs(tuple):
    def __new__(cls, *args):
        return super().__new__(cls, args)

    def __getnewargs__(self):
        return tuple(self)


class Reduced:
    def __init__(self, parts):
        self.parts = parts

    def __reduce__(self):
        return Reduced, (self.parts, "x")


TEXTS = ["", "a", "weight", "layer.0.bias", "caf\u00e9", "\u20ac", "\U0001f600", "line\nbreak", "x" * 300, "\0", "\ud800", "0"]
NUMBERS = [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1,
           2**64, 10**30, -(10**30), 2**2039, -(2**2039), 2**2040, 3**2000, -128, -129, 127, 128, -(2**39), 2**39]
NAN = struct.unpack(">d", bytes.fromhex("fff8000000000123"))[0]
FLOATS = [0.0, -0.0, 0.1, 1e300, -1e-300, float("inf"), NAN, 2.0**70]
LENGTHS = [0, 1, 2, 3, 4, 5, 7, 999, 1000, 1001, 1002, 1999, 2000, 2001]


class Maker:
    def __init__(self, rng, plain=False):
        self.rng, self.seen, self.plain, self.left = rng, [], plain, 60

    def text(self):
        text = self.rng.choice(TEXTS)
        return text if self.rng.random() < 0.5 else "".join([text[:1], text[1:]])

    def leaf(self):
        rng = self.rng
        return rng.choice([
            lambda: rng.choice([None, True, False]), lambda: rng.choice(NUMBERS), lambda: rng.randrange(-(2**40), 2**40),
            lambda: rng.choice(FLOATS), self.text, self.text,
            # Python has each one-character text of Latin-1 once, and so writes one byte as a get.
            lambda: rng.randbytes(rng.choice([0, 2 if self.plain else 1, 5, 300])),
            lambda: bytearray(rng.randbytes(rng.choice([0, 2 if self.plain else 1, 9]))),
        ])()

    def key(self):
        rng = self.rng
        return rng.choice([self.text(), rng.choice(NUMBERS), rng.choice(FLOATS), (1, self.text()), None, rng.randrange(1000), self.text() + str(rng.randrange(99))])

    def filled(self, value, add, n, depth):
        """A container that is seen before it is filled, so that it may hold itself."""
        self.seen.append(value)
        if n > 10:  # a long one
            same = [self.leaf() for _ in range(5)]
            for i in range(n):
                add(value, i, self.rng.choice(same) if self.rng.random() < 0.9 else self.leaf())
        else:
            for _ in range(n):
                add(value, self.key(), self.value(depth + 1))
        return value

    def special(self, depth):
        rng = self.rng
        kinds = [
            lambda: complex(rng.choice(FLOATS), 1.5),
            lambda: {self.leaf_key() for _ in range(rng.choice([0, 1, 3, 5]))},
            lambda: frozenset(self.leaf_key() for _ in range(rng.choice([0, 1, 3, 5]))),
            self.recursive,
        ]
        if not self.plain:
            kinds += [
                lambda: self.filled(collections.OrderedDict(), lambda v, k, x: v.__setitem__(k, x), rng.choice(LENGTHS), depth),
                lambda: self.filled(collections.defaultdict(list), lambda v, k, x: v.__setitem__(k, x), rng.choice(LENGTHS[:6]), depth),
                lambda: self.filled(collections.deque(), lambda v, k, x: v.append(x), rng.choice(LENGTHS), depth),
                lambda: self.filled(MyList(), lambda v, k, x: v.append(x), rng.choice(LENGTHS), depth),
                lambda: self.filled(MyDict(), lambda v, k, x: v.__setitem__(k, x), rng.choice(LENGTHS), depth),
                lambda: self.attributes(Thing(), depth), lambda: self.attributes(MyDict(a=1), depth),
                lambda: self.attributes(collections.OrderedDict(), depth), lambda: self.attributes(types.SimpleNamespace(), depth),
                lambda: self.slots(depth), lambda: NewArgs(self.value(depth + 1), 2), lambda: self.group_with_itself(depth),
                lambda: collections.Counter("hello"), lambda: datetime.datetime(2020, 1, 2), lambda: pathlib.PurePosixPath("/a/b"),
                lambda: uuid.UUID(int=rng.getrandbits(128)), lambda: decimal.Decimal("1.5"), lambda: fractions.Fraction(1, 3),
                lambda: array.array("f", [1, 2]), lambda: range(rng.randrange(9)), lambda: slice(1, None),
                lambda: rng.choice([int, str, set, dict, len, Thing, collections.OrderedDict, bytes, range, datetime.date, io.StringIO]),
            ]
        return rng.choice(kinds)()

    def leaf_key(self):
        return self.rng.choice([self.text(), self.rng.choice(NUMBERS), self.rng.random()])

    def attributes(self, thing, depth):
        self.seen.append(thing)
        for name in self.rng.sample(["a", "b", "weight", "x1"], self.rng.randrange(4)):
            setattr(thing, name, self.value(depth + 1))
        return thing

    def slots(self, depth):
        thing = Slots()
        self.seen.append(thing)
        thing.a = self.value(depth + 1)
        return thing

    def group_with_itself(self, depth):
        thing, other = Thing(), Thing()
        group = {thing, other, "x"} if self.rng.random() < 0.5 else frozenset([thing, other])
        thing.group = group
        other.more = [group, self.value(depth + 1)]
        self.seen.append(thing)
        return self.rng.choice([thing, group, [group, group]])

    def knots(self):
        """Puts things into others that were complete: then tuples and calls are met in themselves."""
        for _ in range(self.rng.choice([0, 0, 1, 3, 6])):
            if not self.seen:
                break
            target, thing = self.rng.choice(self.seen), self.rng.choice(self.seen)
            if isinstance(target, (list, collections.deque)):
                target.append(thing)
            elif isinstance(target, dict):
                target["knot"] = thing
            elif isinstance(target, (Thing, Slots)):
                target.b = thing

    def recursive(self):
        """A tuple, or an object made from its arguments, in a list that it holds."""
        inner, n = [], self.rng.randrange(1, 6)
        parts = [inner] + [self.value(9) for _ in range(n - 1)]
        self.rng.shuffle(parts)
        value = tuple(parts) if self.plain else self.rng.choice([tuple, tuple, lambda p: NewArgs(*p), Reduced])(parts)
        inner.extend(self.rng.choice([[value], [value, value], [value, inner], [self.leaf(), (value,)]]))
        self.seen += [value, inner]
        return value

    def value(self, depth=0):
        rng = self.rng
        self.left -= 1
        kind = rng.randrange(14) if depth < 5 and self.left > 0 else 0
        if kind < 4:
            return self.leaf()
        if kind == 4 and self.seen:
            return rng.choice(self.seen)
        n = rng.choice(LENGTHS) if rng.random() < 0.05 else rng.choice(LENGTHS[:7])
        if kind < 8:
            value = tuple(self.value(depth + 1) for _ in range(min(n, 7)))
            self.seen.append(value)
            return value
        if kind < 10:
            return self.filled([], lambda v, k, x: v.append(x), n, depth)
        if kind < 12:
            return self.filled({}, lambda v, k, x: v.__setitem__(k, x), n, depth)
        return self.special(depth)


class Persistent(pickle.Pickler):
    """Gives every third text a persistent id, as torch gives its storages."""

    def persistent_id(self, value):
        return ("storage", value, "cpu", len(value)) if isinstance(value, str) and value.endswith("t") else None


def dumps(value, protocol, persistent):
    out = io.BytesIO()
    try:
        (Persistent if persistent else pickle.Pickler)(out, protocol).dump(value)
    except (RecursionError, pickle.PicklingError):  # what Python cannot write
        return None
    return out.getvalue()


def compare(program, cases, what, show):
    """cases: (name, pickle, what it should be written as)"""
    bad = 0
    for (name, data, want), answer in zip(cases, resave(program, [c[1] for c in cases])):
        got = data if answer[0] == "same" else answer[2] if answer[0] == "differs" else None
        if got == want:
            continue
        bad += 1
        if bad <= show:
            print(f"{what} {name}: {answer[1] if got is None else 'other bytes'}\n    {data[:200]!r}")
            if got is not None:
                at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
                print(f"    at {at}: {got[max(at - 20, 0):at + 30]!r}, wanted {want[max(at - 20, 0):at + 30]!r}")
    return bad


def random_graphs(program, args):
    rng, bad, done = random.Random(args.seed), 0, 0
    while done < args.count:
        cases = []
        while len(cases) < 500 and done + len(cases) < args.count:
            maker = Maker(rng)
            value = maker.value()
            maker.knots()
            data = dumps(value, 2, rng.random() < 0.2)
            if data:
                cases.append((f"number {done + len(cases)}", data, data))
        bad += compare(program, cases, "random", 20 - bad)
        done += len(cases)
    return done, bad


def other_protocols(program, args):
    rng, cases = random.Random(args.seed + 1), []
    while len(cases) < args.count // 5:
        protocol = rng.choice([0, 1, 3, 4, 5])
        value = Maker(rng, plain=True).value()
        persistent = protocol and rng.random() < 0.2
        data, want = dumps(value, protocol, persistent), dumps(value, 2, persistent)
        if data and want:
            if protocol == 0:  # "nan" is all there is
                want = want.replace(struct.pack(">d", NAN), struct.pack(">d", float("nan")))
            cases.append((f"number {len(cases)}, protocol {protocol}", data, want))
    return len(cases), compare(program, cases, "others", 20)


def main():
    parts = {"fixtures": fixtures, "real": real, "random": random_graphs, "others": other_protocols}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=pathlib.Path, default=ROOT / "build/release/libpthfs.a")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="name every pickle of a file that differs, also the expected ones")
    parser.add_argument("part", nargs="*", choices=[*parts, []])
    args = parser.parse_args()
    program, failed = build(args.lib), False
    for part in args.part or parts:
        total, bad = parts[part](program, args)
        failed |= bad > 0
        print(f"pickle_roundtrip {part}: {total} pickles, {bad} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
