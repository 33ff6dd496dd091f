#!/usr/bin/env python3
"""Makes the good fixtures with real torch, and what torch says about each.

gen.py            write tests/data/good-* and tests/data/expect/*.json, and the file list of README.md
gen.py --check    make them in a temporary directory and say which differ from the committed ones
gen.py NAME...    write only these

It runs under torch 2.13 (PTHFS_TORCH_PYTHON) and calls torch 1.13 (PTHFS_TORCH113_PYTHON).
"""

import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable] + sys.argv)

import argparse
import collections
import datetime
import hashlib
import io
import json
import pathlib
import pickle
import struct
import subprocess
import tempfile
import types
import warnings
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "oracle"))

import numpy
import torch
from torch import nn

import hostile
import legacy
import walk
import zipkit as kit

warnings.simplefilter("ignore")
FIXTURES = {}


def fixture(name, why, expect=True):
    """Register a function that writes one fixture."""

    def add(func):
        FIXTURES[name] = (func, why, expect)
        return func

    return add


def saved(name, why, **how):
    """Register a function that returns the object torch.save writes."""

    def add(func):
        def write(path):
            torch.manual_seed(7)
            torch.save(func(), path, **how)

        FIXTURES[name] = (write, why, True)
        return func

    return add


def save_legacy(obj, path, **how):
    """Write a legacy stream with reproducible storage keys."""
    stream = io.BytesIO()
    torch.save(obj, stream, _use_new_zipfile_serialization=False, **how)
    pathlib.Path(path).write_bytes(legacy.canonical(stream.getvalue()))


def ramp(*shape, dtype=torch.float32, start=0):
    """Return a tensor that counts up from start."""
    size = 1
    for length in shape:
        size *= length
    return torch.arange(start, start + size, dtype=torch.float64).reshape(shape).to(dtype)


# --- classes that nobody has later -------------------------------------------------------------

GHOST = """
import enum, torch
from torch import nn

class Trainer:
    def __init__(self):
        self.name, self.steps, self.history = "ghost", 3, [1.5, 2.5]
        self.best = torch.arange(3, dtype=torch.float32)
        self.extra = {"lr": 0.1}

class Slots:
    __slots__ = ("left", "right")
    def __init__(self):
        self.left, self.right = 1, "two"

class Color(enum.Enum):
    RED = 1

class Marked(torch.Tensor):
    pass

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4, bias=False)
        self.norm = nn.BatchNorm1d(4)
        self.gain = nn.Parameter(torch.ones(4))
        self.missing = None
        self.register_parameter("nobias", None)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.body = nn.Sequential(Block(), Block())
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("mask", torch.tril(torch.ones(3, 3)))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.note = "not a tensor"

def step(x):
    return x
"""


def ghost():
    """Return the module whose classes cannot be imported when the fixtures are read."""
    module = types.ModuleType("pthfs_ghost")
    sys.modules["pthfs_ghost"] = module
    exec(GHOST, module.__dict__)
    return module


