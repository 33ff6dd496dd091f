"""Tensors and arrays of every dtype, set from NumPy files: what torch loads then is what the files held."""

import ast
import copy
import json
import pathlib
import struct

import numpy
import samples
import torch
import walk
from save_bench import NEW, one_sentence

def all_dtypes():
    """Return every dtype that this torch has, but the quantized ones: those are directories, see dtypes_in_parts()."""
    found = {str(one): one for one in vars(torch).values() if isinstance(one, torch.dtype)}
    return [found[name] for name in sorted(found) if not name.startswith(("torch.qint", "torch.quint"))]


def noise(dtype, shape, seed):
    """Return a tensor of any dtype with bytes that are not zero."""
    count = 1
    for length in shape:
        count *= length
    size = torch.empty((), dtype=dtype).element_size()
    raw = bytearray((seed + 37 * i) % (2 if dtype == torch.bool else 251) for i in range(count * size))
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(raw, dtype=torch.uint8).clone().view(dtype).reshape(shape)


def npy_bytes(descr, shape, raw):
    """Return a NumPy file."""
    head = "{'descr': %r, 'fortran_order': False, 'shape': %r, }" % (descr, tuple(shape))
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + raw


def descr_of(bench, path, name):
    """Return how `cat --npy` calls the dtype of a tensor."""
    code, out, err = bench.run("cat", "--npy", path, name)
    if code:
        raise RuntimeError("cat --npy %s: exit %s: %s" % (name, code, err))
    length = struct.unpack("<H", out[8:10])[0]
    return ast.literal_eval(out[10 : 10 + length].decode().strip())["descr"]


def replaced(top, key, item):
    """Return a dict with another item."""
    top = copy.copy(top)
    top[key] = item
    return top


def set_tensor(bench, original, key, descr, new, raw):
    """Set a tensor or array from a NumPy file; return what is wrong with the result."""
    path, npy = bench.copy(original), bench.fresh("new.npy")
    npy.write_bytes(npy_bytes(descr, new.shape, raw))
    wrong = bench.works("set", path, key, "--npy", npy)
    if wrong:
        return wrong
    fresh = bench.rebuilt({key: new}, original)[key]
    return bench.equal(path, original, lambda old: replaced(old, key, fresh))


SHAPES = ((2, 3), (5,), (), (0, 3), (4, 1, 2))


def neighbours():
    """Return the tensors that stay as they are, tied and strided."""
    base = torch.arange(12.0)
    return {"b": base, "tied": base, "t": base.view(3, 4).t(), "p": torch.nn.Parameter(torch.ones(2)), "n": 3}


def dtypes_of_torch(bench):
    """Every dtype of torch, in a zip and in a legacy stream, in its shape and in others."""
    cannot = []
    for dtype in all_dtypes():
        for legacy in (False, True):
            label = "%s%s" % (dtype, " legacy" * legacy)
            try:
                path = bench.save(dict(neighbours(), a=noise(dtype, (2, 3), 1)), "x.pth", legacy)
                walk.load(str(path))
            except Exception:
                cannot.append(label.replace("torch.", ""))
                continue
            descr = descr_of(bench, path, "a")
            for number, shape in enumerate(SHAPES):
                new = noise(dtype, shape, 100 + number)
                wrong = set_tensor(bench, path, "a", descr, new, walk.tensor_bytes(new))
                bench.tally.judge("%s as %s" % (label, list(shape)), wrong)
    print("dtypes that torch %s does not save and load: %s" % (torch.__version__, ", ".join(cannot)))


BY_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64, 16: torch.complex128}


def dtypes_by_meta(bench):
    """The bytes of a tensor become those of another dtype by its .meta, also of one that torch writes in no legacy stream."""
    for legacy in (False, True):
        for dtype in all_dtypes():
            try:
                new = noise(dtype, (2, 3), 5)
                bench.rebuilt({"a": new}, pathlib.Path("x.pth"))
            except Exception:
                continue
            integers = BY_SIZE[new.element_size()]
            raw = bytearray(walk.tensor_bytes(new))
            old = torch.frombuffer(raw, dtype=torch.uint8).clone().view(integers)
            path = bench.save(dict(neighbours(), a=old), "x.pth", legacy)
            fresh = bench.rebuilt({"a": new}, path)["a"]
            result = bench.copy(path)
            meta = json.dumps({"dtype": str(dtype).replace("torch.", ""), "shape": [2, 3]})
            wrong = bench.works("set", result, "a.meta", meta)
            wrong = wrong or bench.equal(result, path, lambda old: replaced(old, "a", fresh))
            bench.tally.judge("%s%s made of %s" % (dtype, " legacy" * legacy, integers), wrong)
            other = noise(dtype, (5,), 9)
            wrong = set_tensor(bench, result, "a", descr_of(bench, result, "a"), other, walk.tensor_bytes(other))
            bench.tally.judge("%s%s made of %s, then set" % (dtype, " legacy" * legacy, integers), wrong)


