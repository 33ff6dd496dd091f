#!/usr/bin/env python3
"""Makes checkpoints that differ from base.pt in one thing each: diff_pairs.py DIRECTORY."""

import collections
import os
import sys
import warnings

import torch

warnings.simplefilter("ignore")


def base():
    """Return what they all begin with."""
    torch.manual_seed(1)
    return {
        "w": torch.randn(4, 6),
        "b": torch.zeros(6),
        "n": torch.tensor([1.0, float("nan")]),
        "epoch": 1,
        "d": {"x": 1, "l": [1, 2]},
        "e": {},
    }


def but(**changes):
    """Return the base with other values under some keys."""
    return {**base(), **changes}


def without(key):
    """Return the base without a key."""
    return {name: value for name, value in base().items() if name != key}


def touched(key, index, value):
    """Return the base with one other element."""
    new = base()
    new[key][index] = value
    return new


def variants():
    """Return {name: checkpoint}."""
    w = base()["w"]
    room = torch.zeros(48)
    room[:24] = w.flatten()
    tied = base()
    tied["w2"] = tied["w"]
    return {
        "base": base(),
        "dtype": but(w=w.double()),
        "shape": but(w=w.reshape(6, 4)),
        "grad": but(w=w.clone().requires_grad_()),
        "param": but(w=torch.nn.Parameter(w)),
        "stride": but(w=w.t().contiguous().t()),
        "negzero": but(b=-torch.zeros(6)),
        "epoch-text": but(epoch="1"),
        "tuple": but(d={"x": 1, "l": (1, 2)}),
        "list": but(d={"x": 1, "l": [1, 3]}),
        "order": dict(reversed(list(base().items()))),
        "no-empty": without("e"),
        "empty-list": but(e=[]),
        "ordered": but(d=collections.OrderedDict(x=1, l=[1, 2])),
        "tied": tied,
        "untied": but(w2=w.clone()),
        "renamed": {**without("w"), "w2": w},
        "last": touched("w", (3, 5), 9),
        "nan": touched("n", 0, 2),
        "other": but(w=torch.arange(3)),
        "dir-tensor": but(d=torch.zeros(2)),
        "none": but(epoch=None),
        "none-text": but(epoch="None"),
        "numpy": but(w=w.numpy()),
        "view": but(w=room[:24].view(4, 6)),
        "shared": but(w=room[:24].view(4, 6), b=room[24:30]),
        "sparse": but(w=torch.eye(3).to_sparse()),
        "quantized": but(w=torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)),
    }


def main():
    """Write them."""
    where = sys.argv[1]
    for name, value in variants().items():
        torch.save(value, os.path.join(where, name + ".pt"))
    torch.save(base(), os.path.join(where, "legacy.pt"), _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