class Small(nn.Module):
    """Only a shape for state_dicts; never pickled itself."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.norm(self.conv(x)).mean((2, 3)))


def trained(model, optimizer):
    """Take one step so that the optimizer has state."""
    for number in range(2):
        optimizer.zero_grad()
        torch.manual_seed(number)
        model(torch.randn(2, 3, 5, 5)).square().sum().backward()
        optimizer.step()
    return optimizer


# --- state_dicts and checkpoints ---------------------------------------------------------------


@saved("good-state-dict.pth", "flat state_dict of a small net, with `_metadata`: the plain case")
def state_dict():
    return Small().state_dict()


@saved("good-plain-dict.bin", "the same tensors in an ordinary dict without `_metadata`, called .bin")
def plain_dict():
    return dict(Small().state_dict())


@saved("good-dataparallel.pth", "state_dict of a DataParallel model: every key begins with `module.`")
def dataparallel():
    return nn.DataParallel(Small()).state_dict()


def checkpoint_object():
    """Return a training checkpoint as the tutorials write it."""
    model = Small()
    optimizer = trained(model, torch.optim.Adam(model.parameters(), lr=0.001))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
    args = argparse.Namespace(data="/data/x", lr=0.001, epochs=90, gpu=None, resume="", betas=(0.9, 0.999))
    return {
        "epoch": 12,
        "arch": "small",
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "best_acc": 71.25,
        "args": args,
        "ema": [ramp(2), ramp(3, start=5)],
        "history": [[0, 2.5], [1, 1.25]],
    }


@saved(
    "good-checkpoint.ckpt",
    "nested training checkpoint: model, Adam state with int keys, scheduler, Namespace, list of tensors",
)
def checkpoint():
    return checkpoint_object()


@saved("good-values.pt", "one of every kind of value, from None to numpy scalars, and of every kind of container")
def values():
    module = ghost()
    ordered = collections.OrderedDict(b=1, a=2)
    ordered.note = "an attribute"
    return {
        "none": None,
        "true": True,
        "false": False,
        "zero": 0,
        "negative": -7,
        "byte": 255,
        "word": 65535,
        "int32": -(2**31),
        "int64": 2**63 - 1,
        "big": 2**200 + 1,
        "bignegative": -(2**64),
        "half": 0.5,
        "tenth": 0.1,
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "exp": 1e-08,
        "e16": 1e16,
        "e22": 1e22,
        "e15": 123456789012345.0,
        "minuszero": -0.0,
        "nan": float("nan"),
        "inf": float("inf"),
        "ninf": float("-inf"),
        "complex": 1 + 2j,
        "imaginary": -0.5j,
        "text": "plain",
        "emptytext": "",
        "newline": "two\nlines\n",
        "unicode": "größe 重さ \U0001f525",
        "surrogate": "\ud800",
        "bytes": b"\x00\xffabc\n",
        "nobytes": b"",
        "bytearray": bytearray(b"xyz"),
        "set": {1, 2, 3},
        "frozenset": frozenset([7]),
        "emptyset": set(),
        "size": torch.Size([3, 4]),
        "dtype": torch.bfloat16,
        "device": torch.device("cuda", 1),
        "cpu": torch.device("cpu"),
        "layout": torch.strided,
        "class": nn.Linear,
        "builtin": int,
        "function": torch.nn.functional.relu,
        "lenfunction": len,
        "ghostfunction": module.step,
        "datetime": datetime.datetime(2024, 2, 29, 12, 30, 45, 123456),
        "date": datetime.date(2024, 2, 29),
        "utc": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc),
        "path": pathlib.PurePosixPath("/tmp/x/y.txt"),
        "color": module.Color.RED,
        "betas": (0.9, 0.999),
        "list": [1, 2.0, True, None, 'a"b\\c\n', [float("nan"), float("-inf")]],
        "emptylist": [],
        "emptytuple": (),
        "nestedlist": [[1, 2], (3, "ü")],
        "listofdict": [{"lr": 0.1}, 5],
        "listofempty": [{}],
        "emptydict": {},
        "ordered": ordered,
        "default": collections.defaultdict(list, a=[1]),
        "counter": collections.Counter("aab"),
        "namespace": argparse.Namespace(a=1, b=argparse.Namespace(c=[1])),
        "emptynamespace": argparse.Namespace(),
        "simple": types.SimpleNamespace(x=1.5),
        "trainer": module.Trainer(),
        "slots": module.Slots(),
        "npfloat64": numpy.float64(0.1),
        "npfloat32": numpy.float32(0.5),
        "npint64": numpy.int64(-5),
        "npbool": numpy.bool_(True),
        "npuint8": numpy.uint8(200),
        "nplist": [numpy.float64(1.5)],
    }


# --- tensors -----------------------------------------------------------------------------------

DTYPES = ("uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128 bool bfloat16").split()
NEW_DTYPES = (
    "uint16 uint32 uint64 complex32 float8_e5m2 float8_e4m3fn float8_e5m2fnuz float8_e4m3fnuz float8_e8m0fnu "
    "float4_e2m1fn_x2 bits1x8 bits2x4 bits4x2 bits8 bits16"
).split()


def of_dtype(name):
    """Return a 2x3 tensor with recognisable bytes."""
    dtype = getattr(torch, name)
    if name == "bool":
        return torch.tensor([[True, False, True], [False, False, True]])
    if name in NEW_DTYPES:
        size = torch.empty(0, dtype=dtype).element_size()
        raw = torch.arange(6 * size, dtype=torch.uint8) * 5 + 1
        return (
            raw.view(dtype).reshape(2, 3) if not name.startswith(("bits", "float4")) else raw.reshape(2, -1).view(dtype)
        )
    return ramp(2, 3, start=1).to(dtype) / (1 if "int" in name else 3)


@saved("good-dtypes.pt", "a tensor of every dtype that torch 2.13 can save, typed storages and untyped ones")
def dtypes():
    return {name: of_dtype(name) for name in DTYPES + NEW_DTYPES}


@saved(
    "good-views.pt",
    "tied, overlapping, transposed, strided, expanded, 0-d, empty and channels_last tensors on few storages",
)
def views():
    base, image, tied = ramp(4, 6), ramp(1, 3, 2, 2).to(memory_format=torch.channels_last), ramp(2, 3, start=50)
    return {
        "base": base,
        "same": base,
        "alias": base.view(4, 6),
        "row1": base[1],
        "rows12": base[1:3],
        "transposed": base.t(),
        "every2nd": base[::2, ::3],
        "column": base[:, 2],
        "flat": base.view(-1),
        "scalar_in": base[2, 3],
        "expanded": torch.tensor([1.0, 2.0]).reshape(2, 1).expand(2, 5),
        "overlapping": base.as_strided((3, 4), (2, 1), 1),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "empty2": torch.empty(2, 0, 4),
        "channels_last": image,
        "ones_dims": ramp(3, 1).t(),
        "embed.weight": tied,
        "lm_head.weight": tied,
        "last": ramp(8)[7:],
        "permuted": ramp(2, 3, 4).permute(2, 0, 1),
    }


@saved("good-conj-neg.pt", "conjugate and negative views: the file's bytes are not the tensor's")
def conj_neg():
    base = torch.complex(ramp(3), ramp(3, start=10))
    return {
        "base": base,
        "conj": base.conj(),
        "neg": torch._neg_view(ramp(3, start=1)),
        "neg_t": torch._neg_view(ramp(2, 3)).t(),
        "both": torch._neg_view(base.conj().clone()).conj(),
        "conj_t": base.reshape(3, 1).expand(3, 2).mH,
        "conj128": base.to(torch.complex128).conj(),
    }


@saved(
    "good-parameters.pt",
    "Parameter with and without gradient or attributes, Buffer, tensor subclass, tensor with attributes",
)
def parameters():
    module = ghost()
    marked = nn.Parameter(ramp(2))
    marked.tag = "attribute"
    sub = ramp(3).as_subclass(module.Marked)
    sub.note = {"deep": 1}
    plain = ramp(2, 2)
    plain.extra = 5
    return {
        "param": nn.Parameter(ramp(2, 2)),
        "frozen": nn.Parameter(ramp(2), requires_grad=False),
        "attributed": marked,
        "grad": ramp(3).requires_grad_(),
        "buffer": nn.Buffer(ramp(2)),
        "subclass": sub,
        "plain_attributed": plain,
        "transposed_param": nn.Parameter(ramp(2, 3).t()),
    }


@saved("good-quantized.pt", "quantized tensors, per tensor and per channel: directories of their parts")
def quantized():
    x = torch.tensor([[-1.0, 0.5, 2.0], [3.0, -0.25, 0.0]])
    out = {
        str(kind)[6:]: torch.quantize_per_tensor(x, 0.05, 3 if kind != torch.qint32 else 0, kind)
        for kind in (torch.quint8, torch.qint8, torch.qint32)
    }
    out["channels"] = torch.quantize_per_channel(
        x, torch.tensor([0.1, 0.02], dtype=torch.float64), torch.tensor([3, -5]), 0, torch.qint8
    )
    out["columns"] = torch.quantize_per_channel(
        x, torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2]), 1, torch.quint8
    )
    out["plain"] = x
    return out


@saved("good-subbyte.pt", "quantized tensors with two and four elements in a byte")
def subbyte():
    x = ramp(2, 8) / 8
    return {
        str(kind)[6:]: torch.quantize_per_channel(x, torch.tensor([0.1, 0.2]), torch.tensor([0.0, 1.0]), 0, kind)
        for kind in (torch.quint4x2, torch.quint2x4)
    }


@saved("good-sparse.pt", "sparse COO (coalesced and not), CSR, CSC, BSR, BSC: directories of their parts")
def sparse():
    x = torch.tensor([[0, 1.0, 0, 0], [2.0, 0, 0, 3.0], [0, 0, 0, 0], [0, 0, 4.0, 0]])
    twice = torch.sparse_coo_tensor([[0, 0, 1], [1, 1, 2]], [1.0, 2.0, 3.0], (3, 3))
    hybrid = torch.sparse_coo_tensor([[0, 2]], [[1.0, 2.0], [3.0, 4.0]], (4, 2))
    return {
        "coo": x.to_sparse().coalesce(),
        "uncoalesced": twice,
        "hybrid": hybrid,
        "csr": x.to_sparse_csr(),
        "csc": x.to_sparse_csc(),
        "bsr": x.to_sparse_bsr((2, 2)),
        "bsc": x.to_sparse_bsc((2, 2)),
        "dense": x,
    }


@saved("good-nested.pt", "a nested tensor: a directory of its buffer, sizes, strides and offsets")
def nested():
    return {"nested": torch.nested.nested_tensor([ramp(2, 3), ramp(1, 3, start=9)]), "dense": ramp(2)}


@saved("good-meta.pt", "tensors on the meta device: shapes without bytes")
def meta():
    return {
        "meta": torch.empty(1000, 1000, device="meta"),
        "half": torch.empty(3, device="meta", dtype=torch.float16),
        "transposed": torch.empty(3, 4, device="meta").t(),
        "parameter": nn.Parameter(torch.empty(2, device="meta")),
        "real": ramp(2),
    }


# --- whole models ------------------------------------------------------------------------------


def net():
    """Return a model of a class that is not installed later."""
    torch.manual_seed(3)
    return ghost().Net()


@saved("good-module.pt", "a whole model of torch's own classes (Sequential, BatchNorm): state_dict() at the root")
def whole_model():
    return nn.Sequential(
        collections.OrderedDict(
            conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), act=nn.ReLU(), head=nn.Sequential(nn.Linear(2, 3))
        )
    )


@saved(
    "good-module-ghost.pt",
    "a whole model whose class is not installed: tied weights, non-persistent buffer, None parameters",
)
def whole_ghost():
    return net()


@saved("good-module-dataparallel.pth", "a whole model wrapped in DataParallel: keys begin with `module.`")
def whole_dataparallel():
    return nn.DataParallel(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))


@saved("good-module-in-checkpoint.pt", "a whole model as one value of a checkpoint, as ultralytics writes it")
def module_in_checkpoint():
    return {"model": net(), "epoch": 3, "ema": None}


# --- numpy -------------------------------------------------------------------------------------


def arrays():
    """Return numpy arrays of all the forms a pickle has."""
    shared = numpy.arange(4, dtype=numpy.float32)
    record = numpy.array([(1, 2.5), (3, 4.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    return {
        "c": numpy.arange(6, dtype=numpy.float64).reshape(2, 3),
        "fortran": numpy.asfortranarray(numpy.arange(6, dtype=numpy.int32).reshape(2, 3)),
        "big": numpy.arange(5, dtype=">i4"),
        "bigfloat": numpy.linspace(0, 1, 4).astype(">f8").reshape(2, 2),
        "bool": numpy.array([True, False]),
        "half": numpy.arange(3, dtype=numpy.float16),
        "complex": numpy.array([1 + 2j, 3j]),
        "uint16": numpy.arange(3, dtype=numpy.uint16),
        "zerod": numpy.array(7.5),
        "empty": numpy.empty((0, 2), dtype=numpy.float32),
        "struct": record,
        "text": numpy.array(["ab", "c"]),
        "bytestrings": numpy.array([b"ab", b"c"]),
        "objects": numpy.array([1, "two", None], dtype=object),
        "dates": numpy.array(["2024-02-29"], dtype="M8[D]"),
        "masked": numpy.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 1, 0]),
        "shared": shared,
        "shared_too": shared,
        "strided": numpy.arange(10, dtype=numpy.int16)[::3],
        "list": [numpy.arange(2), 5],
    }


@saved(
    "good-numpy.pt", "numpy arrays among the values: C, Fortran, big-endian, structured, text, object, masked, shared"
)
def numpy_arrays():
    return arrays()


# --- keys --------------------------------------------------------------------------------------


def weird_keys():
    """Return a dict with keys that are no file names."""
    keys = [
        "",
        ".",
        "..",
        "...",
        "a/b",
        "/abs",
        "../up",
        "nul\0key",
        "new\nline",
        "\x1b[31m",
        "\x7f",
        "a%2Fb",
        "100%",
        "%zz",
        "%",
        " space ",
        "x" * 300,
        "ü" * 200,
        "\ud800lone",
        "ümlaut",
        "C:\\x",
        "-rf",
        "module",
        "module.a",
        "a",
        "a.meta",
        "a.npy",
        "a.meta~",
        ".pthfs",
        "0",
        0,
        1,
        True and "1",
        (0, 1),
        ("s", None),
        None,
        2.5,
        float("inf"),
        "~",
        "0~2",
        "None",
        "dir.meta",
        "value",
        "name~2",
        "y" * 250,
        "y" * 251,
        b"bytes",
    ]
    return {key: torch.full((2,), float(at)) for at, key in enumerate(keys)}


@saved(
    "good-weird-keys.pt",
    "keys that are no file names, keys that are not strings, keys with one spelling, and our own names",
)
def weird():
    out = weird_keys()
    out["dir"] = {True: 1, False: {"": 2}, "True": ramp(1)}
    return out


# --- top objects -------------------------------------------------------------------------------


@saved("good-top-tensor.pt", "the top object is a tensor: the one file `value`")
def top_tensor():
    return ramp(2, 3)


@saved("good-top-quantized.pt", "the top object is a quantized tensor: the directory `value`")
def top_quantized():
    return torch.quantize_per_tensor(ramp(3), 0.5, 1, torch.quint8)


@saved("good-top-list.pt", "the top object is a list with tensors: `0`, `1`, ...")
def top_list():
    return [ramp(2), {"a": ramp(3)}, 5, (1, 2), (ramp(1),)]


@saved("good-top-json.pt", "the top object is a list of numbers: the one file `value`")
def top_json():
    return [1, 2.5, None]


@saved("good-top-int.bin", "the top object is an int")
def top_int():
    return 42


@saved("good-top-namespace.pt", "the top object is a Namespace: a directory of its attributes")
def top_namespace():
    return argparse.Namespace(weight=ramp(2), lr=0.5)


@saved("good-empty-dict.pt", "the top object is an empty dict, and there is no storage at all")
def empty_dict():
    return {}


@saved("good-protocol4.pt", "torch.save with pickle_protocol=4: frames, MEMOIZE, SHORT_BINUNICODE", pickle_protocol=4)
def protocol4():
    return checkpoint_object()


@saved("good-protocol5.pt", "torch.save with pickle_protocol=5", pickle_protocol=5)
def protocol5():
    return {
        "w": ramp(2, 2),
        "bytes": b"raw",
        "set": {1},
        "frozen": frozenset([2]),
        "array": numpy.arange(3.0),
        "bytearray": bytearray(b"ba"),
    }


# --- legacy streams ----------------------------------------------------------------------------


def legacy_fixture(name, why, make, **how):
    """Register a legacy stream of what make() returns."""

    def write(path):
        torch.manual_seed(7)
        save_legacy(make(), path, **how)

    FIXTURES[name] = (write, why, True)


legacy_fixture("good-legacy-state-dict.pth", "legacy stream of a state_dict", state_dict)
legacy_fixture(
    "good-legacy-checkpoint.pth.tar", "legacy stream of a training checkpoint, called .tar", checkpoint_object
)
legacy_fixture("good-legacy-views.pt", "legacy stream of tied and strided tensors", views)
legacy_fixture(
    "good-legacy-dtypes.pt",
    "legacy stream of the dtypes with a typed storage",
    lambda: {name: of_dtype(name) for name in DTYPES},
)
legacy_fixture("good-legacy-quantized.pt", "legacy stream of quantized tensors", quantized)
legacy_fixture("good-legacy-values.pkl", "legacy stream of every kind of value", values)
legacy_fixture(
    "good-legacy-module.pt",
    "legacy stream of a whole nn.Linear, with the class's source text in the persistent id",
    lambda: nn.Linear(2, 3),
)


@fixture(
    "good-legacy-untyped.pt",
    "legacy stream of the dtypes without a typed storage: torch 2.13 writes it and fails to read it",
    expect="object",
)
def legacy_untyped(path):
    save_legacy(untyped_object(), path)


def untyped_object():
    """Return the tensors that only a zip can be read back with."""
    return {name: of_dtype(name) for name in NEW_DTYPES}


@fixture(
    "good-legacy-windows.pt", "hand-written legacy stream with view_metadata: windows of a root storage, as before 0.4"
)
def legacy_windows(path):
    float_storage = kit.Global("torch", "FloatStorage")

    def window(view):
        return kit.Pid(("storage", float_storage, "100", "cpu", 8, view))

    obj = {
        "root": kit.tensor(window(None), (8,)),
        "first": kit.tensor(window(("101", 0, 4)), (2, 2)),
        "second": kit.tensor(window(("102", 4, 4)), (4,)),
        "second_again": kit.tensor(window(("102", 4, 4)), (2,), offset=1),
        "other": kit.tensor(kit.Pid(("storage", kit.Global("torch", "LongStorage"), "200", "cpu", 1, None)), (1,)),
    }
    blocks = [(8, kit.floats(*range(8))), (1, struct.pack("<q", -9))]
    pathlib.Path(path).write_bytes(kit.legacy_stream(obj, ["100", "200"], blocks))


@fixture(
    "good-legacy-python2.pth",
    "legacy stream as Python 2 wrote it: byte strings, OrderedDict([[k, v], ...]), _rebuild_tensor",
)
def legacy_python2(path):
    def old(key, shape, stride, cls, numel):
        where = kit.Pid((kit.Str2(b"storage"), kit.Global("torch", cls), kit.Str2(key), kit.Str2(b"cpu"), numel, None))
        return kit.Call(kit.Global("torch._utils", "_rebuild_tensor"), (where, 0, shape, stride))

    items = [
        [kit.Str2(b"conv.weight"), old(b"300", (2, 2), (2, 1), "FloatStorage", 4)],
        [kit.Str2(b"conv.bias"), old(b"400", (3,), (1,), "DoubleStorage", 3)],
    ]
    obj = kit.Call(kit.Global("collections", "OrderedDict"), (items,))
    blocks = [(4, kit.floats(1, 2, 3, 4)), (3, struct.pack("<3d", 5, 6, 7))]
    keys = [kit.Str2(b"300"), kit.Str2(b"400")]
    pathlib.Path(path).write_bytes(kit.legacy_stream(obj, keys, blocks))


@fixture("good-legacy-trailing.pt", "legacy stream with bytes after the last storage, which torch ignores")
def legacy_trailing(path):
    save_legacy({"w": ramp(2), "none": torch.empty(0)}, path)
    with open(path, "ab") as stream:
        stream.write(b"trailing bytes")


# --- the tar -----------------------------------------------------------------------------------


def tar_members():
    """Return the members of a tar as torch wrote it before 0.1.7."""

    def pid(key):
        return kit.Pid(key)

    float_storage = kit.Global("torch", "FloatStorage")
    storages = kit.dumps(2) + kit.dumps((1, "cpu", float_storage)) + struct.pack("<q", 6) + kit.floats(*range(6))
    storages += (
        kit.dumps((2, "cpu", kit.Global("torch", "LongStorage"))) + struct.pack("<q", 2) + struct.pack("<2q", -1, 5)
    )
    storages += kit.dumps([(3, 1, 4, 2)])

    def described(key, storage, cls, shape, stride, offset):
        head = kit.dumps((key, storage, kit.Global("torch", cls))) + struct.pack("<i4x", len(shape))
        return head + struct.pack("<%dq" % (2 * len(shape) + 1), *shape, *stride, offset)

    tensors = (
        kit.dumps(4)
        + described(10, 1, "FloatTensor", (2, 3), (3, 1), 0)
        + described(11, 1, "FloatTensor", (3, 2), (1, 3), 0)
    )
    tensors += described(12, 2, "LongTensor", (2,), (1,), 0) + described(13, 3, "FloatTensor", (2,), (1,), 0)
    obj = {"weight": pid(10), "transposed": pid(11), "ints": pid(12), "window": pid(13), "epoch": 4, "tied": pid(10)}
    return [
        ("sys_info", kit.dumps(kit.SYS_INFO)),
        ("pickle", kit.dumps(obj)),
        ("tensors", tensors),
        ("storages", storages),
    ]


@fixture("good-old-format.tar", "the tar format of before 0.1.7, built by hand and loaded with torch 1.13")
def old_tar(path):
    import tarfile

    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in tar_members():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


# --- plain pickles -----------------------------------------------------------------------------


class StablePickler(pickle.Pickler):
    """Pickles storages as torch does, with reproducible keys in the embedded legacy streams."""

    def reducer_override(self, obj):
        if isinstance(obj, (torch.storage.TypedStorage, torch.UntypedStorage)):
            stream = io.BytesIO()
            torch.save(obj, stream, _use_new_zipfile_serialization=False)
            return torch.storage._load_from_bytes, (legacy.canonical(stream.getvalue()),)
        return NotImplemented


def plain_values():
    """Return values that all pickle protocols can write."""
    return {
        "none": None,
        "true": True,
        "int": -5,
        "big": 2**70,
        "float": 0.1,
        "text": "größe\n",
        "list": [1, (2, 3)],
        "bytes": b"\x01\xff",
        "dict": {1: 2, "a": []},
        "complex": 2j,
        "set": {4},
        "ordered": collections.OrderedDict(x=1),
        "nan": float("nan"),
    }


def plain_fixture(name, why, make, protocol):
    """Register a plain pickle."""

    def write(path):
        with open(path, "wb") as stream:
            StablePickler(stream, protocol).dump(make())

    FIXTURES[name] = (write, why, True)


for number in range(6):
    plain_fixture("good-plain-p%d.pkl" % number, "plain pickle of values, protocol %d" % number, plain_values, number)
    plain_fixture(
        "good-plain-tensors-p%d.pkl" % number,
        "plain pickle of tensors, protocol %d: legacy streams inside `_load_from_bytes`" % number,
        lambda: {"w": ramp(2, 3), "t": ramp(2, 3).t(), "p": nn.Parameter(ramp(2)), "i": torch.tensor(5)},
        number,
    )
for number in (0, 2, 5):
    plain_fixture(
        "good-plain-numpy-p%d.pkl" % number, "plain pickle of numpy arrays, protocol %d" % number, arrays, number
    )


# --- zips --------------------------------------------------------------------------------------


def records_of(obj, **how):
    """Return the records of a torch 2.13 zip as (name, data), without the folder."""
    stream = io.BytesIO()
    torch.save(obj, stream, **how)
    with zipfile.ZipFile(stream) as archive:
        return [(info.filename.split("/", 1)[1], archive.read(info)) for info in archive.infolist()]


def sample():
    """Return a small checkpoint for the zip variations."""
    return {
        "w": ramp(4, 5),
        "b": ramp(3, dtype=torch.float16),
        "n": torch.tensor(7),
        "epoch": 3,
        "empty": torch.empty(0),
    }


def rebuilt(path, change=lambda record: record, order=lambda records: records, obj=None, **how):
    """Write the sample with changed records; `.format_version` goes, since the layout is not torch's."""
    records = [
        kit.Record(name, data)
        for name, data in records_of(sample() if obj is None else obj)
        if name != ".format_version"
    ]
    data, _ = kit.write_zip([change(record) for record in order(records)], **how)
    pathlib.Path(path).write_bytes(data)