NUMPY_DTYPES = ("?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "F", "D")


def array_of(letter, shape, seed):
    """Return a numpy array with values that are not zero."""
    count = int(numpy.prod(shape))
    return ((numpy.arange(count) + seed) % 100).astype(letter).reshape(shape)


def dtypes_by_numpy(bench):
    """A tensor becomes what an array is, and a new one is made; whatever dtype it was."""
    for legacy in (False, True):
        path = bench.save(dict(neighbours(), a=torch.ones(2, 3)), "x.pth", legacy)
        for letter in NUMPY_DTYPES:
            array = array_of(letter, (3, 2), 1)
            try:
                new = torch.from_numpy(array.copy())
            except TypeError:
                continue  # a torch that lacks the unsigned ones
            for key in ("a", "new"):
                wrong = set_tensor(bench, path, key, array.dtype.str, new, array.tobytes())
                bench.tally.judge("%s%s set from %s" % (key, " legacy" * legacy, array.dtype), wrong)


def dtypes_in_pickles(bench):
    """numpy arrays inside of pickles, native and swapped, C and Fortran."""
    for name in ("x.pth", "x-legacy.pth", "x.p0", "x.p2", "x.p3", "x.p4", "x.p5"):
        for letter in NUMPY_DTYPES + (">i", ">d"):
            old = array_of(letter, (2, 3), 1)
            thing = {"b": numpy.arange(4), "a": old, "f": numpy.asfortranarray(old), "n": 1}
            path = bench.save(thing, name, "legacy" in name)
            for key, shape in (("a", (2, 3)), ("f", (2, 3)), ("a", (5,))):
                new = array_of(letter, shape, 7)
                label = "array %s %s %s as %s in %s" % (key, old.dtype.str, shape, new.dtype, name)
                bench.tally.judge(label, set_array(bench, path, key, new))


def set_array(bench, original, key, new):
    """Set an array; its values are the file's, in the order of bytes and elements that it had."""
    path, npy = bench.copy(original), bench.fresh("new.npy")
    native = new.astype(new.dtype.newbyteorder("="))
    npy.write_bytes(npy_bytes(native.dtype.str, native.shape, native.tobytes()))
    code, _, err = bench.run("set", path, key, "--npy", npy)
    old = walk.load(str(original))[key]
    if code and old.shape != new.shape:
        return one_sentence(code, err, path)
    if code:
        return ["set %s: exit %s: %s" % (key, code, err)]
    wrong = bench.equal(path, original, lambda top: replaced(top, key, walk.load(str(path))[key]))
    now = walk.load(str(path))[key]
    if isinstance(now, torch.Tensor) and old.shape != new.shape:
        now = now.numpy()  # with another shape it is a tensor of torch
    if now.shape != new.shape or now.astype(native.dtype).tobytes() != native.tobytes():
        wrong.append("holds other values: %r, not %r" % (now, new))
    if now.shape == old.shape and (now.dtype, now.strides) != (old.dtype, old.strides):
        wrong.append("is kept otherwise: %s %s" % (now.dtype, now.strides))
    return wrong


def dtypes_in_parts(bench):
    """The parts of quantized and sparse tensors."""
    for legacy in (False, True):
        path = bench.save(samples.parts(), "parts.pth", legacy)
        for part, raw in (
            ("q/int_repr", bytes(range(6))),
            ("qc/int_repr", bytes(range(6))),
            ("coo/values", struct.pack("<2f", 7, 8)),
        ):
            tensor = [entry for entry in bench.entries(path) if entry["name"] == part][0]
            copied, npy = bench.copy(path), bench.fresh("new.npy")
            npy.write_bytes(npy_bytes(descr_of(bench, path, part), tensor["shape"], raw))
            label = "%s%s" % (part, " legacy" * legacy)
            wrong = bench.works("set", copied, part, "--npy", npy)
            bench.tally.judge(label, wrong or bench.equal(copied, path, lambda old: parted(old, part, raw)))


def parted(top, part, raw):
    """Return the sample with other bytes in one part."""
    key, name = part.split("/")
    one = dict(walk.split(top[key]))[name] if name != "int_repr" else top[key]
    walk.storage_of(one).copy_(torch.frombuffer(bytearray(raw), dtype=torch.uint8).clone().untyped_storage()) if NEW else (
        walk.storage_of(one).copy_(type(walk.storage_of(one))(list(raw)))
    )
    return top


def counted(tensor):
    """Return a tensor of the same dtype and shape that counts up from 1."""
    out = (torch.arange(tensor.numel()).reshape(tensor.shape) + 1).to(tensor.dtype)
    return out * (1 + 2j) if tensor.is_complex() else out


def copied(top, key, item):
    """Return what was loaded with other elements in one tensor, written through to whatever shares them."""
    with torch.no_grad():
        top[key].copy_(item)
    return top


def dtypes_in_views(bench):
    """Elements that lie apart, are shared, conjugated or negated: new ones go where the old ones are."""
    for legacy in (False, True):
        path = bench.save(samples.tensors(), "views.pth", legacy)
        for key, tensor in samples.tensors().items():
            if not isinstance(tensor, torch.Tensor):
                continue
            new, result, npy = counted(tensor), bench.copy(path), bench.fresh("new.npy")
            npy.write_bytes(npy_bytes(new.numpy().dtype.str, new.shape, new.numpy().tobytes()))
            wrong = bench.works("set", result, key, "--npy", npy)
            wrong = wrong or bench.equal(result, path, lambda old: copied(old, key, new))
            bench.tally.judge("view %s%s" % (key, " legacy" * legacy), wrong)


def dtypes(bench, _):
    """All of these."""
    dtypes_of_torch(bench)
    dtypes_by_meta(bench)
    dtypes_by_numpy(bench)
    dtypes_in_pickles(bench)
    dtypes_in_parts(bench)
    dtypes_in_views(bench)
