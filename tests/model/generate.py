"""Random operations that mean something in the state that the model is in."""
import json

from model import NPY_TYPES, product
from state import SIZES, Dir, Leaf, NotModelled, Refused, Tensor, View, leaf_text

NAMES = ["a", "b", "c", "w", "new.weight", "module.a", "module.w", "module.new.weight", "x%2Fy", "ü",
         "conv1.weight", "module.conv1.weight", "7", "12", "0", "fc.bias", "~"]
GOOD = {bool: ["True", "False\n", "0", "true\n", "1"], int: ["0", "17\n", "-4", " 42 \n", "+7\n", str(2 ** 65)],
        float: ["0.5\n", "1", "-2.25e-3\n", "inf", "nan\n", ".5", "1e300"],
        str: ["x", "long text " * 30, "", "two\nlines\n", "\n", "ünïcode\n", "12", "None"],
        type(None): ["None\n", "None"], bytes: ["raw", "", "a\n"],
        list: ["[1, 2]\n", "[]", "[4, 5, 6, 7]", "[1, 2, 3]"], tuple: ["[0.5, 0.25]\n", "[1, 2]", "[]"]}
BAD = {bool: ["yes", "", "2", "TRUE"], int: ["", "x", "1.5", "0x10", "1 2", "12abc\n"],
       float: ["", "1,5", "abc", "--1", "1e"], str: ["\udcff\udcfe"], type(None): ["", "none", "0"],
       bytes: [], list: ["", "1", "{}", "[1,", "x"], tuple: ["", "(1, 2)", "[", "{}"]}
JSON = ["5", "5.0", '"text"', "true", "null", "[1, 2, 3]", '{"a": 1, "b": [1.5, "x"]}', "[]", "{", "",
        '{"a": {"b": 2}}', "nope", "[1, [2, 3]]", "-1e3"]