@fixture("good-zip-deflated.pt", "every record deflated, as a zip tool writes it")
def zip_deflated(path):
    def change(record):
        record.method = kit.DEFLATED if record.data else kit.STORED
        return record

    rebuilt(path, change)


@fixture("good-zip-pickle-last.pt", "data.pkl is the last record")
def zip_pickle_last(path):
    rebuilt(path, order=lambda records: sorted(records, key=lambda record: record.name == "data.pkl"))


@fixture("good-zip-dead-space.pt", "dead bytes between the records and before the directory")
def zip_dead_space(path):
    records = [kit.Record(name, data) for name, data in records_of(sample()) if name != ".format_version"]
    for record in records[1:]:
        record.gap = b"dead space " * 7
    pathlib.Path(path).write_bytes(kit.write_zip(records, gap=b"more" * 9)[0])


@fixture("good-zip-comment.pt", "an archive comment after the end record")
def zip_comment(path):
    rebuilt(path, comment=b"made for a test")


@fixture("good-zip-no-zip64.pt", "no zip64 end record, as other zip writers leave it out")
def zip_no_zip64(path):
    rebuilt(path, end64=False)


@fixture("good-zip-no-padding.pt", "no FB padding and no descriptors: sizes in the local headers, storages unaligned")
def zip_no_padding(path):
    def change(record):
        record.descriptor = False
        return record

    rebuilt(path, change, pad=False)


