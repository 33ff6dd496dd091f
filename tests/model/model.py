"""Every system call on the mount, predicted: what it answers and what it changes.

The calls below raise Refused for an error number, NotModelled for what has no prediction. They are
what design.md says under "The tree" and "Editing"; where that leaves a choice, what pthfs does.
"""
import errno
import json

import numpy as np

from state import (NAME_LIMIT, SIZES, Dir, Entry, Leaf, NotModelled, Refused, Scratch, Storage, Tensor,
                   View, fail, key_of, leaf_text, like, parse_like, same_value)

NPY_HEAD = 128  # of every shape that occurs here
DERIVED = {".meta": "meta", ".npy": "npy", ".stats": None, ".svg": None, ".json": "json"}
NPY_TYPES = {"f8": "float64", "f4": "float32", "f2": "float16", "i8": "int64", "i4": "int32",
             "i2": "int16", "i1": "int8", "u1": "uint8", "b1": "bool", "c8": "complex64"}


class Stage:
    """What is being written into a file and has not taken effect."""

    def __init__(self, what, obj):
        self.what, self.obj = what, obj
        self.blob, self.writers, self.dirty = None, 0, False


class Handle:
    def __init__(self, what, obj, write):
        self.what, self.obj, self.write = what, obj, write
        self.retyped = False  # it was another tensor when it was opened


class Place:
    """What a path leads to: key, scratch, companion, made (up), or nothing."""

    def __init__(self, view, name):
        self.view, self.name, self.is_ = view, name, "nothing"
        self.entry = self.scratch = self.which = None
        self.real = None

    @property
    def is_dir(self):
        return self.is_ == "made" or (self.is_ == "key" and isinstance(self.entry.val, Dir))


