"""The checkpoint that a run begins with, and torch as a witness: what it loads, as a model."""
from collections import OrderedDict

import torch

from model import Model
from state import Dir, Entry, Leaf, Storage, Tensor, name_of, same_value

torch.set_num_threads(1)


# --- making one -----------------------------------------------------------------------------------


def random_tensor(rng, dtype, shape):
    n = 1
    for d in shape:
        n *= d
    raw = rng.randbytes(n * torch.empty(0, dtype=dtype).element_size())
    if dtype == torch.bool:
        raw = bytes(b & 1 for b in raw)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape) if raw else torch.empty(
        shape, dtype=dtype)


def state_dict(rng, prefix):
    def new(*shape, dtype=torch.float32):
        return random_tensor(rng, dtype, shape)

    sd = OrderedDict()
    sd[prefix + "conv1.weight"] = new(8, 3, 3, 3)
    sd[prefix + "conv1.bias"] = new(8)
    sd[prefix + "bn.running_mean"] = new(16, dtype=torch.float64)
    sd[prefix + "bn.num_batches_tracked"] = torch.tensor(7)
    embed = new(50, 16, dtype=torch.float16)
    sd[prefix + "embed.weight"] = embed
    base = new(12, 10)
    sd[prefix + "base"] = base
    sd[prefix + "row"] = base[3]
    sd[prefix + "rows"] = base[2:7]
    sd["column"] = base[:, 4]
    sd["turned"] = base.t()
    sd["second"] = base[::2, ::3]
    sd["page"] = new(40, 64)
    sd["fc.weight"] = embed
    sd["fc.bias"] = torch.nn.Parameter(new(9))
    sd["grad"] = new(4, 4).requires_grad_()
    sd._metadata = OrderedDict([("", {"version": 1}), (prefix + "conv1", {"version": 1}),
                                (prefix + "bn", {"version": 2}), ("fc", {"version": 1})])
    return sd


def make(path, rng, legacy=False):
    """A checkpoint of everything that training writes, small."""
    sd = state_dict(rng, "module.")
    misc = {}
    for dtype in (torch.float64, torch.bfloat16, torch.int32, torch.int16, torch.int8, torch.uint8,
                  torch.bool, torch.complex64):
        misc[str(dtype)[6:]] = random_tensor(rng, dtype, (rng.randrange(1, 9), rng.randrange(1, 9)))
    misc["empty"] = torch.empty(0, 3)
    misc["scalar"] = torch.tensor(0.5)
    misc["expanded"] = random_tensor(rng, torch.float32, (3,)).expand(5, 3)
    misc["permuted"] = random_tensor(rng, torch.float32, (3, 4, 5)).permute(2, 0, 1)
    misc["neg"] = torch._neg_view(random_tensor(rng, torch.float32, (6,)))
    misc["conj"] = torch.conj(random_tensor(rng, torch.complex64, (2, 3)))
    misc["a/b"] = random_tensor(rng, torch.float32, (5,))
    state = {i: {"step": torch.tensor(float(i)), "exp_avg": random_tensor(rng, torch.float32, (8, 4))}
             for i in range(3)}
    groups = [{"lr": 0.1 * i, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False, "foreach": None,
               "params": [i]} for i in range(1, 4)]
    torch.save({"model": sd, "ema": state_dict(rng, ""), "misc": misc,
                "optimizer": {"state": state, "param_groups": groups},
                "epoch": 12, "best": 0.75, "arch": "resnet18", "done": False, "note": None,
                "sizes": [1, 2, 3], "seed": 2 ** 70, "raw": b"ab\xff\x00",
                "config": {"width": 3, "name": "x", "deep": {"rate": 0.5, "on": True}}},
               path, _use_new_zipfile_serialization=not legacy)


# --- reading one ----------------------------------------------------------------------------------


