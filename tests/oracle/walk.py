"""Loads a checkpoint with real torch and lists what its tree should be: the oracle."""

import base64
import datetime
import hashlib
import inspect
import io
import pathlib
import pickle
import types
import zipfile

import names

try:
    import numpy
except ImportError:
    numpy = None
import torch

SIMPLE = (int, float, str, bool, complex, type(None), bytes, bytearray)
NUMPY_KINDS = "biufc"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


# --- loading -----------------------------------------------------------------------------------


class Ghost:
    """Stands for an object of a class that is not installed; keeps its state, runs nothing."""

    def __init__(self, *args, **kwargs):
        self.__dict__["_ghost_args"] = args

    def __setstate__(self, state):
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        for part in parts:
            if isinstance(part, dict):
                self.__dict__.update(part)

    def append(self, item):
        self.__dict__.setdefault("_ghost_items", []).append(item)

    def __setitem__(self, key, value):
        self.__dict__.setdefault("_ghost_items", []).append((key, value))


def _from_type(func, kind, args, state):
    """Rebuild a tensor whose subclass may be a ghost: then it is a plain tensor."""
    try:
        return torch._tensor._rebuild_from_type_v2(func, kind, args, state)
    except TypeError:
        return func(*args)


class LenientUnpickler(pickle.Unpickler):
    """Unpickles, with ghosts in the place of classes that are not installed."""

    def find_class(self, module, name):
        if (module, name) == ("torch._tensor", "_rebuild_from_type_v2"):
            return _from_type
        if module.startswith(("numpy._core", "numpy.core")) and numpy is not None:
            module = ("numpy._core" if hasattr(numpy, "_core") else "numpy.core") + module.split("core", 1)[1]
        try:
            return super().find_class(module, name)
        except (ImportError, AttributeError):
            return type(name, (Ghost,), {"__module__": module, "_ghost": True})


def _lenient_load(stream, **kwargs):
    return LenientUnpickler(stream, **kwargs).load()


LENIENT = types.SimpleNamespace(
    Unpickler=LenientUnpickler,
    load=_lenient_load,
    loads=lambda raw, **kw: _lenient_load(io.BytesIO(raw), **kw),
    UnpicklingError=pickle.UnpicklingError,
    __name__="pickle",
)


LOCATIONS = {}  # where a storage was saved, by its address: everything is loaded to the CPU


def _to_cpu(storage, location):
    """Take a storage as it is and remember where it was saved."""
    if not location.startswith(("cpu", "meta")) and storage.nbytes():
        LOCATIONS[storage.data_ptr()] = (location, storage)  # kept alive: an address is not used again
    return storage