@fixture("good-zip-folder.pt", "another folder name than the file's, and records that torch does not know")
def zip_folder(path):
    rebuilt(
        path,
        order=lambda records: records
        + [kit.Record("data/99", b"unused"), kit.Record("extra/notes.txt", b"hello\n"), kit.Record("extra/", b"")],
        folder="some folder",
    )


@fixture("good-zip-address-keys.pt", "storages named by addresses and an archive without byteorder, as 1.6 wrote it")
def zip_address_keys(path):
    def old(key, shape, cls="FloatStorage"):
        return kit.tensor(key, shape, cls=cls)

    obj = {
        "w": old("94529884316480", (2, 2)),
        "b": old("140230884316480", (3,), "HalfStorage"),
        "again": old("94529884316480", (4,)),
    }
    records = [
        kit.Record("data.pkl", kit.dumps(obj)),
        kit.Record("data/140230884316480", struct.pack("<3e", 1, 2, 3)),
        kit.Record("data/94529884316480", kit.floats(1, 2, 3, 4)),
        kit.Record("version", b"3\n"),
    ]
    pathlib.Path(path).write_bytes(kit.write_zip(records)[0])


@fixture("good-zip-path-key.pt", "a storage key with a slash in it, which torch accepts")
def zip_path_key(path):
    obj = {"w": kit.tensor("abc/def.bin", (2,))}
    records = [
        kit.Record("data.pkl", kit.dumps(obj)),
        kit.Record("data/abc/def.bin", kit.floats(1, 2)),
        kit.Record("version", b"3\n"),
    ]
    pathlib.Path(path).write_bytes(kit.write_zip(records)[0])


