#!/usr/bin/env python3
"""Holds `pthfs diff --json` against what real torch computes, over random pairs of checkpoints.

diff.py [--pthfs BIN] [--pairs N] [--seed S]

torch, under which this runs, makes both files of each pair: tensors of every dtype that it can fill, of which some are
changed in a few elements, in dtype or shape, renamed, removed or added, and values beside them; in zips and legacy
streams. Statuses, counts, shapes of indices and the exit code have to be equal; max_abs_diff, max_rel_diff and cosine
to 1e-12, computed here in float64 over the same elements. Exit codes: 0 the same, 1 different, 2 not possible.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile

import torch

REAL = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
COMPLEX = (torch.complex64, torch.complex128)
LEGACY = REAL[:4] + WHOLE + COMPLEX  # torch reads the others from zips only
SHAPES = ((), (1,), (7,), (5, 3), (2, 3, 4), (64, 33), (1, 5000), (0, 4), (3, 1, 2, 2))


def tensor(rng, dtype, shape):
    """Return random elements of a dtype, with a NaN or an infinity now and then."""
    wide = torch.empty(shape, dtype=torch.float64).normal_(0, rng.choice((1e-3, 1, 30)))
    if dtype in COMPLEX:
        return torch.complex(wide, torch.rand(shape, dtype=torch.float64)).to(dtype)
    if dtype in WHOLE:
        return (wide.abs() if dtype == torch.uint8 else wide).to(dtype)
    made = wide.to(dtype)
    if made.numel() and rng.random() < 0.3:
        odd = math.nan if dtype == torch.float8_e4m3fn else rng.choice((math.nan, math.inf, -math.inf))
        made.view(-1)[rng.randrange(made.numel())] = odd
    return made


def change(rng, old):
    """Return old with a few other elements; it may come out the same."""
    new = old.clone()
    flat = new.view(-1)
    for _ in range(rng.choice((1, 1, 2, 9)) if flat.numel() else 0):
        at = rng.randrange(flat.numel())
        if old.dtype == torch.bool:
            flat[at] = not bool(flat[at])
        elif old.dtype in WHOLE:
            flat[at] = int(flat[at]) ^ 1
        elif old.dtype in COMPLEX:
            flat[at] = flat[at] * complex(1, rng.choice((1e-3, 2)))
        else:
            odd = rng.choice((1.5, 1.001, -1, math.nan, 0, math.inf))
            flat[at] = (flat[at].double() * odd).to(old.dtype) if odd else torch.tensor(-0.0).to(old.dtype)
    return new


def pair(rng, legacy):
    """Return two dicts, and {name in b, or of a: (status, old, new)}."""
    a, b, want = {}, {}, {}
    for number in range(rng.randrange(3, 14)):
        name = "t%d" % number
        dtype = rng.choice(LEGACY if legacy else REAL + WHOLE + COMPLEX)
        old = tensor(rng, dtype, rng.choice(SHAPES))
        how = rng.choice(("same", "same", "change", "change", "dtype", "shape", "remove", "add", "rename"))
        if how == "add":
            b[name], want[name] = old, ("added", None, old)
            continue
        a[name] = old
        if how == "remove":
            want[name] = ("removed", old, None)
        elif how == "rename" and old.numel() > 4 and dtype not in (torch.bool, torch.uint8, torch.int8):
            b["was." + name] = old.clone()
            want["was." + name] = ("renamed", old, b["was." + name])
        else:
            new = old.clone()
            if how == "change":
                new = change(rng, old)
            elif how == "dtype" and dtype in LEGACY:
                new = old.to(rng.choice(COMPLEX if dtype in COMPLEX else LEGACY[:4]))
            elif how == "shape":
                new = old.reshape(rng.choice(((-1,), (1, -1) if old.numel() else (-1,))))
            b[name], want[name] = new, ("pair", old, new)
    for number in range(3):
        x = rng.choice((1, 2.5, "text", None, [1, 2], (3, "a")))
        y = x if rng.random() < 0.5 else rng.choice((7, "other", [9]))
        a["v%d" % number], b["v%d" % number] = x, y
        want["v%d" % number] = ("same" if shown(x) == shown(y) else "changed", None, None)
    return a, b, want


def shown(value):
    """Return the text of a value's file, near enough."""
    return json.dumps(list(value)) if isinstance(value, (list, tuple)) else str(value)


def raw(x):
    """Return the bytes of a tensor."""
    return bytes(x.detach().contiguous().view(-1).view(torch.uint8).tolist()) if x.numel() else b""


def doubles(x):
    """Return elements as float64 or complex128."""
    return x.reshape(-1).to(torch.complex128 if x.is_complex() else torch.float64)