def is_torchscript(path):
    """Tell a TorchScript archive, which torch.load hands over with less freedom."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _torch_load(path):
    """Call torch.load with ghosts, whether or not this release knows weights_only."""
    how = {"map_location": _to_cpu, "pickle_module": LENIENT}
    if "weights_only" in inspect.signature(torch.load).parameters:
        how["weights_only"] = False
    if is_torchscript(path):
        return torch.jit.load(path, map_location="cpu")
    if not torch.__version__.startswith("1.13"):
        return torch.load(path, **how)
    torch.serialization.pickle = LENIENT  # 1.13 forgets the pickle_module it is given
    try:
        return torch.load(path, **how)
    finally:
        torch.serialization.pickle = pickle


def load(path):
    """Load a checkpoint as torch.load(weights_only=False) does, or a plain pickle."""
    try:
        return _torch_load(path)
    except Exception as first:
        try:
            with open(path, "rb") as stream:
                top = _lenient_load(stream)
        except Exception:
            raise first from None
        if type(top) is int and top == LEGACY_MAGIC:
            raise
        return top


# --- what a value says -------------------------------------------------------------------------


def is_opaque(obj):
    """Tell whether the manual leaves open how this object is shown."""
    if _is_value(obj):
        return False
    if numpy is not None and isinstance(obj, numpy.ndarray):
        return obj.dtype.hasobject or type(obj) is not numpy.ndarray
    if isinstance(obj, Ghost):
        state = set(vars(obj)) - {"_ghost_args"}
        return not state and bool(obj._ghost_args) or "_ghost_items" in state
    if _is_enum(obj) or isinstance(obj, (list, tuple)) and type(obj) not in (list, tuple):
        return True
    if isinstance(obj, torch.Tensor):
        return obj.layout == getattr(torch, "jagged", None) or obj.dtype in (torch.quint4x2, torch.quint2x4)
    return not (isinstance(obj, (dict, list, tuple)) or hasattr(obj, "__dict__") or hasattr(obj, "__slots__"))


def attributes(obj):
    """Return the attributes of an object, those in slots as well."""
    slots = [name for cls in type(obj).__mro__ for name in cls.__dict__.get("__slots__", ())]
    state = {name: getattr(obj, name) for name in slots if hasattr(obj, name)}
    state.update(getattr(obj, "__dict__", {}))
    return [(name, value) for name, value in state.items() if not name.startswith("_ghost")]


def _is_enum(obj):
    import enum

    return isinstance(obj, enum.Enum)


def _is_value(obj):
    """Tell whether an object is one scalar file."""
    if _is_enum(obj):
        return False
    if type(obj) in SIMPLE or isinstance(obj, (set, frozenset, torch.Size, torch.dtype, torch.device, torch.layout)):
        return True
    if isinstance(obj, (datetime.date, pathlib.PurePath, type, types.FunctionType, types.BuiltinFunctionType)):
        return True
    return numpy is not None and isinstance(obj, numpy.generic) and obj.dtype.kind in NUMPY_KINDS


def plain(obj):
    """Return the JSON value of something inside a JSON list."""
    if isinstance(obj, (list, tuple, set, frozenset)):
        return [plain(item) for item in obj]
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if numpy is not None and isinstance(obj, numpy.generic):
        return plain(obj.item())
    return value_bytes(obj).decode("utf-8", "replace").rstrip("\n")


def value_bytes(obj):
    """Return what the file of a value holds."""
    if isinstance(obj, (bytes, bytearray)):
        return bytes(obj)
    if isinstance(obj, (list, tuple, set, frozenset)):
        text = names.json_text(plain(obj))
    elif numpy is not None and isinstance(obj, numpy.generic):
        return value_bytes(obj.item())
    elif isinstance(obj, str):
        text = obj
    elif isinstance(obj, datetime.date):
        text = obj.isoformat()
    elif isinstance(obj, (type, types.FunctionType, types.BuiltinFunctionType)):
        text = "%s.%s" % (obj.__module__, obj.__qualname__)
    elif isinstance(obj, (torch.device, pathlib.PurePath)):
        text = str(obj)
    else:
        text = repr(obj)
    return (text + "\n").encode("utf-8", "surrogatepass")


def is_module(obj):
    """Tell whether an object is a torch.nn.Module, installed or not."""
    fields = getattr(obj, "__dict__", {})
    return not isinstance(obj, type) and all(name in fields for name in ("_parameters", "_buffers", "_modules"))


def state_dict(module):
    """Return what module.state_dict() says, worked out by hand where the class is not installed."""
    if isinstance(module, torch.nn.Module):
        try:
            return module.state_dict()
        except AttributeError:
            pass
    out = {}
    _collect(module, "", out, ())
    return out


def _collect(module, prefix, out, above):
    """Add the tensors of one module and its children to out."""
    fields = module.__dict__
    skip = fields.get("_non_persistent_buffers_set", ())
    for name, value in fields["_parameters"].items():
        if value is not None:
            out[prefix + name] = value
    for name, value in fields["_buffers"].items():
        if value is not None and name not in skip:
            out[prefix + name] = value
    for name, child in fields["_modules"].items():
        if child is not None and child not in above:
            _collect(child, prefix + name + ".", out, above + (module,))


# --- bytes of tensors --------------------------------------------------------------------------


def storage_of(tensor):
    """Return the untyped storage of a tensor, in any release of torch."""
    if hasattr(tensor, "untyped_storage"):
        return tensor.untyped_storage()
    typed = tensor.storage()
    return typed.untyped() if hasattr(typed, "untyped") else typed._untyped()


def _gather(tensor):
    """Pick a tensor's bytes out of its storage, for dtypes that torch cannot copy."""
    raw, size = bytes(storage_of(tensor)), tensor.element_size()
    offsets = [tensor.storage_offset()]
    for length, stride in zip(tensor.shape, tensor.stride()):
        offsets = [at + i * stride for at in offsets for i in range(length)]
    return b"".join(raw[at * size : (at + 1) * size] for at in offsets)


