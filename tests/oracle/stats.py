#!/usr/bin/env python3
"""Holds the numbers of KEY.stats and `pthfs stats` against what real torch computes, for every tensor of checkpoints.

stats.py [--pthfs BIN] CHECKPOINT...

torch, under which this runs, is the reference. Counts, min and max have to be equal; mean to 1e-12 of the mean magnitude
and std to 1e-10 of itself (torch's own sum of squares is off by some 1e-12 after a million elements). Prints one line for each difference. Exit codes: 0 the same, 1 different, 2 not possible.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import torch
import walk

MEMBERS = ("count", "nan", "pos_inf", "neg_inf", "zeros", "min", "max", "mean", "std", "abs_max")
TOLERANCE = {"mean": 1e-12, "std": 1e-10, "abs_max": 1e-12}  # of abs_max: the modulus of complex numbers
MOST_ELEMENTS = 1 << 28  # larger ones only grow by expansion


class Collector(walk.Walker):
    """Walks a checkpoint and keeps the tensors themselves."""

    def __init__(self):
        super().__init__()
        self.tensors = {}

    def tensor(self, path, tensor, checked, meta, part=False):
        """Keep one torch tensor that is one file."""
        super().tensor(path, tensor, checked, meta, part)
        if walk.split(tensor) is None:
            self.tensors[path] = tensor.detach().as_subclass(torch.Tensor)

    def array(self, path, array, meta):
        """Keep one numpy array that torch can hold."""
        super().array(path, array, meta)
        try:
            self.tensors[path] = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        except TypeError:
            pass


def of_numbers(finite):
    """Return min to abs_max of finite doubles, and the mean magnitude."""
    count = finite.numel()
    return {
        "min": finite.min().item() if count else None,
        "max": finite.max().item() if count else None,
        "mean": finite.mean().item() if count else None,
        "std": finite.std().item() if count > 1 else None,
        "abs_max": finite.abs().max().item() if count else None,
        "scale": finite.abs().mean().item() if count else None,
    }


def wanted(tensor):
    """Return what the .stats of a tensor should say."""
    if tensor.is_meta:
        tensor = torch.empty(0)
    out = dict.fromkeys(MEMBERS + ("scale",))
    out.update(count=tensor.numel(), nan=0, pos_inf=0, neg_inf=0)
    if str(tensor.dtype).startswith("torch.bits") or "x2" in str(tensor.dtype):
        raw, size = walk.tensor_bytes(tensor), tensor.element_size()
        out["zeros"] = sum(not any(raw[at : at + size]) for at in range(0, len(raw), size))
        return out
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.is_complex():
        wide = tensor.to(torch.complex128)
        nan = wide.real.isnan() | wide.imag.isnan()
        finite = wide.real.isfinite() & wide.imag.isfinite()
        out.update(nan=nan.sum().item(), pos_inf=(~nan & ~finite).sum().item(), zeros=(wide == 0).sum().item())
        moduli = wide[finite].abs()
        out["abs_max"] = moduli.max().item() if moduli.numel() else None
        return out
    wide = tensor.double()
    out.update(
        nan=wide.isnan().sum().item(),
        pos_inf=(wide == math.inf).sum().item(),
        neg_inf=(wide == -math.inf).sum().item(),
        zeros=(wide == 0).sum().item(),
    )
    out.update(of_numbers(wide[wide.isfinite()]))
    return out


def close(name, want, got, scale, slack=1):
    """Compare one member."""
    if want is None or got is None or name not in TOLERANCE:
        return want == got
    return want == got or abs(want - got) <= slack * TOLERANCE[name] * (scale if name == "mean" else abs(want))


def check(binary, path):
    """Compare all tensors of one checkpoint; return how many differences there are, and how many tensors."""
    collector = Collector()
    collector.walk(walk.load(path))
    tensors = {name: one for name, one in collector.tensors.items() if one.numel() <= MOST_ELEMENTS}
    bad = 0
    if not tensors:
        return 0, 0
    command = [binary, "cat", "--", path] + [name + ".stats" for name in tensors]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != len(tensors):
        print("%s: exit %d: %s" % (path, done.returncode, done.stderr.strip()))
        return 1, len(tensors)
    for (name, tensor), line in zip(tensors.items(), lines):
        want, got = wanted(tensor), json.loads(line)
        if tuple(got) != MEMBERS:
            print("%s: %s: has the members %s" % (path, name, list(got)))
            bad += 1
        for member in MEMBERS:
            if not close(member, want[member], got.get(member), want["scale"]):
                print("%s: %s: %s is %r, wanted %r" % (path, name, member, got.get(member), want[member]))
                bad += 1
    return bad + check_command(binary, path, tensors), len(tensors)


def of_all(tensors):
    """Return what the total over these should say: counts of all, numbers of those that have an order."""
    out = dict.fromkeys(("count", "nan", "pos_inf", "neg_inf", "zeros"), 0)
    ordered, largest = [torch.empty(0, dtype=torch.float64)], []
    for tensor in tensors:
        one = wanted(tensor)
        for member in out:
            out[member] += one[member]
        if one["abs_max"] is not None:
            largest.append(one["abs_max"])
        if one["mean"] is not None:
            wide = tensor.resolve_conj().resolve_neg().double().flatten()
            ordered.append(wide[wide.isfinite()])
    out.update(of_numbers(torch.cat(ordered)))
    out["abs_max"] = max(largest, default=None)
    return out


def check_command(binary, path, tensors):
    """Compare `pthfs stats`; return how many differences there are."""
    done = subprocess.run([binary, "stats", "--json", path], capture_output=True, text=True, timeout=600)
    if done.returncode:
        print("%s: stats: exit %d: %s" % (path, done.returncode, done.stderr.strip()))
        return 1
    told, bad = json.loads(done.stdout), 0
    known = [one for one in told["tensors"] if one["name"] in tensors]
    for one in known:
        want = wanted(tensors[one["name"]])
        for member in MEMBERS:
            if not close(member, want[member], one[member], want["scale"]):
                print("%s: stats %s: %s is %r, wanted %r" % (path, one["name"], member, one[member], want[member]))
                bad += 1
    want = of_all(tensors[one["name"]] for one in known)
    for member in MEMBERS if len(known) == len(told["tensors"]) else ():
        if not close(member, want[member], told["total"][member], want["scale"], 10):  # torch's own sum is longer
            print("%s: total: %s is %r, wanted %r" % (path, member, told["total"][member], want[member]))
            bad += 1
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS", "pthfs"))
    parser.add_argument("checkpoints", nargs="+")
    options = parser.parse_args()
    bad = tensors = 0
    for path in options.checkpoints:
        try:
            more, count = check(options.pthfs, path)
        except Exception as error:
            print("%s: %s: %s" % (path, type(error).__name__, error))
            return 2
        bad, tensors = bad + more, tensors + count
    print("%d tensors, %d differences" % (tensors, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