class Generator:
    def __init__(self, rng):
        self.rng, self.next_handle = rng, 0

    # --- choosing -----------------------------------------------------------------------------

    def chance(self, p):
        return self.rng.random() < p

    def entries(self, m, kind=None):
        return [(p, e) for p, e in m.each() if kind is None or isinstance(e.val, kind)]

    def through(self, m, path, e):
        """The same file by another name of its directory."""
        if not e.dir.state_dict or not self.chance(0.2):
            return path
        steps = ".pthfs/%s/%s" % (self.rng.choice(["strip", "add"]),
                                  self.rng.choice(["module", "conv1", "x"]))
        at = (m.path(e.dir.entry) + "/" if e.dir.entry else "") + self.rng.choice(["module", steps])
        m.asked = []
        try:
            names = m.dir_at(at.split("/")).names()
        except (Refused, NotModelled):
            return path
        finally:
            m.not_asked()
        for name, other in names.items():
            if other is e:
                return at + "/" + name
        return path

    def name(self, m, kind=None):
        some = self.entries(m, kind)
        if not some:
            return None
        path, e = self.rng.choice(some)
        return self.through(m, path, e)

    def entry(self, m, kind):
        some = self.entries(m, kind)
        return self.rng.choice(some) if some else (None, None)

    def dirs(self, m):
        return [("", m.root)] + [(p + "/", e.val) for p, e in self.entries(m, Dir)]

    def fresh(self, m):
        """A name that may well be taken."""
        path, d = self.rng.choice(self.dirs(m))
        if d.kind == "list":
            return path + str(self.rng.randrange(6))
        if d.state_dict and self.chance(0.2):
            path += self.rng.choice(["module/", ".pthfs/strip/module/", ".pthfs/add/module/"])
        gone = [e.name for e in d.slots if e.gone or e.dir is not d]
        if gone and self.chance(0.4):
            return path + self.rng.choice(gone)
        return path + self.rng.choice(NAMES)

    def seed(self):
        return self.rng.randrange(1 << 30)

    def piece(self, n):
        """An offset and a length in n bytes, of any alignment."""
        if n == 0:
            return 0, 0
        if self.chance(0.15):
            return 0, n
        off = self.rng.randrange(n)
        if self.chance(0.3):
            off -= off % 4
        most = n - off
        return off, min(most, self.rng.choice([1, 2, 3, 4, 7, 8, 64, 513, 4096, most]))

    # --- bytes --------------------------------------------------------------------------------

    def pwrite(self, m):
        path, e = self.entry(m, Tensor)
        if not path:
            return None
        off, n = self.piece(e.val.nbytes)
        if self.chance(0.05):
            off, n = e.val.nbytes - min(e.val.nbytes, self.rng.randrange(3)), self.rng.randrange(1, 9)
        return {"op": "put", "path": self.through(m, path, e), "off": off, "n": n, "seed": self.seed()}

    def pread(self, m):
        path, e = self.entry(m, (Tensor, Leaf))
        if not path:
            return None
        size = e.val.nbytes if isinstance(e.val, Tensor) else 20
        off, n = self.piece(size)
        return {"op": "pread", "path": self.through(m, path, e), "off": off, "n": n + self.rng.randrange(3)}

    def mapped(self, m):
        path, e = self.entry(m, Tensor)
        if not path or not e.val.nbytes:
            return None
        off, n = self.piece(e.val.nbytes)
        return {"op": "mapped", "path": self.through(m, path, e), "off": off, "n": n, "seed": self.seed()}

    def rewrite(self, m):
        path, e = self.entry(m, Tensor)
        if not path:
            return None
        n = e.val.nbytes
        if self.chance(0.3):
            n = max(0, self.rng.choice([0, n - 1, n + 1, n // 2, n * 2, n - 4]))
        return {"op": "put", "path": self.through(m, path, e), "trunc": True, "create": self.chance(0.8),
                "n": n, "seed": self.seed(), "chunk": self.rng.choice([0, 0, 100, 4096, 37 + n // 3])}

    def truncate(self, m):
        path, e = self.entry(m, (Tensor, Leaf))
        if not path:
            return None
        n = e.val.nbytes if isinstance(e.val, Tensor) else 4
        return {"op": "truncate", "path": self.through(m, path, e),
                "n": max(0, self.rng.choice([n, n, n - 1, n + 1, 0, n // 2]))}

    # --- open files ---------------------------------------------------------------------------

    def open(self, m):
        if len(m.handles) > 6:
            return None
        self.next_handle += 1
        path = self.fresh(m) if self.chance(0.25) else self.name(m, (Tensor, Leaf))
        if m.handles and self.chance(0.4):  # one that is open already, or overlaps it
            h = m.handles[self.rng.choice(sorted(m.handles))]
            if isinstance(h.obj, Tensor):
                near = m.names(h.obj) + [e for o in m.overlapping(h.obj) for e in m.names(o)]
                path = m.path(self.rng.choice(near)) if near else path
        if not path:
            return None
        write = self.chance(0.8)
        return {"op": "open", "h": self.next_handle, "path": path, "write": write,
                "trunc": write and self.chance(0.35), "create": write and self.chance(0.8),
                "excl": write and self.chance(0.1)}

    def with_handle(self, m):
        if not m.handles:
            return self.open(m)
        h = self.rng.choice(sorted(m.handles))
        x = m.handles[h]
        size = x.obj.nbytes if isinstance(x.obj, Tensor) else 24
        s = m.stage(x.what, x.obj) if x.what != "scratch" else None
        blob = s.blob if s else x.obj.blob if x.what == "scratch" else None
        have = len(blob) if blob is not None else size
        off, n = self.piece(size)
        kind = self.rng.choice(["hwrite", "hwrite", "hwrite", "hread", "hread", "hclose", "hdup", "hsync",
                                "htrunc", "grow"])
        if kind == "grow":  # goes on where the content ends
            kind, off, n = "hwrite", have, max(0, size - have)
        op = {"op": kind, "h": h}
        if kind == "hwrite" and isinstance(x.obj, Tensor) or x.what == "scratch":
            op.update(off=off, n=n, seed=self.seed())
        elif kind == "hwrite":
            text = self.value_text(x.obj.val.v) if x.what == "leaf" and isinstance(x.obj.val, Leaf) else "1"
            op.update(off=self.rng.choice([0, 0, 0, have]), text=text)
        elif kind == "hread":
            op.update(off=off, n=n + 3)
        if kind == "htrunc":
            op = {"op": kind, "h": h, "n": max(0, self.rng.choice([0, size, have, have - 3, size + 1, n]))}
        if kind == "hread" and "seed" in op:
            del op["seed"]
        return op

    def sync(self, m):
        return {"op": "sync", "path": self.rng.choice(self.dirs(m))[0].rstrip("/")}

    # --- names --------------------------------------------------------------------------------

    def rename(self, m):
        a = self.name(m)
        if m.scratch and self.chance(0.15):
            s = self.rng.choice(m.scratch)
            a = (m.path(s.dir.entry) + "/" if s.dir.entry else "") + s.name
        elif self.chance(0.05):
            a = (self.name(m, Tensor) or "x") + self.rng.choice([".meta", ".npy", ".stats"])
        b = self.name(m) if self.chance(0.15) else self.fresh(m)
        if a and b and self.chance(0.3):  # in the same directory
            b = a.rpartition("/")[0] + "/" * ("/" in a) + b.rpartition("/")[2]
        return a and b and {"op": "rename", "a": a, "b": b, "noreplace": self.chance(0.1)}

    def unlink(self, m):
        path = self.name(m, (Tensor, Leaf)) if self.chance(0.9) else self.name(m)
        if m.scratch and self.chance(0.1):
            s = self.rng.choice(m.scratch)
            path = (m.path(s.dir.entry) + "/" if s.dir.entry else "") + s.name
        if path and self.chance(0.08):
            path += self.rng.choice([".meta", ".npy", ".json"])
        return path and {"op": "unlink", "path": path}

    def rmtree(self, m):
        some = [p for p, e in self.entries(m, Dir) if sum(1 for _ in m.each(e.val)) < 12]
        return {"op": "rmtree", "path": self.rng.choice(some)} if some else None

    def mkdir(self, m):
        return {"op": "mkdir", "path": self.fresh(m)}

    def rmdir(self, m):
        path = self.name(m, Dir) or self.name(m)
        empty = [p for p, e in self.entries(m, Dir) if not e.val.children()]
        if empty and self.chance(0.6):
            path = self.rng.choice(empty)
        return path and {"op": "rmdir", "path": path}

    def link(self, m):
        a = self.name(m, Tensor) if self.chance(0.95) else self.name(m)
        return a and {"op": "link", "a": a, "b": self.fresh(m)}

    # --- types and values ---------------------------------------------------------------------

    def shape(self, n):
        """A shape of n elements."""
        out = []
        while n > 1 and len(out) < 3 and self.chance(0.7):
            d = self.rng.choice([k for k in range(1, min(n, 64) + 1) if n % k == 0])
            out.append(d)
            n //= d
        return out + [n] if n != 1 or self.chance(0.5) else out

    def npy(self, m):
        descr, dtype = self.rng.choice(sorted(NPY_TYPES.items()))
        path, e = self.entry(m, Tensor)
        shape = tuple(self.shape(self.rng.choice([0, 1, 4, 6, 12, 60])))
        if path and self.chance(0.4):  # only the bytes differ
            dtype, shape = e.val.dtype, e.val.shape
            descr = next((d for d, t in NPY_TYPES.items() if t == dtype), None)
            if descr is None:
                return None
        if not path or self.chance(0.35):
            path = self.fresh(m)
        elif self.chance(0.2):
            path = self.through(m, path, e)
        n = product(shape) * SIZES[dtype]
        if self.chance(0.05):
            n = max(0, n - 1)
        return {"op": "put", "path": path + ".npy", "trunc": True, "create": True,
                "npy": [("|" if SIZES[dtype] == 1 else "<") + descr, self.chance(0.2), shape], "n": n,
                "seed": self.seed(), "chunk": self.rng.choice([0, 0, 128, 50])}

    def typed(self, m):
        """A new tensor as bytes and .meta, in either order."""
        path, dtype = self.fresh(m), self.rng.choice(sorted(SIZES))
        shape = self.shape(self.rng.choice([0, 1, 6, 24, 60]))
        n = product(shape) * SIZES[dtype] - (1 if self.chance(0.1) else 0)
        both = [{"op": "put", "path": path, "trunc": True, "create": True, "n": max(0, n),
                 "seed": self.seed()},
                {"op": "put", "path": path + ".meta", "trunc": True, "create": True,
                 "text": json.dumps({"dtype": dtype, "shape": shape, "nbytes": 7})}]
        self.rng.shuffle(both)
        return both

    def scratch_onto(self, m):
        """What an editor does: a new file beside it, then renamed onto it."""
        path, e = self.entry(m, (Tensor, Leaf))
        if not path:
            return None
        tmp = path.rpartition("/")[0] + "/" * ("/" in path) + self.rng.choice([".tmp", "~t", "t.swp"])
        op = {"op": "put", "path": tmp, "trunc": True, "create": True}
        if isinstance(e.val, Leaf):
            op["text"] = self.value_text(e.val.v)
        else:
            n = e.val.nbytes
            op.update(n=n if self.chance(0.8) else n + 1, seed=self.seed())
        return [op, {"op": "rename", "a": tmp, "b": self.through(m, path, e)}]

    def come_back(self, m):
        """cp --remove-destination: removed, or moved away, and new under the same name."""
        path, e = self.entry(m, (Tensor, Leaf))
        if not path:
            return None
        n = e.val.nbytes if isinstance(e.val, Tensor) else 0
        new = {"op": "put", "path": path, "trunc": True, "create": True}
        if isinstance(e.val, Leaf):
            new["text"] = self.value_text(e.val.v)
        else:
            new.update(n=n if self.chance(0.85) else n // 2, seed=self.seed())
        away = {"op": "unlink", "path": path} if self.chance(0.6) else \
            {"op": "rename", "a": path, "b": self.fresh(m)}
        return [away, new]

    def meta(self, m):
        path, e = self.entry(m, Tensor)
        if not path:
            return None
        t, new = e.val, {}
        if self.chance(0.6):
            fits = [d for d in sorted(SIZES) if t.nbytes % SIZES[d] == 0]
            new["dtype"] = self.rng.choice(fits)
        if "dtype" in new or self.chance(0.5):
            new["shape"] = self.shape(t.nbytes // SIZES[new.get("dtype", t.dtype)])
        if self.chance(0.3):
            new["requires_grad"] = self.chance(0.5)
        text = json.dumps(new)
        if self.chance(0.1):
            text = self.rng.choice(["", "{", "[]", '{"dtype": "floaty"}', '{"shape": [3, 5, 7, 11]}',
                                    '{"shape": [-1]}', '{"x": 1}'])
        return {"op": "put", "path": self.through(m, path, e) + ".meta", "trunc": True, "text": text,
                "create": self.chance(0.5)}

    def value_text(self, v):
        pool = BAD if self.chance(0.25) and BAD[type(v)] else GOOD
        return self.rng.choice(pool[type(v)])

    def value(self, m):
        path, e = self.entry(m, Leaf)
        if not path:
            return None
        op = {"op": "put", "path": self.through(m, path, e), "text": self.value_text(e.val.v),
              "trunc": self.chance(0.9), "create": self.chance(0.5)}
        if not op["trunc"]:
            op["off"] = self.rng.choice([0, len(leaf_text(e.val.v))])
        return op

    def json(self, m):
        path, e = self.entry(m, (Leaf, Dir))
        if not path or self.chance(0.2):
            return {"op": "put", "path": self.fresh(m) + ".json", "trunc": True, "create": True,
                    "text": self.rng.choice(JSON)}
        text = self.rng.choice(JSON)
        if isinstance(e.val, Dir):
            try:
                v = m.json_of(e)
            except NotModelled:
                return None
            if isinstance(v, dict):
                for k in list(v):
                    if self.chance(0.2):
                        v[k] = self.rng.choice([1, 0.5, "x", None, True, {"q": 1}])
                    elif self.chance(0.1):
                        del v[k]
                if self.chance(0.3):
                    v[self.rng.choice(["n1", "n2"])] = 3
            text = json.dumps(v)
        return {"op": "put", "path": path + ".json", "trunc": True, "create": True, "text": text}

    # --- all of it ----------------------------------------------------------------------------

    def commit(self, m):
        return {"op": "commit", "words": self.rng.choice(["1", "", "x"]) or "1"}

    def remount(self, m):
        return {"op": "remount", "options": self.rng.choice(["", "", ",inplace", ",compact", ",inplace"]),
                "compact": self.chance(0.2)}

    WEIGHTS = [("pwrite", 200), ("pread", 80), ("mapped", 40), ("rewrite", 70), ("truncate", 25),
               ("open", 50), ("with_handle", 220), ("sync", 12), ("rename", 70), ("unlink", 25),
               ("rmtree", 2), ("mkdir", 10), ("rmdir", 14), ("link", 12), ("npy", 30), ("typed", 12),
               ("scratch_onto", 25), ("come_back", 25), ("meta", 30), ("value", 50), ("json", 20),
               ("commit", 6), ("remount", 2), ("revert", 2), ("kill", 2)]

    def some(self, m):
        """One operation or a few that belong together."""
        while True:
            kind = self.rng.choices([k for k, _ in self.WEIGHTS], [w for _, w in self.WEIGHTS])[0]
            op = getattr(self, kind)(m) if hasattr(self, kind) else {"op": kind}
            if op:
                return op if isinstance(op, list) else [op]
