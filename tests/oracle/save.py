#!/usr/bin/env python3
"""What pthfs writes, torch must load: edits without a mount, judged by the torch under which this runs.

save.py [--pthfs BIN] [--real FILE]... [PART...]

  control  two things that differ anywhere are told apart by exact.py
  same     a commit without edits changes no byte: values set to the text they show, keys renamed to themselves, ...
  compact  load, compact, load is equal; a second compact changes no byte, and none of what this torch has just written
  rename   --add and --strip there and back are equal; _metadata is as torch's own function leaves it
  dtypes   tensors of every dtype are set from .npy files, in zips, legacy streams and as numpy arrays in pickles
  remove   keys removed, then compact, is what torch.save writes of the dict without them
  values   values of every type are set by text, in every container

Everything is loaded as torch loads the original: with weights_only=False, with weights_only=True, with mmap=True. After
every step zip tools have to find no fault, and `pthfs info` nothing that it has not found before. Prints a line for what
is not so, and closes with the counts. Exit codes: 0 all as it should be, 1 not.
"""

import argparse
import collections
import copy
import json
import os
import pathlib
import struct
import sys
import tempfile
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import exact
import numpy
import samples
import torch
import walk
from save_bench import NEW, UNZIP, Bench, Untouched, first_difference, loads, one_sentence, short
from save_keys import remove, values
from save_tensors import dtypes

DATA = HERE.parent / "data"
PARTS = ("control", "same", "compact", "rename", "dtypes", "remove", "values")

# --- exact.py itself ---------------------------------------------------------------------------

def ordered(**metadata):
    """Return an OrderedDict with _metadata."""
    out = collections.OrderedDict(a=1)
    out._metadata = metadata
    return out