def numbers(old, new, options):
    """Return differ, max_abs_diff, max_rel_diff, cosine and first of two tensors of one number of elements."""
    a, b = doubles(old), doubles(new)
    nan_a, nan_b = a.isnan(), b.isnan()
    gap = (a - b).abs()
    gap[a == b] = 0
    odd = ~(a.isfinite() & b.isfinite()) & (a != b)
    gap[odd] = math.inf
    close = (a == b) | (~odd & (gap <= options["atol"] + options["rtol"] * b.abs()))
    both = nan_a & nan_b
    gap[both] = 0
    if options["nan"]:
        close |= both
    rel = gap / torch.maximum(a.abs(), b.abs())
    rel[gap == 0] = 0
    rel[gap == math.inf] = math.inf
    fine = a.isfinite() & b.isfinite()
    x, y = (torch.view_as_real(t[fine]).reshape(-1) if a.is_complex() else t[fine] for t in (a, b))
    length = x.norm().item() * y.norm().item()
    where = (~close).nonzero()
    first = None
    if len(where):
        first = [int(i) for i in torch.unravel_index(where[0, 0], new.shape)] if new.dim() else []
    return {
        "count": a.numel(),
        "differ": len(where),
        "max_abs_diff": gap.max().item() if a.numel() else 0.0,
        "max_rel_diff": rel.max().item() if a.numel() else 0.0,
        "cosine": (x @ y).item() / length if length else None,
        "first": first,
    }


def expected(old, new, options):
    """Return status, what, and the numbers or None, of two tensors under one name."""
    what = []
    if old.dtype != new.dtype:
        what.append("dtype")
    if old.shape != new.shape:
        what.append("shape")
    equal = old.dtype == new.dtype and raw(old) == raw(new)
    counted = None
    if not equal and old.numel() == new.numel():
        counted = numbers(old, new, options)
        if counted["differ"] or (old.dtype == new.dtype and not options["by_value"]):
            what.append("values")
    return "changed" if what else "same", what, counted


def close(want, got):
    """Compare two numbers."""
    if isinstance(want, float) and isinstance(got, (int, float)):
        return want == got or abs(want - got) <= 1e-12 * max(abs(want), abs(got))
    return want == got


def check_entry(name, entry, want, options):
    """Return sentences about one entry."""
    status, old, new = want
    what, counted = [], None
    if status == "pair":
        status, what, counted = expected(old, new, options)
    bad = []
    if entry["status"] != status:
        bad.append("%s: status %s, wanted %s" % (name, entry["status"], status))
    if old is not None and new is not None and entry.get("what", []) != what:
        bad.append("%s: what %s, wanted %s" % (name, entry.get("what"), what))
    for member, value in (counted or {}).items():
        if not close(value, entry.get(member)):
            bad.append("%s: %s is %r, wanted %r" % (name, member, entry.get(member), value))
    if counted is None and "differ" in entry:
        bad.append("%s: has numbers, and bytes that are the same" % name)
    return bad


def options_of(rng):
    """Return options for the command, and as a dict."""
    atol = rng.choice((0, 0, 1e-3, 0.5))
    rtol = rng.choice((0, 0, 0, 1e-2))
    nan = rng.random() < 0.3
    words = ["--atol", str(atol)] * bool(atol) + ["--rtol", str(rtol)] * bool(rtol) + ["--nan-equal"] * nan
    words += ["--trust-crc"] * (rng.random() < 0.2)
    return words, {"atol": atol, "rtol": rtol, "nan": nan, "by_value": bool(atol or rtol or nan)}


def check(binary, where, rng):
    """Compare one pair; return sentences."""
    legacy = [rng.random() < 0.3, rng.random() < 0.3]
    a, b, want = pair(rng, any(legacy))
    paths = [os.path.join(where, name) for name in ("a.pt", "b.pt")]
    for path, value, old in zip(paths, (a, b), legacy):
        torch.save(value, path, _use_new_zipfile_serialization=not old)
    words, options = options_of(rng)
    done = subprocess.run([binary, "diff", "--json", *words, *paths], capture_output=True, text=True, timeout=100)
    if done.stderr:
        return [done.stderr]
    entries = {one["name"]: one for one in json.loads(done.stdout)["entries"]}
    # of a rename that is none, since the new name has a tensor of its own, nothing is known here
    if set(entries) - {"v%d" % n for n in range(3)} != {name for name in want if name[0] != "v"}:
        return ["names are %s, wanted %s" % (sorted(entries), sorted(want))]
    bad = [text for name, one in want.items() for text in check_entry(name, entries[name], one, options)]
    code = int(any(one["status"] != "same" for one in entries.values()))
    if done.returncode != code:
        bad.append("exit %d, wanted %d" % (done.returncode, code))
    brief = subprocess.run([binary, "diff", "--quiet", *words, *paths], timeout=100).returncode
    if brief != code:
        bad.append("--quiet exits %d, wanted %d" % (brief, code))
    return bad


def main():
    """Check pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS", "pthfs"))
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as where:
        for seed in range(options.seed, options.seed + options.pairs):
            rng = random.Random(seed)
            torch.manual_seed(seed)
            for text in check(options.pthfs, where, rng):
                print("seed %d: %s" % (seed, text))
                failed += 1
    print("%d pairs, %d differences" % (options.pairs, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