def tensor_bytes(tensor):
    """Return a tensor's elements in C order, conjugate and negative bits resolved."""
    if tensor.is_meta:
        return b""
    tensor = tensor.detach().as_subclass(torch.Tensor)
    try:
        flat = tensor.resolve_conj().resolve_neg().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    except (RuntimeError, TypeError, NotImplementedError):
        return _gather(tensor)


# --- the tree ----------------------------------------------------------------------------------


class Walker:
    """Lists the tree of one object, as entries of an expectation file."""

    def __init__(self):
        self.entries, self.groups, self.same, self.kept = [], {}, {}, []

    def walk(self, top):
        """Return the entries of a whole checkpoint."""
        kids = self.children(top)
        if kids is None:
            kids = [("value", top)]
        self.directory("", kids, (top,), checked=not is_module(top))
        for paths in self.same.values():
            for entry in self.entries:
                if entry["path"] in paths and len(paths) > 1:
                    entry["tied_with"] = [path for path in paths if path != entry["path"]]
        return self.entries

    def children(self, obj):
        """Return the (key, value) pairs of a directory, or None when the object is a file."""
        if is_module(obj):
            return list(state_dict(obj).items())
        if isinstance(obj, dict):
            return list(obj.items())
        if type(obj) in (list, tuple):
            return list(enumerate(obj)) if self.holds_tree(obj) else None
        if _is_value(obj) or is_opaque(obj) or isinstance(obj, torch.Tensor) or self.is_array(obj):
            return None
        return attributes(obj)

    def is_array(self, obj):
        """Tell whether an object is a numpy array."""
        return numpy is not None and isinstance(obj, numpy.ndarray)

    def holds_tree(self, top):
        """Tell whether a dict, tensor or object lies somewhere in a list or tuple."""
        todo, seen = [top], set()
        while todo:
            obj = todo.pop()
            if id(obj) in seen:
                continue
            seen.add(id(obj))
            if type(obj) in (list, tuple):
                todo.extend(obj)
            elif not _is_value(obj):
                return True
        return False

    def directory(self, path, kids, above, checked=True):
        """List the children of one directory."""
        spelled = names.child_names([key for key, _ in kids])
        for name, (_, value) in zip(spelled, kids):
            meta = names.meta_name(name, set(spelled))
            self.node(path + name, value, above, checked, None if meta == name + names.META else path + meta)

    def node(self, path, value, above, checked, meta):
        """List one child, whatever it is."""
        if is_opaque(value) or any(value is other for other in above if not isinstance(other, SIMPLE)):
            self.entries.append({"path": path, "kind": "opaque"})
        elif isinstance(value, torch.Tensor):
            self.tensor(path, value, checked, meta)
        elif self.is_array(value):
            self.array(path, value, meta)
        elif (kids := self.children(value)) is not None:
            self.entries.append({"path": path, "kind": "dir"})
            self.directory(path + "/", kids, above + (value,), checked=not is_module(value))
        else:
            self.value(path, value)

    def value(self, path, value):
        """List one scalar file."""
        raw = value_bytes(value)
        entry = {"path": path, "kind": "value", "type": type(value).__name__, "nbytes": len(raw)}
        try:
            entry["text"] = raw.decode("utf-8")
        except UnicodeDecodeError:
            entry["base64"] = base64.b64encode(raw).decode()
        if isinstance(value, (set, frozenset)):
            entry["unordered"] = True
        elif isinstance(value, (list, tuple)):
            entry["json"] = True
        self.entries.append(entry)

    def parts(self, path, parts, tensor):
        """List a tensor that is shown as a directory of its parts."""
        self.entries.append(
            {
                "path": path,
                "kind": "dir",
                "has_meta": True,
                "shape": list(tensor.shape) if not tensor.is_nested else None,
            }
        )
        for name, part in parts:
            if isinstance(part, torch.Tensor):
                self.tensor(path + "/" + name, part, False, None, part=True)
            else:
                self.value(path + "/" + name, part)

    def tensor(self, path, tensor, checked, meta, part=False):
        """List one torch tensor."""
        parts = split(tensor)
        if parts is not None:
            self.parts(path, parts, tensor)
            return
        raw = tensor_bytes(tensor)
        entry = {
            "path": path,
            "kind": "tensor",
            "dtype": str(tensor.dtype).replace("torch.", ""),
            "shape": list(tensor.shape),
            "nbytes": len(raw),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
        if not tensor.is_contiguous():
            entry["stride"] = list(tensor.stride())
        where = "meta" if tensor.is_meta else part or LOCATIONS.get(storage_of(tensor).data_ptr(), (None,))[0]
        if isinstance(where, str):
            entry["device"] = where
        if checked:
            entry["requires_grad"] = bool(tensor.requires_grad)
        if meta:
            entry["meta"] = meta
        if not part:
            self.identify(entry, tensor)
        self.entries.append(entry)

    def identify(self, entry, tensor):
        """Number the storage of a tensor and note which other paths are the very same tensor."""
        self.kept.append(tensor)
        if tensor.is_meta:
            same = ("meta", id(tensor))
        else:
            entry["storage_group"] = self.group(storage_of(tensor))
            where = tensor.data_ptr() if tensor.numel() else (storage_of(tensor)._cdata, tensor.storage_offset())
            same = (where, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg())
        self.same.setdefault(same, []).append(entry["path"])

    def group(self, storage):
        """Return the number of a storage; windows of one storage have one number."""
        begin, size = storage.data_ptr(), storage.nbytes()
        for known, (low, high, number) in self.groups.items():
            if known == storage._cdata or size and begin < high and low < begin + size:
                return number
        number = len({number for _, _, number in self.groups.values()})
        self.groups[storage._cdata] = (begin, begin + size, number)
        return number

    def array(self, path, array, meta):
        """List one numpy array."""
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        raw = native.tobytes("C")
        named = array.dtype.kind in NUMPY_KINDS and array.dtype.names is None
        opaque = array.dtype.kind in "SUV"  # text and records: bytes, with the item as the last dimension
        entry = {
            "path": path,
            "kind": "tensor",
            "dtype": array.dtype.name if named else None,
            "shape": list(array.shape) + [array.itemsize] * opaque,
            "nbytes": len(raw),
            "sha256": hashlib.sha256(raw).hexdigest(),
        }
        if not array.flags.c_contiguous:
            entry["stride"] = [step // array.itemsize for step in array.strides]
        if meta:
            entry["meta"] = meta
        self.kept.append(array)
        self.same.setdefault(("array", id(array)), []).append(path)
        self.entries.append(entry)


def split(tensor):
    """Return the named parts of a sparse, quantized or nested tensor, or None."""
    if tensor.is_quantized:
        whole = [("int_repr", tensor.int_repr())]
        if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
            return whole + [("scale", tensor.q_scale()), ("zero_point", tensor.q_zero_point())]
        return whole + [
            ("scales", tensor.q_per_channel_scales()),
            ("zero_points", tensor.q_per_channel_zero_points()),
            ("axis", tensor.q_per_channel_axis()),
        ]
    if tensor.is_nested:
        return [
            ("buffer", tensor.values()),
            ("sizes", tensor._nested_tensor_size()),
            ("strides", tensor._nested_tensor_strides()),
            ("storage_offsets", tensor._nested_tensor_storage_offsets()),
        ]
    if tensor.layout == torch.sparse_coo:
        return [("indices", tensor._indices()), ("values", tensor._values())]
    if tensor.layout in (torch.sparse_csr, getattr(torch, "sparse_bsr", None)):
        return [
            ("crow_indices", tensor.crow_indices()),
            ("col_indices", tensor.col_indices()),
            ("values", tensor.values()),
        ]
    if tensor.layout in (getattr(torch, "sparse_csc", None), getattr(torch, "sparse_bsc", None)):
        return [
            ("ccol_indices", tensor.ccol_indices()),
            ("row_indices", tensor.row_indices()),
            ("values", tensor.values()),
        ]
    return None


def expectation(path):
    """Return the expectation document of one checkpoint file."""
    with open(path, "rb") as stream:
        digest = hashlib.sha256(stream.read()).hexdigest()
    return {
        "file": pathlib.Path(path).name,
        "sha256": digest,
        "torch": torch.__version__.split("+")[0],
        "entries": Walker().walk(load(path)),
    }


if __name__ == "__main__":
    import json
    import sys

    print(json.dumps(expectation(sys.argv[1])))