class Model:
    def __init__(self, root):
        self.root = root
        self.scratch, self.left, self.stages, self.handles = [], [], [], {}
        self.seq = self.deaths = 0
        self.left_mark = self.in_file = 0
        self.made_index = None
        self.asked = []

    def __getstate__(self):
        return {**self.__dict__, "made_index": None}

    # --- the tree -----------------------------------------------------------------------------

    def each(self, dir_=None, path=""):
        """(path, entry) of everything, depth first, in order."""
        for e in (dir_ or self.root).children():
            here = path + e.name
            yield here, e
            if isinstance(e.val, Dir):
                yield from self.each(e.val, here + "/")

    def alive(self, e):
        while e:
            if e.gone:
                return False
            e = e.dir.entry
        return True

    def path(self, e):
        out = e.name
        while e.dir.entry:
            e = e.dir.entry
            out = e.name + "/" + out
        return out

    def index(self):
        """Tensors with their names, and by storage; made anew when names have changed."""
        if self.made_index is None:
            names, stored = {}, {}
            for _, e in self.each():
                if isinstance(e.val, Tensor):
                    if id(e.val) not in names:
                        stored.setdefault(id(e.val.st), []).append(e.val)
                    names.setdefault(id(e.val), []).append(e)
            for entries in names.values():
                entries.sort(key=lambda e: e.seq)
            self.made_index = names, stored
        return self.made_index

    def names(self, t):
        """The names of a tensor, the first one first."""
        return self.index()[0].get(id(t), [])

    def tensors(self):
        return [t for stored in self.index()[1].values() for t in stored]

    def overlapping(self, t):
        lo, hi = t.span()
        for o in self.index()[1].get(id(t.st), []):
            a, b = o.span()
            if o is not t and a < hi and lo < b:
                yield o

    def shared_with(self, t):
        mine = self.names(t)
        out = [self.path(e) for e in mine] if len(mine) > 1 else []
        return out + [self.path(self.names(o)[0]) for o in self.overlapping(t)]

    def meta(self, t):
        out = {"dtype": t.dtype, "shape": list(t.shape), "nbytes": t.nbytes}
        if t.grad:
            out["requires_grad"] = True
        if not t.own_order():
            out["stride"] = list(t.stride)
        if t.param:
            out["kind"] = "parameter"
        shared = self.shared_with(t)
        if shared:
            out["shared_with"] = sorted(shared)
        names = self.names(t)
        if names and isinstance(names[0].key, str) and names[0].key != names[0].name:
            out["key"] = names[0].key
        return out

    def json_of(self, e):
        """A directory's or value's JSON; None when tensors are in it."""
        v = e.val if isinstance(e, Entry) else e
        if isinstance(v, Leaf):
            if isinstance(v.v, bytes):
                raise NotModelled("bytes in a .json")
            return v.v
        if isinstance(v, Tensor):
            raise NotModelled("tensors in a .json")
        items = [(c.key, self.json_of(c)) for c in v.children()]
        if v.kind == "list":
            return [x for _, x in items]
        if v.kind not in ("dict", "odict") or any(not isinstance(k, str) for k, _ in items):
            raise NotModelled("a .json of " + v.kind)
        return dict(items)

    # --- paths --------------------------------------------------------------------------------

    @staticmethod
    def module_of(keys):
        have = sum(isinstance(k, str) and k.startswith("module.") and len(k) > 7 for k in keys)
        return "strip" if keys and have >= len(keys) - have else "add"

    def module_op(self, d):
        if d.module is None:
            d.module = self.module_of([e.key for e in d.children()])
            self.asked.append(d)
        return d.module

    def not_asked(self):
        """Nobody looked into those module/: what they do is not decided."""
        for d in self.asked:
            d.module = None
        self.asked = []

    def dir_at(self, parts):
        at, i = View(self.root), 0
        while i < len(parts):
            name, e = parts[i], at.find(parts[i])
            i += 1
            if e:
                if not isinstance(e.val, Dir):
                    fail(errno.ENOTDIR)
                at = View(e.val)
            elif self.find_scratch(at, name) or self.companion(at, name):
                fail(errno.ENOTDIR)
            elif name == "module" and not at.steps and at.dir.state_dict:
                at = View(at.dir, [(self.module_op(at.dir), "module")])
            elif name == ".pthfs" and at.dir.state_dict and parts[i:i + 1] in (["strip"], ["add"]) \
                    and len(parts) > i + 1:
                at = View(at.dir, at.steps + ((parts[i], parts[i + 1]),))
                i += 2
            elif at.steps or name == ".pthfs":
                raise NotModelled(name)
            else:
                fail(errno.ENOENT)
        return at

    def companion(self, view, name):
        for end, which in DERIVED.items():
            e = view.find(name[:-len(end)]) if name.endswith(end) and len(name) > len(end) else None
            if e and isinstance(e.val, Tensor) == (end != ".json"):
                return e, which
        return None

    def find_scratch(self, view, name):
        try:
            real = view.real(name)
        except Refused:
            return None
        for s in self.scratch:
            if not s.gone and s.dir is view.dir and s.name == real:
                return s
        return None

    def place(self, path):
        parts = path.split("/")
        view = self.dir_at(parts[:-1])
        p = Place(view, parts[-1])
        p.entry = view.find(p.name)
        p.scratch = self.find_scratch(view, p.name)
        found = self.companion(view, p.name)
        if p.entry:
            p.is_ = "key"
        elif p.scratch:
            p.is_ = "scratch"
        elif found:
            p.is_, (p.entry, p.which) = "companion", found
        elif p.name == ".pthfs" or (p.name == "module" and not view.steps and view.dir.state_dict):
            p.is_ = "made"
        elif view.steps and view.steps[-1][0] == "strip" and any(
                self.transformed(view, e).startswith(p.name + ".") for e in view.dir.children()):
            raise NotModelled("a nested view")
        return p

    @staticmethod
    def transformed(view, e):
        name = view.shown(e)
        return name if isinstance(e.key, str) else ""

    def real(self, p):
        """The name that a new entry gets; refused like keys_place() does."""
        if len(p.name.encode()) > 255:
            fail(errno.ENAMETOOLONG)
        return p.view.real(p.name)

    def inode(self, p):
        if p.is_ == "scratch":
            return "scratch", p.scratch
        if p.is_ == "companion":
            if p.which is None:
                raise NotModelled("a picture")
            return p.which, p.entry if p.which == "json" else p.entry.val
        return ("tensor", p.entry.val) if isinstance(p.entry.val, Tensor) else ("leaf", p.entry)

    # --- new and other entries ----------------------------------------------------------------

    def list_name(self, d, name, e):
        """The order of a list is that of its numbers: nobody passes another one."""
        if not name.isdigit() or str(int(name)) != name:
            fail(errno.EINVAL)
        at = next((i for i, x in enumerate(d.slots) if x is e), len(d.slots))
        for i, x in enumerate(d.slots):
            if x.dir is d and not x.gone and x is not e and (int(x.name) < int(name)) != (i < at):
                fail(errno.EOPNOTSUPP)

    def former_key(self, d, name):
        """Who had the name since the last commit; a key that comes back is the very same."""
        gone = [e for e in d.slots if e.dir is d and e.gone and not e.lost and e.name == name]
        if gone:
            return (max(gone, key=lambda e: e.died).key,)
        for dd, n, _, _, key in reversed(self.left[self.left_mark:]):
            if dd is d and n == name:
                return (key,)
        return None

    def key_for(self, d, name, e=None):
        if len(name.encode()) > NAME_LIMIT:
            fail(errno.ENAMETOOLONG)
        if d.kind in ("list", "tuple"):
            self.list_name(d, name, e)
            return None
        former = self.former_key(d, name)
        if former:
            return former[0]
        number = name.lstrip("-").isdigit() and str(int(name)) == name
        others = [e] if e and e.dir is d and type(e.key) is int else [x for x in d.children() if x is not e]
        if number and others and type(others[0].key) is int:
            return int(name)
        key = key_of(name)
        if key is None:
            fail(errno.EINVAL)
        return key

    def add(self, d, name, val):
        if d.kind == "tuple":
            raise NotModelled("items of a tuple")
        if d.find(name):
            fail(errno.EEXIST)
        e = Entry(name, self.key_for(d, name), d, val, self.seq)
        self.seq += 1
        self.made_index = None
        d.add(e)
        if isinstance(val, Dir):
            val.entry = e
            self.number(val)
        return e

    def number(self, d):
        """Entries below a new directory get their numbers as the tree gives them: breadth first."""
        queue = [d]
        while queue:
            for e in queue.pop(0).children():
                e.seq = self.seq
                self.seq += 1
                if isinstance(e.val, Dir):
                    e.val.entry = e
                    queue.append(e.val)

    def made(self, v):
        """A JSON value as what the tree holds."""
        if isinstance(v, dict) or (isinstance(v, list) and holds_dict(v)):
            d = Dir("dict" if isinstance(v, dict) else "list")
            for k, x in v.items() if isinstance(v, dict) else enumerate(v):
                e = Entry(str(k), k if isinstance(v, dict) else None, d, self.made(x), 0)
                d.add(e)
            return d
        return Leaf(v)

    def remove(self, e):
        self.made_index = None
        e.gone = True
        self.deaths += 1
        e.died = self.deaths

    def move(self, e, d, name):
        up = d
        while isinstance(e.val, Dir) and up:
            if up is e.val:
                fail(errno.EINVAL)
            up = up.entry.dir if up.entry else None
        if "tuple" in (d.kind, e.dir.kind):
            raise NotModelled("items of a tuple")
        if d.find(name):
            fail(errno.EEXIST)
        key = self.key_for(d, name, e)
        self.left.append((e.dir, e.name, e, self.deaths, e.key))
        self.made_index = None
        e.name, e.key = name, key
        d.add(e)

    # --- content that takes effect ------------------------------------------------------------

    def put(self, what, e, d, name, data):
        """data becomes the content of e's file of that kind; e None: of a new entry d/name."""
        if what == "tensor":
            if len(data) != e.val.nbytes:
                fail(errno.EINVAL)
            e.val.set(0, data)
        elif what == "leaf":
            v = parse_like(e.val.v, data)
            if not same_value(v, e.val.v):
                e.val = Leaf(v)
        elif what == "json":
            self.put_json(e, d, name, data)
        elif what == "npy":
            self.put_npy(e, d, name, data)
        else:
            self.put_meta(e, d, name, None, data)

    def put_json(self, e, d, name, data):
        try:
            v = json.loads(data.decode())
        except ValueError:
            fail(errno.EINVAL)
        if not e:
            self.add(d, name, self.made(v))
            return
        was = self.json_of(e)
        if isinstance(e.val, Leaf) and not isinstance(was, (int, float, str, list, tuple, type(None))):
            raise NotModelled(type(was))
        v = like(was, v)
        if same_value(was, v):
            return
        self.made_index = None
        new = self.made(v)
        if isinstance(e.val, Dir):
            for _, c in self.each(e.val):
                c.gone = c.lost = True
        if isinstance(e.val, Dir) and isinstance(new, Dir):  # scratch in it stays
            if (e.val.kind, new.kind) != ("odict", "dict"):
                e.val.kind = new.kind
            e.val.state_dict, e.val.module, e.val.in_file = False, None, None  # as of a new one
            for c in new.slots:
                e.val.add(c)
        else:
            e.val = new
        if isinstance(e.val, Dir):
            e.val.entry = e
            self.number(e.val)

    def retarget(self, old, new):
        for e in self.names(old):
            e.val = new
        self.made_index = None
        old.now = new
        for s in self.stages:
            if s.obj is old:
                s.obj = new

    def put_npy(self, e, d, name, data):
        got = read_npy(data)
        if not got:
            fail(errno.EINVAL)
        dtype, fortran, shape, raw = got
        t = e.val if e else None
        if t and (t.dtype.startswith("float8") and dtype in ("int8", "uint8") or
                  (t.dtype, dtype) == ("bfloat16", "int16")):
            dtype = t.dtype  # numpy has no name for it
        if t and t.dtype == dtype and t.shape == shape and (not fortran or len(shape) < 2):
            t.set(0, raw)
            return
        st = Storage(np.frombuffer(raw, dtype=np.uint8).copy())
        stride = None
        if fortran and len(shape) > 1:
            stride, step = [], 1
            for n in shape:
                stride.append(step)
                step *= max(n, 1)
        new = Tensor(st, dtype, shape, stride)
        may_require(t and t.grad, dtype, t and t.param)
        if t:
            new.grad, new.param = t.grad, t.param
            self.retarget(t, new)
        else:
            self.add(d, name, new)

    def put_meta(self, e, d, name, raw, text):
        m = read_meta(text)
        if not e:
            if m["dtype"] is None or m["shape"] is None:
                fail(errno.EINVAL)
            if SIZES[m["dtype"]] * product(m["shape"]) != len(raw):
                fail(errno.EINVAL)
            may_require(m["grad"], m["dtype"])
            st = Storage(np.frombuffer(raw, dtype=np.uint8).copy())
            self.add(d, name, Tensor(st, m["dtype"], m["shape"], grad=bool(m["grad"])))
            return
        t = e.val
        dtype, shape = m["dtype"] or t.dtype, t.shape if m["shape"] is None else m["shape"]
        grad = t.grad if m["grad"] is None else m["grad"]
        same = dtype == t.dtype and shape == t.shape
        if same and grad == t.grad:
            return
        if SIZES[dtype] * product(shape) != t.nbytes:
            fail(errno.EINVAL)
        may_require(grad, dtype, t.param)
        if same and not t.flip:  # only requires_grad: where the bytes are stays
            new = Tensor(t.st, dtype, shape, t.stride, t.off, grad, t.param)
        else:
            new = Tensor(t.own(), dtype, shape, grad=grad, param=t.param)
        self.retarget(t, new)

    # --- scratch becomes something ------------------------------------------------------------

    def typed(self, d, name):
        """Who had this name and has a type to give."""
        gone = [e for e in d.slots if e.dir is d and e.gone and e.name == name and e.died]
        last = max(gone, key=lambda e: e.died) if gone else None
        for dd, n, e, when, _ in reversed(self.left):
            if dd is d and n == name:
                return e if not last or when >= last.died else last
        return last

    def again(self, s, was):
        data = bytes(s.blob)
        home = was.gone and not was.lost and was.dir is s.dir and was.name == s.name
        if isinstance(was.val, Tensor):
            t = was.val
            if home and not self.names(t) and not any(True for _ in self.overlapping(t)):
                was.gone, self.made_index = False, None
                t.set(0, data)
                return was
            st = Storage(np.frombuffer(data, dtype=np.uint8).copy())
            return self.add(s.dir, s.name, Tensor(st, t.dtype, t.shape, grad=t.grad, param=t.param))
        v = parse_like(was.val.v, data)
        if home:
            was.gone, self.made_index = False, None
            if not same_value(v, was.val.v):
                was.val = Leaf(v)
            return was
        return self.add(s.dir, s.name, Leaf(v))

    def settle(self, s):
        if s.gone:
            return
        if s.kind in (".npy", ".json"):
            stem = s.name[:-len(s.kind)]
            if stem:
                try:
                    self.put(s.kind[1:], None, s.dir, stem, bytes(s.blob))
                except Refused as r:
                    if r.code == errno.EINVAL and s.blob.startswith(b"\x93NUMPY") and len(s.blob) > 6:
                        return  # the elements may still come
                    raise
                s.gone = True
                e = s.dir.find(stem)
                s.became = (s.kind[1:], e.val if isinstance(e.val, Tensor) else e)
                for o in self.scratch:  # the name is that key's now
                    if not o.gone and o.dir is s.dir and o.name == stem:
                        o.gone = True
                        if not isinstance(e.val, Dir):
                            o.became = ("tensor", e.val) if isinstance(e.val, Tensor) else ("leaf", e)
            return
        was = self.typed(s.dir, s.name)
        if was and not s.kind and not isinstance(was.val, Dir):
            if isinstance(was.val, Leaf) or len(s.blob) == was.val.nbytes:
                e = self.again(s, was)
                s.gone = True
                s.became = ("tensor", e.val) if isinstance(e.val, Tensor) else ("leaf", e)
                self.meta_onto(s, e)
                return
        other = s.name[:-5] if s.kind else s.name + ".meta"
        for o in self.scratch:
            if not o.gone and o.dir is s.dir and o.name == other:
                bytes_, meta = (o, s) if s.kind else (s, o)
                try:
                    self.put_meta(None, s.dir, bytes_.name, bytes(bytes_.blob), bytes(meta.blob))
                except Refused as r:
                    if r.code != errno.EINVAL:
                        raise
                    return
                s.gone = o.gone = True
                t = s.dir.find(bytes_.name).val
                bytes_.became, meta.became = ("tensor", t), ("meta", t)

    def meta_onto(self, s, e):
        """A .meta that waited for bytes: it says what the key that came back is to be, if it fits."""
        for o in self.scratch:
            if o.gone or o.dir is not s.dir or o.name != s.name + ".meta":
                continue
            o.gone = True
            if isinstance(e.val, Tensor):
                try:
                    self.put("meta", e, None, None, bytes(o.blob))
                except Refused:
                    pass
                o.became = "meta", e.val

    # --- files --------------------------------------------------------------------------------

    def stage(self, what, obj):
        for s in self.stages:
            if s.what == what and s.obj is obj:
                return s
        return None

    def shown(self, what, obj):
        """The bytes of a file."""
        if what == "scratch":
            return bytes(obj.blob)
        s = self.stage(what, obj)
        if s and s.blob is not None and s.dirty:
            return bytes(s.blob)
        if what == "tensor":
            return obj.get()
        if what == "leaf":
            return leaf_text(obj.val.v)
        raise NotModelled("the text of " + what)

    def begin(self, s, keep=None):
        s.blob = bytearray() if keep == 0 else bytearray(self.shown(s.what, s.obj)[:keep])
        s.dirty = True

    def open(self, path, write=False, trunc=False, create=False, excl=False):
        p = self.place(path)
        if p.is_ == "nothing":
            if not create:
                fail(errno.ENOENT)
            s = Scratch(p.view.dir, self.real(p), bytearray())
            self.scratch.append(s)
            return Handle("scratch", s, True)
        if excl and create:
            fail(errno.EEXIST)
        if p.is_dir:
            if not write and not create:
                raise NotModelled("reading a directory")
            fail(errno.EISDIR)
        what, obj = self.inode(p)
        if write:
            if p.view.dir.kind == "tuple" and what != "tensor":
                raise NotModelled("items of a tuple")
            if what == "scratch":
                if trunc:
                    obj.blob.clear()
            else:
                s = self.stage(what, obj)
                if not s:
                    s = Stage(what, obj)
                    self.stages.append(s)
                s.writers += 1
                if trunc:
                    self.begin(s, 0)
        return Handle(what, obj, write)

    def follow(self, h):
        """A file that was new and has become something: open files go on as that."""
        was = h.obj
        while h.what == "scratch" and h.obj.gone and h.obj.became:
            h.what, h.obj = h.obj.became
        while isinstance(h.obj, Tensor) and h.obj.now:
            h.obj, h.retyped = h.obj.now, True
        if h.write and isinstance(was, Scratch) and h.what != "scratch":
            s = self.stage(h.what, h.obj)
            if not s:
                s = Stage(h.what, h.obj)
                self.stages.append(s)
            s.writers += 1
            if s.blob is None and h.what in ("leaf", "json"):
                s.blob = was.blob

    def target(self, what, obj):
        """The entry that a file belongs to, or None when it has no name any more."""
        if what in ("leaf", "json"):
            return obj if self.alive(obj) else None
        names = self.names(obj)
        return names[0] if names else None

    def write(self, h, off, data):
        self.follow(h)
        if not h.write:
            fail(errno.EBADF)
        if not data:
            return
        if h.what == "scratch":
            overwrite(h.obj.blob, off, data)
            return
        s = self.stage(h.what, h.obj)
        if h.what == "tensor":
            if off + len(data) > h.obj.nbytes:
                if off % 4096 and off // 4096 != (off + len(data) - 1) // 4096:
                    raise NotModelled("kernels may cut it at a page, and the first part may fit")
                fail(errno.EFBIG)
            if s.blob is None:
                h.obj.set(off, data)
                return
        elif h.what == "npy" and s.blob is None:
            if off < NPY_HEAD or off + len(data) > NPY_HEAD + h.obj.nbytes:
                raise NotModelled("the header of a .npy")
            h.obj.set(off - NPY_HEAD, data)
            return
        if s.blob is None:
            self.begin(s)
        overwrite(s.blob, off, data)
        s.dirty = True

    def read(self, h, off, n):
        self.follow(h)
        return self.shown(h.what, h.obj)[off:off + n]

    def truncate(self, what, obj, n):
        if what == "scratch":
            resize(obj.blob, n)
            return
        s = self.stage(what, obj)
        blob = s.blob if s else None
        if what == "tensor":
            if n > obj.nbytes:
                fail(errno.EFBIG)
            if n == obj.nbytes and blob is None:
                return
        if not s:
            fail(errno.EINVAL)
        if blob is None:
            self.begin(s, n)
        resize(s.blob, n)
        s.dirty = True

    def truncate_path(self, path, n):
        p = self.place(path)
        if p.is_ == "nothing":
            fail(errno.ENOENT)
        if p.is_dir:
            fail(errno.EISDIR)
        what, obj = self.inode(p)
        if what in ("meta", "npy", "json"):
            raise NotModelled("truncating a companion")
        if len(self.shown(what, obj)) != n:
            self.truncate(what, obj, n)

    def flush(self, h):
        """What close(2) of any copy of a descriptor does, and reports."""
        self.follow(h)
        if not h.write:
            return
        if h.what == "scratch":
            if h.obj.blob and not h.obj.gone:
                self.settle(h.obj)
            self.follow(h)
            return
        s = self.stage(h.what, h.obj)
        if s.blob is None or not s.dirty:
            return
        e = self.target(h.what, h.obj)
        if not e:  # nobody sees it any more
            s.blob, s.dirty = None, False
            return
        self.put(h.what, e, None, None, bytes(s.blob))
        s.dirty = False
        if h.what in ("tensor", "npy", "meta"):
            s.blob = None

    def release(self, h):
        self.follow(h)
        if not h.write:
            return
        if h.what == "scratch":
            try:
                self.settle(h.obj)
            except Refused:
                pass
            return
        self.follow(h)
        s = self.stage(h.what, h.obj)
        s.writers -= 1
        if s.writers == 0:
            self.stages.remove(s)

    def close(self, h):
        try:
            self.flush(h)
        finally:
            self.release(h)

    # --- names --------------------------------------------------------------------------------

    def unlink(self, path):
        p = self.place(path)
        if p.is_ == "nothing":
            fail(errno.ENOENT)
        if p.is_dir:
            fail(errno.EISDIR)
        if p.is_ == "scratch":
            p.scratch.gone = True
        elif p.is_ == "key":
            if p.entry.dir.kind == "tuple":
                raise NotModelled("items of a tuple")
            self.remove(p.entry)

    def rmdir(self, path):
        p = self.place(path)
        if p.is_ == "nothing":
            fail(errno.ENOENT)
        if p.is_ == "made":
            fail(errno.EPERM)
        if not p.is_dir:
            fail(errno.ENOTDIR)
        d = p.entry.val
        if d.children() or any(s.dir is d and not s.gone for s in self.scratch):
            fail(errno.ENOTEMPTY)
        if p.entry.dir.kind == "tuple":
            raise NotModelled("items of a tuple")
        self.remove(p.entry)

    def mkdir(self, path):
        p = self.place(path)
        if p.is_ != "nothing":
            fail(errno.EEXIST)
        self.add(p.view.dir, self.real(p), Dir("dict"))

    def link(self, a, b):
        p = self.place(a)
        if p.is_ == "nothing":
            fail(errno.ENOENT)
        q = self.place(b)
        if q.is_ != "nothing":
            fail(errno.EEXIST)
        if not p.is_dir:
            self.real(q)
        if p.is_ != "key" or not isinstance(p.entry.val, Tensor):
            fail(errno.EPERM)
        self.add(q.view.dir, self.real(q), p.entry.val)

    def rename(self, a, b, noreplace=False):
        p = self.place(a)
        q = self.place(b)
        if p.is_ == "nothing":
            fail(errno.ENOENT)
        if (self.holds(p, q) and not b.startswith(a)) or (self.holds(q, p) and not a.startswith(b)):
            raise NotModelled("the kernel finds it out, by other names of the directory")
        if noreplace and q.is_ != "nothing":
            fail(errno.EEXIST)
        if (b + "/").startswith(a + "/") and p.is_dir:
            if a == b:
                return
            fail(errno.EINVAL)
        if (a + "/").startswith(b + "/") and q.is_dir:
            fail(errno.ENOTEMPTY)
        if "made" in (p.is_, q.is_):
            raise NotModelled("a directory that is made up")
        if q.is_ == "nothing":
            self.real(q)
        if q.is_ != "nothing":
            if self.same_inode(p, q):
                return
            if p.is_dir != q.is_dir:
                fail(errno.ENOTDIR if p.is_dir else errno.EISDIR)
        if p.is_ == "companion":
            if p.which == "meta":
                return
            fail(errno.EPERM)
        if p.is_ == "scratch":
            self.rename_scratch(p, q)
        elif q.is_ == "key" and self.is_new_tie(p.entry, q.entry):
            self.remove(q.entry)
            try:
                self.move(p.entry, q.view.dir, q.entry.name)
            except Refused:
                q.entry.gone = False
                raise
        elif q.is_ in ("key", "companion"):
            fail(errno.EEXIST)
        else:
            self.move(p.entry, q.view.dir, self.real(q))
            if q.is_ == "scratch":
                q.scratch.gone = True

    @staticmethod
    def holds(p, q):
        """Is q below the directory p?"""
        d = q.view.dir
        while p.is_ == "key" and d is not p.entry.val and d.entry:
            d = d.entry.dir
        return p.is_ == "key" and d is p.entry.val

    def same_inode(self, p, q):
        if p.is_dir or q.is_dir:
            return p.is_dir and q.is_dir and p.entry is q.entry
        (w, a), (x, b) = self.inode(p), self.inode(q)
        return w == x and a is b

    def is_new_tie(self, e, over):
        """A second name made since the last commit may replace a tensor: so cp -a ties."""
        return e.in_file is None and isinstance(e.val, Tensor) and isinstance(over.val, Tensor) and \
            len(self.names(e.val)) > 1

    def rename_scratch(self, p, q):
        s = p.scratch
        if q.is_ in ("key", "companion"):
            what, _ = self.inode(q)
            if q.view.dir.kind == "tuple" and what != "tensor":
                raise NotModelled("items of a tuple")
            self.put(what, q.entry, None, None, bytes(s.blob))
            s.gone, s.became = True, self.inode(q)
            return
        new = Scratch(q.view.dir, self.real(q), s.blob)
        self.scratch.append(new)
        s.gone = True
        if new.blob:
            try:
                self.settle(new)
            except Refused:
                self.scratch.remove(new)
                s.gone = False
                raise
        if q.is_ == "scratch":
            q.scratch.gone = True
        s.became = "scratch", new

    # --- what becomes of all of it ------------------------------------------------------------

    def committed(self):
        """The file says all this now. Noted for a crash: what one who opens it then finds."""
        self.settle_lists(self.root)
        self.left_mark = len(self.left)
        for e in self.each_slot(self.root):
            e.lost = e.lost or e.gone
        queue, n = [self.root], 0
        while queue:
            d = queue.pop(0)
            d.away = [e for e in d.slots if e.dir is not d]
            here = d.children()
            keys = [e.key for e in here]
            tensors = sum(isinstance(e.val, Tensor) for e in here)
            is_dict = bool(keys) and 2 * tensors >= len(keys) and all(isinstance(k, str) for k in keys)
            d.in_file = (is_dict and d.kind in ("dict", "odict"),
                         self.module_of(keys) if is_dict else None)
            for e in here:
                e.in_file, n = n, n + 1
                if isinstance(e.val, Dir):
                    queue.append(e.val)
        self.in_file = n

    def settle_lists(self, d):
        """Items are called by their places; a list without dicts and tensors is one value."""
        for i, e in enumerate(d.children()):
            if d.kind in ("list", "tuple"):
                e.name = str(i)
            x = e.val
            if not isinstance(x, Dir):
                continue
            self.settle_lists(x)
            here = x.children()
            if x.kind in ("list", "tuple") and all(isinstance(c.val, Leaf) for c in here) and not any(
                    s.dir is x and not s.gone for s in self.scratch):
                values = [c.val.v for c in here]
                for c in here:
                    c.gone = True
                e.val = Leaf(values if x.kind == "list" else tuple(values))
        if d.kind in ("list", "tuple"):
            self.step_aside(d)

    def step_aside(self, d):
        """A new file that is called as an item is now, or as a file that shows one, gets another name."""
        keys = {e.name for e in d.children()}
        for s in self.scratch:
            if s.dir is d and not s.gone and (s.name in keys or self.companion(View(d), s.name)):
                taken = keys | {o.name for o in self.scratch if o.dir is d and not o.gone}
                s.name = next("%s~%d" % (s.name, k) for k in range(2, 1000) if "%s~%d" % (s.name, k) not in taken)

    def each_slot(self, d):
        for e in d.slots:
            yield e
            if isinstance(e.val, Dir) and e.dir is d:
                yield from self.each_slot(e.val)

    def crashed(self):
        """Another daemon has opened the file and made the edits again."""
        self.handles, self.stages, self.scratch = {}, [], []
        self.left = self.left[self.left_mark:]
        self.left_mark = 0
        for e in list(self.each_slot(self.root)):
            e.seq = self.in_file + e.seq if e.in_file is None else e.in_file
            if isinstance(e.val, Dir):
                self.crashed_dir(e.val)
        self.crashed_dir(self.root)
        self.made_index = None

    @staticmethod
    def crashed_dir(d):
        d.state_dict, d.module = d.in_file or (False, None)
        back = [e for e in d.away if e.dir is d]
        d.slots = [e for e in d.slots if not e.lost and e not in d.away] + back
        d.loose = len(back) > 0  # they are at the end, in the order in which they came back
        d.away = []