class Reader:
    def __init__(self):
        self.storages, self.tensors, self.kept = {}, {}, []

    def tensor(self, t):
        s = t.untyped_storage()
        if s._cdata not in self.storages:
            self.storages[s._cdata] = Storage(torch.empty(0, dtype=torch.uint8).set_(s).numpy().copy())
            self.kept.append(s)
        st = self.storages[s._cdata]
        flip = "neg" if t.is_neg() else "conj" if t.is_conj() else None
        param = isinstance(t, torch.nn.Parameter)
        same = (id(st), t.dtype, t.shape, t.stride(), t.storage_offset(), t.requires_grad, param, flip)
        if same not in self.tensors:
            self.tensors[same] = Tensor(st, str(t.dtype)[6:], tuple(t.shape), t.stride(),
                                        t.storage_offset(), t.requires_grad, param, flip)
        return self.tensors[same]

    def has_structure(self, v):
        if isinstance(v, (dict, torch.Tensor)):
            return True
        return type(v) in (list, tuple) and any(self.has_structure(x) for x in v)

    def value(self, v):
        if isinstance(v, torch.Tensor):
            return self.tensor(v)
        if isinstance(v, dict):
            d = Dir("odict" if isinstance(v, OrderedDict) else "dict")
            for k, x in v.items():
                d.add(Entry(name_of(k), k, d, self.value(x), 0))
            return d
        if self.has_structure(v):
            d = Dir("tuple" if isinstance(v, tuple) else "list")
            for i, x in enumerate(v):
                d.add(Entry(str(i), None, d, self.value(x), 0))
            return d
        return Leaf(v)


def load(path):
    """The file as torch loads it, as a model."""
    m = Model(Reader().value(torch.load(path, weights_only=True)))
    m.number(m.root)
    m.committed()
    for d in [m.root] + [e.val for _, e in m.each() if isinstance(e.val, Dir)]:
        d.state_dict, d.module = d.in_file
    return m


# --- comparing ------------------------------------------------------------------------------------


def users(m):
    count = {}
    for t in m.tensors():
        count[id(t.st)] = count.get(id(t.st), 0) + 1
    return count


def strides_of(t):
    """Those that matter."""
    return [s for n, s in zip(t.shape, t.stride) if n > 1] if t.numel else []


def differ(m, n):
    """The first way in which two models, of session and file, mean something else; None: they don't."""
    shared_m, shared_n = users(m), users(n)
    storages = {}

    def tensors(path, a, b):
        for what in ("dtype", "shape", "grad", "param", "flip"):
            if getattr(a, what) != getattr(b, what):
                return f"{path}: {what} {getattr(b, what)}, not {getattr(a, what)}"
        if strides_of(a) != strides_of(b):
            return f"{path}: strides {b.stride}, not {a.stride}"
        if a.get() != b.get():
            return f"{path}: other bytes"
        if storages.setdefault(id(a.st), b.st) is not b.st and a.numel:
            return f"{path}: shares its storage with others"
        if shared_m[id(a.st)] > 1 and a.numel:
            if shared_n[id(b.st)] != shared_m[id(a.st)]:
                return f"{path}: {shared_n[id(b.st)]} share its storage, not {shared_m[id(a.st)]}"
            if a.off != b.off or a.st.b.tobytes() != b.st.b.tobytes():
                return f"{path}: another place in its storage, or the storage differs"
        elif a.numel and shared_n[id(b.st)] > 1:
            return f"{path}: shares its storage"
        return None

    def values(path, a, b):
        if isinstance(a, Tensor) and isinstance(b, Tensor):
            return tensors(path, a, b)
        if isinstance(a, Tensor) or isinstance(b, Tensor):
            return f"{path}: a tensor on one side only"
        if isinstance(a, Leaf) and isinstance(b, Leaf):
            return None if same_value(a.v, b.v) else f"{path}: {b.v!r}, not {a.v!r}"
        if isinstance(a, Leaf) or isinstance(b, Leaf):
            d, leaf = (b, a) if isinstance(a, Leaf) else (a, b)
            if d.kind in ("list", "tuple") and isinstance(leaf.v, (list, tuple)):
                if [c.val.v for c in d.children() if isinstance(c.val, Leaf)] == list(leaf.v):
                    return None
            return f"{path}: a directory on one side only"
        if a.kind != b.kind:
            return f"{path}: {b.kind}, not {a.kind}"
        x, y = a.children(), b.children()
        if a.kind in ("dict", "odict") and [c.key for c in x] != [c.key for c in y]:
            return f"{path}: keys {[c.key for c in y]}, not {[c.key for c in x]}"
        if len(x) != len(y):
            return f"{path}: {len(y)} items, not {len(x)}"
        for c, d in zip(x, y):
            if type(c.key) is not type(d.key):
                return f"{path}/{c.name}: the key is {d.key!r}, not {c.key!r}"
            bad = values(f"{path}/{c.name}", c.val, d.val)
            if bad:
                return bad
        return None

    return values("", m.root, n.root)
