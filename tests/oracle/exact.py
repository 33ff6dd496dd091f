"""Compares two things that torch loaded, bit for bit: the oracle of what pthfs writes.

Equal are: Python types, the order of keys, floats by their bits, which objects are one object, dtype, shape, strides,
offset and storage of every tensor with all bytes of the storage, which tensors share one, requires_grad, device,
conjugate and negative bits, hooks and attributes (so _metadata too), and the same of numpy's arrays.
"""

import struct
import types

import numpy
import torch
import walk

MOST = 8  # differences that are worth telling


def kind(obj):
    """Return the name of a type; classes that are not installed are made anew at every load."""
    return "%s.%s" % (type(obj).__module__, type(obj).__qualname__)


def bits(obj):
    """Return what tells one value without parts from another."""
    if isinstance(obj, float):
        return struct.pack("<d", obj)
    if isinstance(obj, complex):
        return struct.pack("<dd", obj.real, obj.imag)
    if isinstance(obj, numpy.generic):
        return (obj.dtype.str, obj.tobytes())
    if isinstance(obj, type) or isinstance(obj, (types.FunctionType, types.BuiltinFunctionType)):
        return (obj.__module__, obj.__qualname__)
    if isinstance(obj, (set, frozenset)):
        return sorted(repr((kind(item), item)) for item in obj)
    if isinstance(obj, torch.Size):
        return tuple(obj)
    return (kind(obj), obj) if obj.__hash__ is not None else repr(obj)


