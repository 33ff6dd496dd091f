#!/usr/bin/env python3
"""Holds pthfs against what real torch says about a checkpoint.

compare.py [--pthfs BIN] [--mount DIR] CHECKPOINT...                 torch, under which this runs, is the reference
compare.py [--pthfs BIN] [--mount DIR] --expect JSON CHECKPOINT      a committed expectation is (no torch needed)

With --pthfs (or PTHFS in the environment) it compares `BIN ls --json` and `BIN cat`; with --mount it compares the files of a
mount that is already there. Prints one line for each difference, and with several checkpoints "ok - NAME" or
"not ok - NAME" behind each. Exit codes: 0 the same, 1 different, 2 not possible.
"""

import argparse
import ast
import base64
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import names

CHECKED_TYPES = ("int", "float", "str", "bool")
NUMPY_DTYPES = {
    "bool": "|b1",
    "uint8": "|u1",
    "int8": "|i1",
    "int16": "<i2",
    "uint16": "<u2",
    "int32": "<i4",
    "uint32": "<u4",
    "int64": "<i8",
    "uint64": "<u8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}
META_EXTRAS = ("requires_grad", "device", "stride", "kind", "class", "shared_with", "key", "broken")


class Impossible(Exception):
    """The comparison cannot be made."""


class Report:
    """Collects differences and prints them as they come."""

    def __init__(self, limit):
        self.count, self.limit = 0, limit

    def differs(self, path, what, wanted=None, got=None):
        """Print one difference."""
        self.count += 1
        if self.count <= self.limit:
            tail = "" if wanted is None and got is None else ": wanted %s, got %s" % (short(wanted), short(got))
            print("%s: %s%s" % (path, what, tail))

    def same(self, path, what, wanted, got):
        """Compare two things."""
        if wanted != got:
            self.differs(path, what, wanted, got)


def short(thing):
    """Return a printable start of something."""
    text = repr(thing)
    return text if len(text) <= 120 else text[:117] + "..."


# --- what is wanted ----------------------------------------------------------------------------


def wanted_entries(options):
    """Return the entries of the expectation: from a file, or from torch."""
    if options.expect:
        document = json.loads(pathlib.Path(options.expect).read_text())
        with open(options.checkpoint, "rb") as stream:
            if hashlib.sha256(stream.read()).hexdigest() != document["sha256"]:
                raise Impossible("%s is not the file that %s was made from" % (options.checkpoint, options.expect))
        return document["entries"]
    try:
        import walk
    except ImportError as error:
        raise Impossible("torch cannot be imported: %s" % error) from None
    try:
        return walk.Walker().walk(walk.load(options.checkpoint))
    except Exception as error:
        raise Impossible("torch does not load %s: %s: %s" % (options.checkpoint, type(error).__name__, error)) from None


def contiguous(shape):
    """Return the strides of a contiguous tensor."""
    strides, step = [], 1
    for length in reversed(shape):
        strides.insert(0, step)
        step *= max(length, 1)
    return strides


def is_contiguous(shape, stride):
    """Tell whether strides are those of a contiguous tensor; dimensions of 1 may have any."""
    if 0 in shape:
        return True
    return all(length == 1 or step == whole for length, step, whole in zip(shape, stride, contiguous(shape)))


def wanted_bytes(entry):
    """Return what the file of a value holds."""
    return base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode("utf-8", "surrogatepass")


def check_bytes(report, entry, got, source):
    """Compare the bytes of one file."""
    path = entry["path"]
    if entry["kind"] == "tensor":
        report.same(path, "size by " + source, entry["nbytes"], len(got))
        if len(got) == entry["nbytes"] and hashlib.sha256(got).hexdigest() != entry["sha256"]:
            report.differs(path, "bytes by %s are not torch's" % source)
        return
    wanted = wanted_bytes(entry)
    if wanted == got:
        return
    compare = names.same_set if entry.get("unordered") else names.same_json if entry.get("json") else None
    if compare is None or not compare(wanted.decode(), got.decode("utf-8", "replace")) or not got.endswith(b"\n"):
        report.differs(path, "text by " + source, wanted, got)


# --- pthfs ls, pthfs cat -----------------------------------------------------------------------


def run(command):
    """Run pthfs and return what it prints."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Impossible("%s: %s" % (" ".join(command), error)) from None
    if done.returncode:
        raise Impossible(
            "%s: exit %d: %s" % (" ".join(command), done.returncode, done.stderr.decode("utf-8", "replace").strip())
        )
    return done.stdout


def pair_up(report, wanted, listed):
    """Match wanted paths with listed names and return {wanted path: listed entry}."""
    by_name, left = {}, {}
    for entry in listed:
        if entry["name"] in by_name:
            report.differs(entry["name"], "is listed twice")
        by_name[entry["name"]] = left[entry["name"]] = entry
    pairs, roots = {}, []
    for entry in wanted:
        path = entry["path"]
        found = find_name(path, by_name)
        if entry["kind"] in ("dir", "opaque"):
            roots.append((entry["kind"], path))
        elif found is None:
            report.differs(path, "is not listed")
            continue
        if found is not None:
            pairs[path] = by_name[found]
            left.pop(found, None)
    for name in left:
        if not any(kind == "opaque" and name.startswith(path + "/") for kind, path in roots):
            report.differs(name, "is listed, but torch has no such thing")
    return pairs


def find_name(path, known):
    """Return the known name of a path; cut names end in a hash of pthfs's own."""
    if path in known:
        return path
    parts = path.split("/")
    if not any(names.is_cut(part) for part in parts):
        return None
    for name in known:
        others = name.split("/")
        if len(others) == len(parts) and all(map(names.same_name, parts, others)):
            return name
    return None


def check_listed(report, wanted, got):
    """Compare one entry of `ls --json`."""
    path = wanted["path"]
    if "broken" in got:
        report.differs(path, "is marked broken: %s" % got["broken"])
        return
    if wanted["kind"] == "value":
        if wanted["type"] in CHECKED_TYPES:
            report.same(path, "type", wanted["type"], got.get("type"))
        if not (wanted.get("json") or wanted.get("unordered")) and got.get("nbytes") not in (wanted["nbytes"], None):
            report.differs(path, "nbytes in ls", wanted["nbytes"], got.get("nbytes"))
        return
    report.same(path, "type", "tensor", got.get("type"))
    check_description(report, wanted, got, "ls")


def check_description(report, wanted, got, source):
    """Compare dtype, shape and the like, which `ls --json` and a .meta both have."""
    path = wanted["path"]
    if wanted["dtype"] is not None:
        report.same(path, "dtype in " + source, wanted["dtype"], got.get("dtype"))
    report.same(path, "shape in " + source, wanted["shape"], got.get("shape"))
    report.same(path, "nbytes in " + source, wanted["nbytes"], got.get("nbytes"))
    if "requires_grad" in wanted:
        report.same(path, "requires_grad in " + source, wanted["requires_grad"], got.get("requires_grad", False))
    report.same(path, "device in " + source, wanted.get("device", "cpu"), got.get("device", "cpu"))
    stride = got.get("stride")
    if "stride" in wanted:
        report.same(path, "stride in " + source, wanted["stride"], stride)
    elif stride is not None and not is_contiguous(wanted["shape"], stride):
        report.differs(path, "stride in %s is not contiguous" % source, contiguous(wanted["shape"]), stride)


def check_sharing(report, wanted, pairs):
    """Compare which tensors share a storage, and which are one inode."""
    tensors = [entry for entry in wanted if entry["kind"] == "tensor" and entry["path"] in pairs]
    groups, inodes = {}, {}
    for entry in tensors:
        path, got = entry["path"], pairs[entry["path"]]
        if "storage_group" in entry and got.get("storage") is not None:
            groups.setdefault(entry["storage_group"], set()).add(got["storage"])
        ties = entry.get("tied_with", [])
        report.same(path, "nlink in ls", 1 + len(ties), got.get("nlink", 1 + len(ties)))
        for other in ties:
            if other in pairs and pairs[other].get("ino") != got.get("ino"):
                report.differs(path, "has not the inode of %s, the same tensor" % other)
        if "ino" in got and not ties:
            if got["ino"] in inodes:
                report.differs(path, "has the inode of %s, another tensor" % inodes[got["ino"]])
            inodes[got["ino"]] = path
    owners = {}
    for group, storages in groups.items():
        if len(storages) > 1:
            report.differs("storage %d" % group, "is shown as several storages", 1, sorted(storages))
        for storage in storages:
            if owners.setdefault(storage, group) != group:
                report.differs("storage %s" % storage, "stands for several of torch's storages")


def check_commands(report, options, wanted):
    """Compare what the commands say."""
    raw = run([options.pthfs, "ls", "--json", options.checkpoint])
    try:
        document = json.loads(raw)
        listed = [entry for entry in document["entries"]]
        [entry["name"] for entry in listed]
    except (ValueError, KeyError, TypeError) as error:
        raise Impossible("ls --json is not the document it should be: %s: %s" % (type(error).__name__, error)) from None
    pairs = pair_up(report, wanted, listed)
    files = [entry for entry in wanted if entry["kind"] in ("tensor", "value") and entry["path"] in pairs]
    order = [pairs[entry["path"]]["name"] for entry in files]
    shown = [entry["name"] for entry in listed if entry["name"] in set(order)]
    for want, got in zip(order, shown):
        if want != got:
            report.differs(want, "comes in another order than the checkpoint's; %s is in its place" % got)
            break
    for entry in files:
        check_listed(report, entry, pairs[entry["path"]])
        if not options.no_cat:
            try:
                got = run([options.pthfs, "cat", "--", options.checkpoint, pairs[entry["path"]]["name"]])
            except Impossible as error:
                report.differs(entry["path"], "cat: %s" % error)
            else:
                check_bytes(report, entry, got, "cat")
    check_sharing(report, wanted, pairs)


# --- a mount -----------------------------------------------------------------------------------


def mounted_path(root, path):
    """Return the mounted file of a path, whatever hash its cut names end in."""
    here = os.fsencode(root)
    for part in path.split("/"):
        raw = part.encode("utf-8")
        if names.is_cut(part):
            same = [
                name
                for name in os.listdir(here)
                if names.same_name(part, name.decode("utf-8", "replace")) and not name.endswith(b".meta")
            ]
            raw = same[0] if same else raw
        here = os.path.join(here, raw)
    return here


def read_npy(raw):
    """Return (descr, fortran_order, shape, data) of a .npy file."""
    if raw[:6] != b"\x93NUMPY":
        raise ValueError("no NumPy magic")
    size, start = (struct.unpack("<H", raw[8:10])[0], 10) if raw[6] == 1 else (struct.unpack("<I", raw[8:12])[0], 12)
    head = ast.literal_eval(raw[start : start + size].decode("latin1"))
    return head["descr"], head["fortran_order"], head["shape"], raw[start + size :]


def check_npy(report, entry, where):
    """Compare NAME.npy with the tensor, and load it with numpy where that is installed."""
    path, npy = entry["path"] + ".npy", where + b".npy"
    try:
        with open(npy, "rb") as stream:
            raw = stream.read()
        descr, fortran, shape, data = read_npy(raw)
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        report.differs(path, "cannot be read: %s" % error)
        return
    report.same(path, "size", os.stat(npy).st_size, len(raw))
    report.same(path, "fortran_order", False, fortran)
    if entry["dtype"] in NUMPY_DTYPES:
        report.same(path, "shape", tuple(entry["shape"]), tuple(shape))
        report.same(path, "descr", NUMPY_DTYPES[entry["dtype"]], descr)
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        report.differs(path, "its data is not the tensor's")
    try:
        import numpy
    except ImportError:
        return
    try:
        array = numpy.load(npy.decode("utf-8", "surrogateescape"), mmap_mode="r" if entry["nbytes"] else None)
        report.same(path, "bytes by np.load", entry["sha256"], hashlib.sha256(array.tobytes()).hexdigest())
    except (OSError, ValueError) as error:
        report.differs(path, "np.load: %s" % error)


def check_meta(report, entry, where, root):
    """Compare KEY.meta with the tensor."""
    meta = mounted_path(root, entry["meta"]) if "meta" in entry else where + b".meta"
    try:
        with open(meta, "rb") as stream:
            raw = stream.read()
        got = json.loads(raw)
    except (OSError, ValueError) as error:
        report.differs(entry["path"], ".meta cannot be read: %s" % error)
        return
    if raw.count(b"\n") != 1 or not raw.endswith(b"\n"):
        report.differs(entry["path"], ".meta is not one line")
    if entry["kind"] != "tensor":
        return
    report.same(entry["path"], "first members of .meta", ["dtype", "shape", "nbytes"], list(got)[:3])
    for name in got:
        if name not in ("dtype", "shape", "nbytes") + META_EXTRAS:
            report.differs(entry["path"], ".meta has a member %s that is no part of its meaning" % name)
    if got.get("requires_grad") is False or got.get("device") == "cpu":
        report.differs(entry["path"], ".meta says what is the default")
    if "stride" in got and "stride" not in entry:
        report.differs(entry["path"], ".meta gives the stride of a contiguous tensor")
    check_description(report, entry, got, ".meta")


def check_file(report, entry, root):
    """Compare one mounted file; return its inode, or None."""
    path, where = entry["path"], mounted_path(root, entry["path"])
    try:
        facts = os.lstat(where)
        with open(where, "rb") as stream:
            got = stream.read()
    except OSError as error:
        report.differs(path, "cannot be read: %s" % error)
        return None
    report.same(path, "st_size", len(got), facts.st_size)
    check_bytes(report, entry, got, "read")
    if entry["kind"] == "tensor":
        report.same(path, "st_nlink", 1 + len(entry.get("tied_with", [])), facts.st_nlink)
        check_meta(report, entry, where, root)
        check_npy(report, entry, where)
    return facts.st_ino


def check_listing(report, wanted, root):
    """Compare the names in every directory with those wanted."""
    opaque = [entry["path"] for entry in wanted if entry["kind"] == "opaque"]
    kids = {"": []}
    for entry in wanted:
        above, _, name = entry["path"].rpartition("/")
        if entry["kind"] == "dir":
            kids.setdefault(entry["path"], [])
        kids.setdefault(above, []).append(name)
        if entry["kind"] == "tensor" or entry.get("has_meta"):
            kids[above].append(entry["meta"].rpartition("/")[2] if "meta" in entry else name + names.META)
    for folder, expected in kids.items():
        try:
            there = [
                name.decode("utf-8", "surrogateescape")
                for name in os.listdir(mounted_path(root, folder) if folder else os.fsencode(root))
            ]
        except OSError as error:
            report.differs(folder, "cannot be listed: %s" % error)
            continue
        loose = {folder + "/" * bool(folder) + name for name in there}
        for name in expected:
            if name not in there and not any(names.is_cut(part) for part in (name.removesuffix(names.META),)):
                report.differs(folder + "/" + name, "is not listed in the mount")
        for name in there:
            if name not in expected and not any(
                names.same_name(other, name) or names.is_cut(name.removesuffix(names.META)) for other in expected
            ):
                if folder + "/" * bool(folder) + name.removesuffix(names.META) not in opaque:
                    report.differs(folder + "/" + name, "is listed in the mount, but torch has no such thing")
        report.same(folder or "/", "names that are listed once", len(loose), len(there))


def check_mount(report, options, wanted):
    """Compare a mount that is there."""
    if not os.path.isdir(options.mount):
        raise Impossible("%s is not a directory" % options.mount)
    inodes = {}
    for entry in wanted:
        if entry["kind"] in ("tensor", "value"):
            inodes[entry["path"]] = check_file(report, entry, options.mount)
        elif entry["kind"] == "dir":
            where = mounted_path(options.mount, entry["path"])
            if not os.path.isdir(where):
                report.differs(entry["path"], "is not a directory")
            elif entry.get("has_meta"):
                check_meta(report, entry, where, options.mount)
        elif not os.path.lexists(mounted_path(options.mount, entry["path"])):
            report.differs(entry["path"], "is not there")
    for entry in wanted:
        for other in entry.get("tied_with", []):
            if inodes.get(other) != inodes.get(entry["path"]):
                report.differs(entry["path"], "has not the inode of %s, the same tensor" % other)
    tied = {entry["path"] for entry in wanted if "tied_with" in entry}
    seen = {}
    for path, ino in inodes.items():
        if ino is None or path in tied:
            continue
        if ino in seen:
            report.differs(path, "has the inode of %s" % seen[ino])
        seen[ino] = path
    check_listing(report, wanted, options.mount)


# --- main --------------------------------------------------------------------------------------


def main():
    """Compare each checkpoint, and say how it went."""
    parser = argparse.ArgumentParser(description="hold pthfs against real torch", allow_abbrev=False)
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS"), help="the binary (default: $PTHFS)")
    parser.add_argument("--mount", help="a directory where CHECKPOINT is mounted")
    parser.add_argument("--expect", help="a committed expectation, in torch's place")
    parser.add_argument("--no-cat", action="store_true", help="do not compare bytes with `pthfs cat`")
    parser.add_argument("--limit", type=int, default=100, help="print at most so many differences")
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    options = parser.parse_args()
    worst = 0
    for options.checkpoint in options.checkpoints:
        code = compare(options)
        if len(options.checkpoints) > 1:
            print("%s - %s" % ("not ok" if code else "ok", options.checkpoint), flush=True)
        worst = max(worst, code)
    return worst


def compare(options):
    """Compare one checkpoint; return 0 the same, 1 different, 2 not possible."""
    report = Report(options.limit)
    try:
        if not options.pthfs and not options.mount:
            raise Impossible("nothing to compare with: give --pthfs BIN or --mount DIR")
        wanted = wanted_entries(options)
        if options.pthfs:
            check_commands(report, options, wanted)
        if options.mount:
            check_mount(report, options, wanted)
    except (Impossible, OSError) as error:
        print("%s: %s" % (options.checkpoint, error), file=sys.stderr)
        return 2
    if report.count:
        print("%s: %d differences from %d entries" % (options.checkpoint, report.count, len(wanted)))
    return 1 if report.count else 0


if __name__ == "__main__":
    sys.exit(main())