@fixture(
    "good-zip-long-storage.pt",
    "a storage record longer than its numel says (torch 1.13 loads it, 2.13 does not)",
    expect="1.13",
)
def zip_long_storage(path):
    obj = {"w": kit.tensor("0", (2,), numel=2), "part": kit.tensor("1", (2,), offset=1, numel=5)}
    records = [
        kit.Record("data.pkl", kit.dumps(obj)),
        kit.Record("data/0", kit.floats(1, 2, 3, 4)),
        kit.Record("data/1", kit.floats(1, 2, 3, 4, 5)),
        kit.Record("version", b"3\n"),
    ]
    pathlib.Path(path).write_bytes(kit.write_zip(records)[0])


def swap(data, size):
    """Return the bytes with every element turned around."""
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


@fixture(
    "good-zip-big-endian.pt",
    "a checkpoint of a big-endian machine: byteorder `big`, storages swapped (the untyped ones not)",
)
def zip_big_endian(path):
    obj = {
        "f4": ramp(2, 3),
        "f2": ramp(3, dtype=torch.float16),
        "f8": ramp(2, dtype=torch.float64),
        "i8": torch.tensor([1, -2]),
        "i2": ramp(3, dtype=torch.int16),
        "u1": ramp(4, dtype=torch.uint8),
        "bf": ramp(2, dtype=torch.bfloat16),
        "bool": torch.tensor([True, False]),
        "c8": torch.complex(ramp(2), ramp(2, start=5)),
        "u2": of_dtype("uint16"),
    }
    sizes = [4, 2, 8, 8, 2, 1, 2, 1, 4, 1]
    records = []
    for name, data in records_of(obj):
        if name == "byteorder":
            data = b"big"
        if name.startswith("data/"):
            data = swap(data, sizes[int(name[5:])])
        if name != ".format_version":
            records.append(kit.Record(name, data))
    pathlib.Path(path).write_bytes(kit.write_zip(records)[0])


