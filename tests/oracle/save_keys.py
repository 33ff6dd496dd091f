"""Keys that are removed and values that are set by text: torch loads what Python would have made of it."""

import collections
import copy
import pathlib
import re
import struct
import zipfile

import numpy
import samples
import torch
from save_bench import Untouched, first_difference, one_sentence

SERIAL = b".data/serialization_id"

# --- remove ------------------------------------------------------------------------------------

def masked(path):
    """Return a file without the first 20 digits of its serialization_id, which nobody can compute, and their CRC."""
    raw = bytearray(path.read_bytes())
    if not zipfile.is_zipfile(path):
        return bytes(raw)
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if info.filename.encode().endswith(SERIAL)]
    for info in found:
        name, extra = struct.unpack_from("<HH", raw, info.header_offset + 26)
        begin = info.header_offset + 30 + name + extra
        raw[begin : begin + 20] = b"*" * 20
        raw[begin + 44 : begin + 48] = b"****"  # in the descriptor
        central = raw.rindex(b"PK\1\2", 0, raw.rindex(info.filename.encode()))
        raw[central + 16 : central + 20] = b"****"
    return bytes(raw)


def without(top, names):
    """Return a copy of nested dicts without some paths."""
    out = copy.copy(top)
    for name in names:
        head, _, rest = name.partition("/")
        key = next(key for key in out if (key if isinstance(key, str) else repr(key)) == head)
        if rest:
            out[key] = without(out[key], [rest])
        else:
            del out[key]
    return out


def remove_from(bench, thing, names, name, legacy=False):
    """Keys removed and compact: the file that torch writes of the rest."""
    path = bench.save(thing, name, legacy)
    wanted = bench.save(without(thing, names), re.sub(r"\.p\d$", ".p2", name), legacy)  # what is written is protocol 2
    original = bench.copy(path)
    wrong = bench.works("rm", path, *names) or bench.equal(path, original, lambda old: without(old, names))
    wrong += bench.works("compact", path)
    if name.endswith(".p5") and any(isinstance(item, numpy.ndarray) for item in thing.values()):
        return wrong + bench.equal(path, original, lambda old: without(old, names))  # numpy pickles these otherwise
    wrong += bench.equal(path, wanted)
    if masked(path) != masked(wanted):
        wrong.append("compact is not what torch writes: byte %d" % first_difference(masked(path), masked(wanted)))
    return wrong


def remove(bench, _):
    """Tensors, values, what is tied and what is nested."""
    state = samples.Net().state_dict()
    torch.manual_seed(7)
    training = samples.training()
    many = {"k%d" % i: torch.full((i % 5 + 1,), float(i)) for i in range(30)}
    cases = {
        "first": (state, ["body.0.weight"]),
        "last": (state, ["head.bias"]),
        "half": (state, list(state)[::2]),
        "all": (dict(state), list(state)),
        "one of two tied": (samples.tensors(), ["tied"]),
        "both tied": (samples.tensors(), ["tied", "again"]),
        "the base of views": (samples.tensors(), ["base"]),
        "views": (samples.tensors(), ["head", "mid", "every", "conj", "neg"]),
        "more than ten": (many, list(many)[:12]),
        "text order": (many, ["k0", "k5", "k29"]),
        "optimizer": (training, ["optimizer"]),
        "inside of the optimizer": (training, ["optimizer/state/0", "optimizer/state/2/exp_avg"]),
        "values": (samples.values(), ["int", "list", "bytes", "args"]),
        "arrays": (samples.arrays(), ["plain", "zero"]),
        "parts": (samples.parts(), ["csr", "q"]),
    }
    for label, (thing, names) in cases.items():
        for name in ("gone.pth", "gone-legacy.pth"):
            wrong = remove_from(bench, thing, names, name, "legacy" in name)
            bench.tally.judge("remove %s, %s" % (label, name), wrong)
    for protocol in range(6):
        for label in ("values", "arrays"):
            thing = {key: item for key, item in cases[label][0].items() if not isinstance(item, torch.Tensor)}
            wrong = remove_from(bench, thing, cases[label][1], "gone.p%d" % protocol)
            bench.tally.judge("remove %s, protocol %d" % (label, protocol), wrong)


# --- values ------------------------------------------------------------------------------------

def all_values():
    """Return values of every type, nested and under keys that are not strings."""
    return dict(
        samples.values(),
        path=pathlib.PurePosixPath("/a/b"),
        frozen=frozenset([1]),
        array=bytearray(b"xyz"),
        f16=numpy.float16(0.5),
        f32=numpy.float32(0.5),
        f64=numpy.float64(0.5),
        i8=numpy.int8(3),
        u16=numpy.uint16(3),
        i64=numpy.int64(3),
        b1=numpy.bool_(True),
        state={0: {"lr": 0.1, "step": 3}, "deep": [{"betas": (0.9, 0.999)}, {"eps": 1e-8}], (0, 1): "pair"},
        order=collections.OrderedDict(b=1, a=2.5),
        counter=collections.Counter(a=2),
        default=collections.defaultdict(list, a=[1]),
    )