def may_require(grad, dtype, param=False):
    """Floating point and complex ones do; torch loads float8 ones only as Parameters."""
    if grad and not dtype.startswith(("float", "bfloat", "complex")):
        fail(errno.EINVAL)
    if grad and not param and dtype.startswith("float8"):
        fail(errno.EINVAL)


def holds_dict(v):
    return isinstance(v, dict) or isinstance(v, (list, tuple)) and any(holds_dict(x) for x in v)


def product(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def overwrite(blob, off, data):
    if len(blob) < off:
        blob.extend(bytes(off - len(blob)))
    blob[off:off + len(data)] = data


def resize(blob, n):
    if n < len(blob):
        del blob[n:]
    else:
        blob.extend(bytes(n - len(blob)))


def read_meta(text):
    try:
        m = json.loads(text.decode())
    except ValueError:
        fail(errno.EINVAL)
    if not isinstance(m, dict):
        fail(errno.EINVAL)
    shape, dtype, grad = m.get("shape"), m.get("dtype"), m.get("requires_grad")
    if "dtype" in m and dtype not in SIZES:
        fail(errno.EINVAL)
    if "shape" in m and not (isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)):
        fail(errno.EINVAL)
    if "requires_grad" in m and not isinstance(grad, bool):
        fail(errno.EINVAL)
    return {"dtype": dtype, "shape": None if shape is None else tuple(shape), "grad": grad}


def read_npy(data):
    """(dtype, fortran order, shape, bytes) of a .npy, or None."""
    if data[:8] != b"\x93NUMPY\x01\x00" or len(data) < 10:
        return None
    end = 10 + int.from_bytes(data[8:10], "little")
    head = data[10:end].decode("latin1")
    if len(data) < end:
        return None
    h = eval(head, {"__builtins__": {}})  # what this program wrote itself
    dtype = NPY_TYPES[h["descr"][1:]]
    raw = data[end:]
    if len(raw) != SIZES[dtype] * product(h["shape"]):
        return None
    return dtype, h["fortran_order"], tuple(h["shape"]), raw