# --- torch 1.13 --------------------------------------------------------------------------------

OLD_TORCH = """
import argparse, collections, sys, torch
from torch import nn
torch.manual_seed(7)
net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
net(torch.ones(2, 3)).sum().backward(); opt.step()
objects = {
    "state": net.state_dict(),
    "checkpoint": {"epoch": 1, "state_dict": nn.DataParallel(net).state_dict(), "optimizer": opt.state_dict(), "args": argparse.Namespace(lr=0.1)},
    "module": net,
    "csr": {"csr": torch.eye(3).to_sparse_csr(), "coo": torch.eye(3).to_sparse(), "many": [torch.full((2,), float(i)) for i in range(12)]},
}
torch.save(objects[sys.argv[1]], sys.argv[2], _use_new_zipfile_serialization=sys.argv[3] == "zip")
"""


def old_fixture(name, why, what, form, expect=True):
    """Register a file that torch 1.13 writes."""

    def write(path):
        python = os.environ.get("PTHFS_TORCH113_PYTHON", "/usr/bin/python3")
        subprocess.run([python, "-W", "ignore", "-c", OLD_TORCH, what, str(path), form], check=True)
        if form == "legacy":
            target = pathlib.Path(path)
            target.write_bytes(legacy.canonical(target.read_bytes()))

    FIXTURES[name] = (write, why, expect)