class Comparison:
    """Walks two objects side by side."""

    def __init__(self):
        self.found, self.todo, self.here, self.there, self.kept = [], [], {}, {}, []

    def differs(self, path, what, one="", two=""):
        """Note a difference."""
        if len(self.found) < MOST:
            tail = ": %.80r, not %.80r" % (two, one) if one != two else ""
            self.found.append("%s: %s%s" % (path or "(top)", what, tail))

    def same(self, path, what, one, two):
        """Compare two plain things; tell whether they are equal."""
        if one != two:
            self.differs(path, what, one, two)
        return one == two

    def meet(self, path, what, one, two):
        """Objects that are one here have to be one there; tell whether these are met for the first time."""
        if self.here.get(one, two) != two or self.there.get(two, one) != one:
            self.differs(path, "%s is shared otherwise" % what)
            return False
        new = one not in self.here
        self.here[one], self.there[two] = two, one
        return new

    def run(self, one, two):
        """Compare everything; return what differs."""
        self.todo.append(("", one, two))
        while self.todo and len(self.found) < MOST:
            self.pair(*self.todo.pop())
        return self.found

    def below(self, path, names, ones, twos):
        """Compare the parts of two objects later."""
        self.todo.extend((("%s/%s" % (path, name)).lstrip("/"), one, two) for name, one, two in zip(names, ones, twos))

    def pair(self, path, one, two):
        """Compare two objects, but not their parts."""
        if not self.same(path, "type", kind(one), kind(two)):
            return
        if isinstance(one, (torch.Tensor, numpy.ndarray, dict, list)) or getattr(one, "__dict__", None):
            self.kept.append((one, two))  # an id is not used again
            if not isinstance(one, (type, types.FunctionType)) and not self.meet(path, "object", id(one), id(two)):
                return
        if isinstance(one, torch.Tensor):
            self.tensor(path, one, two)
        elif isinstance(one, numpy.ndarray):
            self.array(path, one, two)
        elif isinstance(one, dict):
            self.mapping(path, one, two)
        elif isinstance(one, (list, tuple)) and not isinstance(one, torch.Size):
            if self.same(path, "length", len(one), len(two)):
                self.below(path, range(len(one)), one, two)
        elif walk._is_value(one) or walk._is_enum(one):
            self.same(path, "value", bits(one), bits(two))
        elif not isinstance(one, torch.nn.parameter.Parameter):
            self.fields(path, one, two)

    def mapping(self, path, one, two):
        """Compare two dicts, and what OrderedDicts carry along."""
        self.same(path, "keys", [(kind(key), bits(key)) for key in one], [(kind(key), bits(key)) for key in two])
        self.same(path, "factory", getattr(one, "default_factory", None), getattr(two, "default_factory", None))
        self.below(path, one, one.values(), two.values())
        self.fields(path, one, two)

    def fields(self, path, one, two):
        """Compare the attributes of two objects."""
        ones, twos = dict(walk.attributes(one)), dict(walk.attributes(two))
        ones.update({name: value for name, value in getattr(one, "__dict__", {}).items() if name[:6] == "_ghost"})
        twos.update({name: value for name, value in getattr(two, "__dict__", {}).items() if name[:6] == "_ghost"})
        ones.pop("_ghost", None), twos.pop("_ghost", None)
        if self.same(path, "attributes", list(ones), list(twos)):
            self.below(path, ["." + str(name) for name in ones], ones.values(), twos.values())

    def tensor(self, path, one, two):
        """Compare two tensors."""
        for what in ("dtype", "is_nested", "layout", "shape", "requires_grad", "device", "is_quantized", "is_sparse"):
            if what == "shape" and one.is_nested:
                continue  # it has several
            if not self.same(path, what, getattr(one, what), getattr(two, what)):
                return
        self.below(path, [".hooks"], [one._backward_hooks], [two._backward_hooks])
        fields = [{k: v for k, v in vars(t).items() if k != "_backward_hooks"} for t in (one, two)]
        self.below(path, [".dict"], fields[:1], fields[1:])
        if one.is_quantized:
            self.same(path, "scheme", one.qscheme(), two.qscheme())
        elif one.is_sparse:
            self.same(path, "is_coalesced", one.is_coalesced(), two.is_coalesced())
        packed = one.dtype in (torch.quint4x2, torch.quint2x4)
        parts = None if packed else walk.split(one)
        if parts is not None:
            others = walk.split(two)
            self.below(path, [name for name, _ in parts], [part for _, part in parts], [part for _, part in others])
            if not (one.is_quantized and one.numel()):
                return
        if one.layout in (torch.strided,):
            self.strided(path, one, two)

    def strided(self, path, one, two):
        """Compare two tensors that lie in storages, and those."""
        if not one.is_nested:
            self.same(path, "strides", one.stride(), two.stride())
            self.same(path, "offset", one.storage_offset(), two.storage_offset())
        self.same(path, "bits", (one.is_conj(), one.is_neg()), (two.is_conj(), two.is_neg()))
        ones, twos = walk.storage_of(one), walk.storage_of(two)
        if one.is_meta or not self.same(path, "size of the storage", ones.nbytes(), twos.nbytes()):
            return
        self.kept.append((ones, twos))
        if not self.meet(path, "storage", ("storage", ones._cdata), ("storage", twos._cdata)) or not ones.nbytes():
            return
        self.same(path, "location", *(walk.LOCATIONS.get(s.data_ptr(), ("",))[0] for s in (ones, twos)))
        if raw(ones) != raw(twos):
            self.differs(path, "bytes of the storage")

    def array(self, path, one, two):
        """Compare two numpy arrays."""
        for what in ("dtype", "shape", "strides"):
            self.same(path, what, getattr(one, what), getattr(two, what))
        self.below(path, [".dict"], [getattr(one, "__dict__", None)], [getattr(two, "__dict__", None)])
        one, two = one.view(numpy.ndarray), two.view(numpy.ndarray)
        if one.dtype.hasobject:
            self.below(path, range(one.size), one.ravel(), two.ravel())
        elif one.tobytes("A") != two.tobytes("A"):
            self.differs(path, "bytes of the array")


def raw(storage):
    """Return the bytes of a storage."""
    try:
        return torch.tensor([], dtype=torch.uint8).set_(storage).numpy().tobytes()
    except (RuntimeError, TypeError):
        return bytes(storage)


def differences(one, two):
    """Return sentences on what differs between two loaded things; none: they are equal."""
    return Comparison().run(one, two)
