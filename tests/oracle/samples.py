"""Small checkpoints that the end-to-end tests of editing begin with, written by real torch."""

import argparse
import collections
import io
import sys
import types
import warnings

import numpy
import torch
from torch import nn

warnings.simplefilter("ignore")

# A class that is only known here: what pthfs has never heard of is kept all the same.
ELSEWHERE = types.ModuleType("elsewhere")
exec("class Trainer:\n    pass\n", ELSEWHERE.__dict__)
ELSEWHERE.Trainer.__module__ = "elsewhere"
sys.modules["elsewhere"] = ELSEWHERE


def trust():
    """Let weights_only=True load what the samples are made of."""
    if not hasattr(torch.serialization, "add_safe_globals"):
        return
    core = numpy._core if hasattr(numpy, "_core") else numpy.core
    kinds = [type(numpy.dtype(letter)) for letter in "bBhHiIqQefdFD?"]
    arrays = [core.multiarray._reconstruct, core.multiarray.scalar, numpy.ndarray, numpy.dtype]
    objects = [argparse.Namespace, ELSEWHERE.Trainer, collections.defaultdict, int]
    torch.serialization.add_safe_globals(kinds + arrays + objects)


def ramp(*shape, dtype=torch.float32, start=0):
    """Return a tensor that counts up."""
    size = 1
    for length in shape:
        size *= length
    return torch.arange(start, start + size, dtype=torch.float64).reshape(shape).to(dtype)


class Net(nn.Module):
    """Only for its state_dict: two levels, a buffer, tied weights."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.body(x))


def parallel():
    """Return the state_dict of a DataParallel model."""
    torch.manual_seed(7)
    return nn.DataParallel(Net()).state_dict()


def tensors():
    """Return every way in which tensors lie in storages."""
    base, tied = ramp(64), ramp(5, 3)
    waves = torch.view_as_complex(ramp(6, 2))
    return {
        "w": ramp(60, 100),
        "tied": tied,
        "again": tied,
        "base": base,
        "head": base[:16],
        "mid": base[8:24].view(4, 4),
        "t": ramp(6, 4).t(),
        "every": ramp(40)[::2],
        "conj": waves.conj(),
        "neg": torch._neg_view(ramp(3)),
        "param": nn.Parameter(ramp(2, 3)),
        "zero": torch.tensor(3.5),
        "none": torch.zeros(0, 3),
        "ints": ramp(8, dtype=torch.int64),
        "bool": torch.tensor([True, False, True]),
        "after": "the tensors",
    }


def values():
    """Return a value of every type that is written as text."""
    return {
        "int": 12,
        "big": 1 << 80,
        "negative": -3,
        "float": 0.1,
        "true": True,
        "str": "resnet",
        "lines": "one\ntwo\n",
        "none": None,
        "list": [1, 2.5, "x", None],
        "tuple": (0.9, 0.999),
        "nested": [[0, 1.5], [1, 2.5]],
        "bytes": b"\x00\x01\xff",
        "dtype": torch.float16,
        "device": torch.device("cuda", 1),
        "size": torch.Size([2, 3]),
        "set": {7},
        "dict": {"a": 1, 2: "b", "c": {}},
        "complex": 1 + 2j,
        "args": argparse.Namespace(lr=0.1, name="x", betas=(0.9, 0.999), none=None),
    }


def dtypes():
    """Return a tensor of every dtype that this torch has and saves."""
    out = {}
    names = sorted(name for name in dir(torch) if isinstance(getattr(torch, name), torch.dtype))
    for name in names:
        kind = getattr(torch, name)
        with_name = str(kind).replace("torch.", "")
        try:
            tensor = torch.zeros(4, dtype=kind)
            torch.save(tensor, io.BytesIO())
        except Exception:
            continue
        if not tensor.is_quantized and tensor.numel() * tensor.element_size() >= 4:
            out[with_name] = tensor
    return out


def arrays():
    """Return numpy arrays as they are found in checkpoints."""
    return {
        "plain": numpy.arange(6.0).reshape(2, 3),
        "fortran": numpy.asfortranarray(numpy.arange(6, dtype="i4").reshape(2, 3)),
        "big": numpy.arange(4, dtype=">i4"),
        "scalar": numpy.float64(2.5),
        "zero": numpy.array(7, dtype="i8"),
        "t": ramp(2, 2),
    }


def parts():
    """Return sparse and quantized tensors."""
    return {
        "coo": torch.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)),
        "csr": torch.tensor([[0.0, 1.0], [2.0, 0.0]]).to_sparse_csr(),
        "q": torch.quantize_per_tensor(ramp(2, 3), 0.5, 10, torch.quint8),
        "qc": torch.quantize_per_channel(ramp(2, 3), torch.tensor([0.5, 0.25]), torch.tensor([1, 2]), 0, torch.qint8),
        "w": ramp(3),
    }


def training():
    """Return a checkpoint as training scripts write it."""
    torch.manual_seed(7)
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(2):
        model(torch.randn(3, 4)).square().sum().backward()
        optimizer.step()
    trainer = ELSEWHERE.Trainer()
    trainer.best, trainer.weight = 0.5, ramp(3)
    return {
        "epoch": 12,
        "arch": "net",
        "model": nn.DataParallel(model).state_dict(),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.001, name="x"),
        "trainer": trainer,
        "ema": [ramp(2), ramp(3), {"decay": 0.5}],
        "pair": (ramp(2), 7),
        "counts": collections.defaultdict(int, a=1),
        "other": {"b.weight": ramp(2), "a.weight": ramp(3)},
    }


class Scripted(nn.Module):
    """A small TorchScript archive."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        return self.fc(x)


def twice():
    """Return one state_dict under two keys, as some training scripts keep it for old readers."""
    state = {"b.weight": ramp(2), "a.weight": ramp(3), "sub": {"x": ramp(4), "step": 5}}
    return {"model": state, "state_dict": state, "epoch": 3}


MAKERS = {
    "parallel": parallel,
    "tensors": tensors,
    "values": values,
    "dtypes": dtypes,
    "arrays": arrays,
    "parts": parts,
    "training": training,
    "twice": twice,
}


def make(name, path):
    """Write a sample; NAME-legacy in the format of before torch 1.6."""
    torch.manual_seed(7)
    if name == "script":
        torch.jit.script(Scripted()).save(path)
        return
    name, _, legacy = name.partition("-legacy")
    torch.save(MAKERS[name](), path, _use_new_zipfile_serialization=not path.endswith("-legacy.pth"))