old_fixture("good-113-state-dict.pt", "state_dict from torch 1.13: no byteorder, no serialization_id", "state", "zip")
old_fixture(
    "good-113-checkpoint.pth",
    "training checkpoint from torch 1.13, DataParallel keys, SGD momentum",
    "checkpoint",
    "zip",
)
old_fixture("good-113-module.pt", "whole model from torch 1.13, whose __dict__ is shorter", "module", "zip")
old_fixture(
    "good-113-sparse.pt",
    "CSR and COO as torch 1.13 writes them, and 12 storages (sorted as text)",
    "csr",
    "zip",
    expect="1.13",
)
old_fixture("good-113-legacy.pth", "legacy stream from torch 1.13", "checkpoint", "legacy")


# --- the demo, and what is not for us ----------------------------------------------------------


class DemoNet(nn.Module):
    """The small convolutional net of the README."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.embed = nn.Embedding(64, 32)
        self.fc = nn.Linear(32, 64)
        self.fc.weight = self.embed.weight

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(torch.relu(self.bn2(self.conv2(x))).mean((2, 3)))


@saved(
    "demo.pth",
    "the README's demo: training checkpoint of a small net with `module.` keys, Adam state, tied and transposed tensors",
)
def demo():
    model = DemoNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.001)
    trained(model, optimizer)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
    state = nn.DataParallel(model).state_dict()
    projection = torch.randn(64, 32)
    args = argparse.Namespace(
        arch="demonet",
        data="/data/cifar10",
        epochs=90,
        batch_size=128,
        lr=0.001,
        betas=(0.9, 0.999),
        seed=7,
        amp=False,
        resume=None,
    )
    return {
        "epoch": 12,
        "arch": "demonet",
        "model": state,
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": scheduler.state_dict(),
        "projection": projection,
        "projection_t": projection.t(),
        "best_acc": 71.25,
        "args": args,
    }


@fixture(
    "unsupported-torchscript.pt",
    "a TorchScript archive of torch 1.13: to be refused in words until it is supported",
    expect=False,
)
def torchscript(path):
    code = "import torch, sys; torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), sys.argv[1])"
    python = os.environ.get("PTHFS_TORCH113_PYTHON", "/usr/bin/python3")
    torch.manual_seed(7)
    subprocess.run([python, "-W", "ignore", "-c", "import torch; torch.manual_seed(7)\n" + code, str(path)], check=True)


def old_expectation(path):
    """Return what torch 1.13 says, for files that 2.13 refuses."""
    python = os.environ.get("PTHFS_TORCH113_PYTHON", "/usr/bin/python3")
    command = [python, "-W", "ignore", str(HERE.parent / "oracle" / "walk.py"), str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def untyped_expectation(path):
    """Return what torch says of the same tensors in a zip, for the stream that it cannot read."""
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder) / "zip.pt"
        torch.save(untyped_object(), other)
        document = walk.expectation(other)
    return {**document, "file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def register_hostile():
    """Say what torch makes of the control and of the odd names, which hostile.py writes."""
    for name, _, _, why, build in hostile.CASES:
        if name.startswith(("good-", "bad-name-")):
            FIXTURES[name] = (lambda path, build=build: path.write_bytes(build()), why, True)


register_hostile()


# --- main --------------------------------------------------------------------------------------


def make(name, folder):
    """Write one fixture and its expectation into a folder."""
    func, _, expect = FIXTURES[name]
    path = folder / name
    func(path)
    if expect:
        document = {True: walk.expectation, "1.13": old_expectation, "object": untyped_expectation}[expect](path)
        (folder / "expect").mkdir(exist_ok=True)
        target = folder / "expect" / (name + ".json")
        lines = ",\n  ".join(json.dumps(entry) for entry in document.pop("entries"))
        head = json.dumps(document)[:-1]
        target.write_text('%s, "entries": [\n  %s\n]}\n' % (head, lines) if lines else '%s, "entries": []}\n' % head)


def check(chosen):
    """Regenerate into a temporary directory and print which files differ from the committed ones."""
    differ = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for name in chosen:
            make(name, folder)
            for part in (name, "expect/%s.json" % name):
                fresh, kept = folder / part, HERE / part
                if not fresh.exists():
                    continue
                if not kept.exists() or fresh.read_bytes() != kept.read_bytes():
                    print("differs: %s" % part)
                    differ += 1
    print("%d of %d fixtures made, %d files differ" % (len(chosen), len(FIXTURES), differ))
    return 1 if differ else 0


def readme():
    """Write the list of files in README.md between its two marks."""
    target = HERE / "README.md"
    text = target.read_text()
    begin, end = "<!-- files -->\n", "<!-- end of files -->"
    rows = ["| `%s` | %s |" % (name, why) for name, (_, why, _) in sorted(FIXTURES.items()) if name[:4] != "bad-"]
    hostile = HERE / "hostile.tsv"
    if hostile.exists():
        for line in hostile.read_text().splitlines()[1:]:
            name, verdict, _, why = line.split("\t")
            if name in FIXTURES and not name.startswith("bad-"):
                continue
            rows.append("| `%s` | %s (%s) |" % (name, why.replace("|", "\\|"), verdict))
    head, tail = text.split(begin)[0], text.split(end)[1]
    target.write_text(
        head + begin + "| file | what it is and why |\n| --- | --- |\n" + "\n".join(rows) + "\n" + end + tail
    )


def main():
    """Write, check or list."""
    words = sys.argv[1:]
    if "--check" in words:
        return check([name for name in FIXTURES if name in words] or list(FIXTURES))
    if "--readme" not in words:
        for name in [name for name in FIXTURES if name in words] or list(FIXTURES):
            make(name, HERE)
    if (HERE / "README.md").exists():
        readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