# (path, text, value): what the file holds when the text was set
SETTINGS = [
    ("int", "-1", -1),
    ("int", "255", 255),
    ("int", "65536", 65536),
    ("int", "2147483648", 1 << 31),
    ("int", "-9223372036854775809", -(1 << 63) - 1),
    ("int", str(1 << 2100), 1 << 2100),
    ("big", "0", 0),
    ("float", "1e-8", 1e-8),
    ("float", "3", 3.0),
    ("float", "-0.0", -0.0),
    ("float", "inf", float("inf")),
    ("float", "-inf", float("-inf")),
    ("float", "nan", float("nan")),
    ("float", "5e-324", 5e-324),
    ("float", "0.1000000000000000055511151231257827", 0.1),
    ("true", "False", False),
    ("str", "", ""),
    ("str", "12", "12"),
    ("str", "gr\u00fc\u00dfe \U0001f525", "gr\u00fc\u00dfe \U0001f525"),
    ("str", "x" * 70000, "x" * 70000),
    ("lines", "a\nb\n\n", "a\nb\n"),
    ("list", "[]", []),
    ("list", '[true, [null, -1.5e3], "\\u00e9"]', [True, [None, -1500.0], "\u00e9"]),
    ("tuple", "[0.5, 1]", (0.5, 1.0)),
    ("nested", "[[1, 2]]", [[1, 2.0]]),
    ("bytes", b"\xff\x00\n", b"\xff\x00\n"),
    ("bytes", b"", b""),
    ("array", b"\x80", bytearray(b"\x80")),
    ("dtype", "torch.bfloat16", torch.bfloat16),
    ("device", "cpu", torch.device("cpu")),
    ("device", "cuda:3", torch.device("cuda", 3)),
    ("size", "[7]", torch.Size([7])),
    ("set", "[1, 2]", {1, 2}),
    ("frozen", "[]", frozenset()),
    ("path", "c/d", pathlib.PurePosixPath("c/d")),
    ("f16", "0.25", numpy.float16(0.25)),
    ("f32", "0.1", numpy.float32(0.1)),
    ("f64", "0.1", numpy.float64(0.1)),
    ("i8", "-128", numpy.int8(-128)),
    ("u16", "65535", numpy.uint16(65535)),
    ("i64", "-5", numpy.int64(-5)),
    ("b1", "False", numpy.bool_(False)),
    ("args/lr", "0.25", 0.25),
    ("args/name", "y", "y"),
    ("args/betas", "[0.5, 0.75]", (0.5, 0.75)),
    ("dict/a", "2", 2),
    ("dict/2", "c", "c"),
    ("state/0/lr", "1", 1.0),
    ("state/deep/0/betas", "[0.1, 0.2]", (0.1, 0.2)),
    ("state/deep/1/eps", "1e-6", 1e-6),
    ("state/(0, 1)", "two", "two"),
    ("order/a", "1.5", 1.5),
    ("counter/a", "7", 7),
    ("default/a", "[2, 3]", [2, 3]),
    ("new", "12", 12),
    ("new", "-0.5", -0.5),
    ("new", "True", True),
    ("new", "None", None),
    ("new", '{"a": [1, "b"]}', {"a": [1, "b"]}),
    ("new", "some text", "some text"),
    ("state/0/new", "3", 3),
    ("order/new", "[1, 2]", [1, 2]),
]


def put(top, path, item):
    """Set what stands at a path of nested things."""
    *above, last = path.split("/")
    for part in above:
        top = below(top, part)
    if isinstance(top, dict):
        top[next((key for key in top if (key if isinstance(key, str) else repr(key)) == last), last)] = item
    elif isinstance(top, list):
        top[int(last)] = item
    else:
        setattr(top, last, item)


def below(top, part):
    """Return one part of nested things."""
    if isinstance(top, dict):
        return top[next(key for key in top if (key if isinstance(key, str) else repr(key)) == part)]
    return top[int(part)] if isinstance(top, (list, tuple)) else getattr(top, part)


def changed(top, path, item):
    """Return what was loaded, with one value changed."""
    put(top, path, item)
    return top


def set_value(bench, original, path, text, item):
    """Set one value, through standard input as a file would be written."""
    result = bench.copy(original)
    text = text if isinstance(text, bytes) else text.encode() + b"\n" * (not path == "lines")
    wrong = bench.works("set", result, path, "-", text=text)
    return wrong or bench.equal(result, original, lambda old: changed(old, path, item))


REFUSED = [
    ("int", "1.5"),
    ("int", "x"),
    ("float", "abc"),
    ("true", "maybe"),
    ("none", "1"),
    ("list", "{}"),
    ("list", "[1"),
    ("i8", "128"),
    ("u16", "-1"),
    ("dtype", "torch.nothing"),
    ("dict", "1"),
    ("set", "[[1]]"),
    ("nowhere/x", "1"),
    ("list", '[{"a": 1}]'),
    ("complex", "(3+4j)"),
]


def values(bench, _):
    """Every container, every type."""
    things = all_values()
    for name in ("x.pth", "x-legacy.pth", "x.p0", "x.p1", "x.p2", "x.p3", "x.p4", "x.p5"):
        path = bench.save(things, name, "legacy" in name)
        for number, (key, text, item) in enumerate(SETTINGS):
            if name in ("x.p1", "x.p3") and number % 3:
                continue  # between their neighbours
            wrong = set_value(bench, path, key, text, copy.deepcopy(item))
            bench.tally.judge("%s: %s = %.40r" % (name, key, text), wrong)
        for key, text in REFUSED:
            copied = bench.copy(path)
            guard = Untouched(copied)
            code, _, err = bench.run("set", copied, key, text)
            wrong = one_sentence(code, err, copied) + guard.wrong("a refused set")
            bench.tally.judge("%s: %s = %r is refused" % (name, key, text), wrong)