def control(bench, _):
    """What differs in one thing is told apart; what is equal is not."""
    nan = struct.unpack("<d", b"\x01\0\0\0\0\0\xf8\x7f")[0]
    base, other = torch.arange(6.0), torch.arange(6.0)
    pairs = {
        "int and bool": ([1], [True]),
        "0.0 and -0.0": ([0.0], [-0.0]),
        "two kinds of NaN": ([float("nan")], [nan]),
        "list and tuple": ([[1]], [(1,)]),
        "the order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        "OrderedDict and dict": (collections.OrderedDict(a=1), {"a": 1}),
        "_metadata": (ordered(version=1), ordered(version=2)),
        "strides": (torch.zeros(2, 2), torch.zeros(2, 2).t()),
        "offset": ([base[1:3]], [base.clone()[1:3].clone()]),
        "the unseen end of a storage": ([base[:2]], [torch.tensor([0.0, 1, 2, 3, 4, 6])[:2]]),
        "tied and not": ([base, base], [base, other]),
        "one storage and two": ([base, base.view(2, 3)], [base, other.view(2, 3)]),
        "requires_grad": (torch.zeros(2), torch.zeros(2, requires_grad=True)),
        "Parameter": (torch.nn.Parameter(torch.zeros(2)), torch.zeros(2, requires_grad=True)),
        "dtype": (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        "one bit": (torch.zeros(2), torch.tensor([0.0, 1e-45])),
        "conjugate": (torch.tensor([1 + 2j]).conj(), torch.tensor([1 - 2j])),
        "arrays": (numpy.zeros(2), numpy.zeros(2, ">f8")),
        "the order of an array": (numpy.zeros((2, 2)), numpy.zeros((2, 2), order="F")),
        "scheme": tuple(torch.quantize_per_tensor(base, scale, 0, torch.qint8) for scale in (1.0, 2.0)),
        "one list and two": ((lambda one: [one, one])([1]), [[1], [1]]),
    }
    for what, (one, two) in pairs.items():
        bench.tally.judge("control: " + what, [] if exact.differences(one, two) else ["is not seen"])
        bench.tally.judge("control: " + what, exact.differences(one, copy.deepcopy(one)) if "conj" not in what else [])


# --- same --------------------------------------------------------------------------------------

def set_again(bench, path, entry):
    """Set a value to the text that it shows; return what is wrong."""
    name = entry["name"]
    code, text, err = bench.run("cat", "--", path, name)
    if code:
        return ["cat %s: exit %s: %s" % (name, code, err)]
    code, out, err = bench.run("set", path, name, "-", text=text)
    if code:
        return ["set %s to what it shows: %s" % (name, err)]
    return [] if b"nothing to change" in out else ["set %s to what it shows: says %r" % (name, out)]


def same_file(bench, original):
    """Nothing is changed by commands that change nothing."""
    path = bench.copy(original)
    guard, wrong = Untouched(path), []
    entries = bench.entries(path)
    dirs = {entry["name"].rpartition("/")[0] for entry in entries}
    values = [e for e in entries if e["type"] != "tensor" and "nbytes" in e and e["name"] not in dirs]
    named = [entry["name"] for entry in entries if "/" not in entry["name"]]
    for entry in values if len(values) < 100 else values[:: len(values) // 50]:
        if bench.run("info", path)[1].find(b"torchscript") < 0:
            wrong += set_again(bench, path, entry)
        wrong += guard.wrong("set %s to what it shows" % entry["name"])
    for name in named[:3] + named[-2:]:
        code, out, err = bench.run("rename", "--", path, name, name)
        if code:
            wrong += one_sentence(code, err, path)
        elif b"nothing to change" not in out:
            wrong.append("rename %s to itself: says %r" % (name, out))
        wrong += guard.wrong("rename %s to itself" % name)
    for words in (["rm", path, "no such name*"], ["rename", "--strip", "no such prefix", path]):
        code, _, err = bench.run(*words)
        wrong += one_sentence(code, err, path) + guard.wrong(words[0])
    wrong += guard.wrong("compact --dry-run") if bench.run("compact", "--dry-run", path)[0] == 0 else []
    return wrong


def same(bench, real):
    """Every fixture and every published checkpoint."""
    for original in sorted(DATA.glob("good-*")) + [DATA / "demo.pth"] + real:
        bench.tally.judge("same %s" % short(original), same_file(bench, original))


# --- compact -----------------------------------------------------------------------------------

def compact_file(bench, original, written_now=False):
    """Compact is equal to what it was made from, and the same every time."""
    path = bench.fresh(original.name)
    before = original.read_bytes()
    wrong = bench.works("compact", original, "--output", path)
    if wrong:
        return wrong
    wrong = bench.equal(path, original)
    once = path.read_bytes()
    if written_now and once != before:
        wrong.append("is not what torch wrote: byte %d" % first_difference(once, before))
    wrong += bench.works("compact", path)
    if path.read_bytes() != once:
        wrong.append("a second compact changes byte %d" % first_difference(path.read_bytes(), once))
    if original.read_bytes() != before:
        wrong.append("compact --output changes the original")
    return wrong


def compact(bench, real):
    """Every fixture, every published checkpoint, and what this torch writes now."""
    for original in sorted(DATA.glob("good-*")) + [DATA / "demo.pth"] + real:
        label = "compact %s" % short(original)
        if walk.is_torchscript(str(original)):
            code, _, err = bench.run("compact", original, "--output", bench.fresh("x.pt"))
            bench.tally.judge(label, one_sentence(code, err, original))
        elif not loads(original):
            bench.tally.skip(label, "torch %s does not load it" % torch.__version__)
        else:
            bench.tally.judge(label, compact_file(bench, original))
    for name, legacy, thing in written_now():
        path = bench.save(thing, name, legacy)
        bench.tally.judge("compact %s, written now" % name, compact_file(bench, path, written_now=True))


def written_now():
    """Return (name, legacy, thing) of checkpoints that this torch writes."""
    out = []
    for sample in samples.MAKERS:
        torch.manual_seed(7)
        thing = samples.MAKERS[sample]()
        out.append((sample + ".pth", False, thing))
        if sample != "dtypes" or not NEW:  # 2.13 does not read the legacy streams that it writes of some
            out.append((sample + "-legacy.pth", True, thing))
    out.append(("many.pth", False, {"k%d" % i: torch.full((i % 5,), float(i)) for i in range(130)}))
    out.append(("empty.pth", False, {}))
    out.append(("tensor.pth", False, torch.arange(5)))
    return out


# --- rename ------------------------------------------------------------------------------------

def state_dicts(bench, path):
    """Return the names of the state_dicts in a checkpoint."""
    code, out, _ = bench.run("info", "--json", path)
    return [entry["name"].rstrip("/") for entry in json.loads(out)["state_dicts"]] if code == 0 else []


def at(top, name):
    """Return what stands at a path of a loaded checkpoint; modules have no dict of their own."""
    for part in name.split("/") if name else []:
        if isinstance(top, (list, tuple)):
            top = top[int(part)]
        elif isinstance(top, dict):
            top = next((item for key, item in top.items() if key == part or repr(key) == part), None)
        else:
            top = getattr(top, part, None)
    return top if isinstance(top, dict) else None


def there_and_back(bench, original, name):
    """A prefix put on and taken off again leaves everything as it was."""
    path = bench.copy(original)
    where = ["--in", name] if name else []
    wrong = bench.works("rename", path, "--add", "pthfs_test", *where)
    if wrong:
        return wrong
    wrong = bench.sound(path, original)
    now = at(walk.load(str(path)), name)
    if not all(str(key).startswith("pthfs_test.") for key in now if isinstance(key, str)):
        wrong.append("torch sees keys without the prefix: %.200r" % list(now))
    wrong += bench.works("rename", path, "--strip", "pthfs_test", *where)
    wrong += bench.equal(path, original)
    wrong += bench.works("compact", path)
    return wrong + bench.equal(path, original)


def consumed(top, names, prefix):
    """Strip a prefix as torch does, in every state_dict; the order of keys stays, as pthfs keeps it."""
    for name in names:
        found = at(top, name)
        if found is None or not any(isinstance(key, str) and key.startswith(prefix) for key in found):
            continue
        order = [key[len(prefix) :] if isinstance(key, str) and key.startswith(prefix) else key for key in found]
        metadata = getattr(found, "_metadata", None)
        before = list(metadata or ())
        torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(found, prefix)
        moved = {key: found[key] for key in order}
        found.clear()
        found.update(moved)
        if metadata is not None:
            names = [key[len(prefix) :] if key == prefix[:-1] or key.startswith(prefix) else key for key in before]
            found._metadata = type(metadata)((name, metadata[name]) for name in names)
    return top


def stripped(bench, original, prefix):
    """--strip gives what torch's own function gives."""
    path = bench.copy(original)
    names = state_dicts(bench, path)
    wrong = bench.works("rename", path, "--strip", prefix)
    if wrong:
        return wrong
    return bench.equal(path, original, lambda old: consumed(old, names, prefix + "."))


def prefixes(bench, path):
    """Return the prefixes that whole state_dicts have."""
    code, out, _ = bench.run("info", "--json", path)
    if code:
        return []
    return sorted({prefix.rstrip(".") for one in json.loads(out)["state_dicts"] for prefix in one["prefixes"][:1]})


def wrapped():
    """Return state_dicts of wrapped models, as training scripts save them."""
    torch.manual_seed(7)
    net = samples.Net()
    parallel = torch.nn.DataParallel(net)
    compiled = collections.OrderedDict(("_orig_mod." + key, item) for key, item in net.state_dict().items())
    mixed = parallel.state_dict()
    mixed["extra"] = torch.zeros(1)
    deep = torch.nn.Sequential(collections.OrderedDict(module=parallel)).state_dict()
    return {
        "module": parallel.state_dict(),
        "_orig_mod": compiled,
        "module mixed": mixed,
        "module twice": deep,
        "module nested": {"epoch": 3, "model": parallel.state_dict(), "ema": {"shadow": parallel.state_dict()}},
        "module empty": torch.nn.DataParallel(torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(1, 1))).state_dict(),
    }


def rename(bench, real):
    """Every state_dict of every file."""
    for original in sorted(DATA.glob("good-*")) + [DATA / "demo.pth"] + real:
        if walk.is_torchscript(str(original)) or not loads(original):
            continue
        found = [name for name in state_dicts(bench, original) if at(walk.load(str(original)), name) is not None]
        for name in found[:3]:
            bench.tally.judge("rename %s %s" % (short(original), name), there_and_back(bench, original, name))
        for prefix in prefixes(bench, original) if found and NEW else []:  # 1.13's function forgets _metadata
            label = "strip %s from %s" % (prefix, short(original))
            bench.tally.judge(label, stripped(bench, original, prefix))
    for label, thing in wrapped().items() if NEW else []:
        for legacy in (False, True):
            path = bench.save(thing, "wrapped.pth", legacy)
            prefix = label.split()[0]
            bench.tally.judge("strip %s%s" % (label, " legacy" * legacy), stripped(bench, path, prefix))


# --- the whole ---------------------------------------------------------------------------------

def main():
    """Judge the parts that are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS", "pthfs"))
    parser.add_argument("--real", action="append", default=[], type=pathlib.Path)
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    samples.trust()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(options.pthfs), folder)
        if not UNZIP:
            bench.tally.skip("unzip -t", "unzip is not installed; zipfile looks at the results alone")
        for part in options.parts or PARTS:
            globals()[part](bench, options.real)
    tally = bench.tally
    print("save: %d passed, %d failed, %d skipped" % (tally.passed, tally.failed, tally.skipped))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
