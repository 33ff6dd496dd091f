"""What a mounted checkpoint should be: the model that the checker holds against the mount.

Storages hold bytes; tensors look at them through dtype, shape, strides and offset, so that tying and
overlapping are what they are in torch. Directories hold entries in slots that never move: an entry
that goes away leaves its slot empty, one that comes back has it again, which is how pthfs keeps the
order of keys. Nothing here knows the program that is tested or the mount.
"""
import errno
import json
import re

import numpy as np

# torch's names; bytes of an element
SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2,
    "int8": 1, "uint8": 1, "bool": 1, "complex64": 8, "complex128": 16, "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
NAME_LIMIT = 250


class Refused(Exception):
    """What a system call is to answer."""

    def __init__(self, code):
        super().__init__(errno.errorcode[code])
        self.code = code


class NotModelled(Exception):
    """The operation has no predicted outcome in this state: it is not done at all."""


def fail(code):
    raise Refused(code)


# --- tensors --------------------------------------------------------------------------------------


class Storage:
    __slots__ = ("b",)

    def __init__(self, b):
        self.b = b  # a numpy array of bytes


def contiguous(shape):
    stride, step = [], 1
    for n in reversed(shape):
        stride.append(step)
        step *= max(n, 1)
    return tuple(reversed(stride))


def places(size, shape, stride, off):
    """Where in its storage each byte of a tensor's file lies."""
    e = np.array(off, dtype=np.int64)
    for n, s in zip(shape, stride):
        e = e[..., None] + np.arange(n, dtype=np.int64) * s
    return (e.reshape(-1, 1) * size + np.arange(size)).reshape(-1)


class Tensor:
    __slots__ = ("st", "dtype", "shape", "stride", "off", "grad", "param", "flip", "now", "_pos")

    def __init__(self, st, dtype, shape, stride=None, off=0, grad=False, param=False, flip=None):
        self.st, self.dtype, self.shape, self.off = st, dtype, tuple(shape), off
        self.stride = contiguous(shape) if stride is None else tuple(stride)
        self.grad, self.param = grad, param
        self.flip = flip  # None, "neg" or "conj": how the bytes of the file differ from the storage's
        self.now = None  # the tensor that has its names, when its type was changed
        self._pos = None

    @property
    def size(self):
        return SIZES[self.dtype]

    @property
    def numel(self):
        n = 1
        for d in self.shape:
            n *= d
        return n

    @property
    def nbytes(self):
        return self.numel * self.size

    def own_order(self):
        """Contiguous? Strides of dimensions with one element do not count."""
        want = contiguous(self.shape)
        return self.numel == 0 or all(
            n == 1 or a == b for n, a, b in zip(self.shape, self.stride, want))

    def pos(self):
        if self._pos is None:
            if self.own_order():
                first = self.off * self.size
                self._pos = slice(first, first + self.nbytes)
            else:
                self._pos = places(self.size, self.shape, self.stride, self.off)
        return self._pos

    def mask(self):
        unit = self.size if self.flip == "neg" else self.size // 2
        m = np.zeros(self.nbytes, dtype=np.uint8)
        m[unit - 1::unit] = 0x80
        if self.flip == "conj":
            m[unit - 1::2 * unit] = 0
        elif self.dtype.startswith("complex"):
            m[self.size // 2 - 1::self.size] = 0x80
        return m

    def get(self):
        b = self.st.b[self.pos()]
        return (b ^ self.mask() if self.flip else b).tobytes()

    def set(self, off, data):
        if not data:
            return
        new = np.frombuffer(data, dtype=np.uint8)
        if self.flip:
            new = new ^ self.mask()[off:off + len(data)]
        pos = self.pos()
        if isinstance(pos, slice):
            self.st.b[pos.start + off:pos.start + off + len(data)] = new
        else:
            self.st.b[pos[off:off + len(data)]] = new

    def span(self):
        """Bytes of the storage that it can touch."""
        if self.numel == 0:
            return 0, 0
        last = sum((n - 1) * s for n, s in zip(self.shape, self.stride))
        return self.off * self.size, (self.off + last + 1) * self.size

    def folded(self):
        """Do elements lie on one another?"""
        pos = self.pos()
        return not isinstance(pos, slice) and len(np.unique(pos)) < len(pos)

    def own(self):
        """A tensor of the same bytes with a storage of its own."""
        return Storage(np.frombuffer(self.get(), dtype=np.uint8).copy())


# --- names ----------------------------------------------------------------------------------------


class Leaf:
    __slots__ = ("v",)

    def __init__(self, v):
        self.v = v


class Entry:
    __slots__ = ("name", "key", "dir", "val", "gone", "lost", "seq", "died", "in_file")

    def __init__(self, name, key, dir_, val, seq):
        self.name, self.key, self.dir, self.val, self.seq = name, key, dir_, val, seq
        self.gone = False  # removed
        self.lost = False  # removed before the last commit: it does not come back
        self.died = 0      # when it was removed
        self.in_file = None  # its number for one who opens the file; None: it is not in it


class Dir:
    __slots__ = ("kind", "slots", "entry", "state_dict", "module", "in_file", "away", "loose")

    def __init__(self, kind):
        self.kind = kind  # dict, odict, list, tuple
        self.slots = []
        self.entry = None  # None: the root
        self.state_dict = False
        self.module = None  # what module/ does: strip or add; None: not decided
        self.in_file = None  # the last two, for one who opens the file
        self.away = []  # entries of empty slots at the last commit
        self.loose = False  # in which order they stand is not said

    def children(self):
        return [e for e in self.slots if e.dir is self and not e.gone]

    def find(self, name):
        for e in self.slots:
            if e.dir is self and not e.gone and e.name == name:
                return e
        return None

    def add(self, e):
        e.dir = self
        if not any(x is e for x in self.slots):
            self.slots.append(e)


class Scratch:
    __slots__ = ("dir", "name", "blob", "gone", "became")

    def __init__(self, dir_, name, blob):
        self.dir, self.name, self.blob, self.gone = dir_, name, blob, False
        self.became = None  # (what, object): open files go on as that

    @property
    def kind(self):
        for end in (".meta", ".npy", ".json"):
            if self.name.endswith(end):
                return end
        return ""


def name_of(key):
    """The file name of a key, percent-encoded where it must be."""
    if not isinstance(key, str):
        return repr(key)
    if key in ("", ".", ".."):
        return {"": "%", ".": "%2E", "..": "%2E%2E"}[key]
    out = re.sub(r"%(?=[0-9A-Fa-f]{2})", "%25", key)
    return re.sub(r"[\x00-\x1f\x7f/]", lambda m: "%%%02X" % ord(m.group()), out)


def key_of(name):
    """The text key that name_of() makes this name from, or None."""
    key = "" if name == "%" else re.sub(
        r"%([0-9A-F]{2})", lambda m: chr(int(m.group(1), 16)), name)
    return key if name_of(key) == name else None


# --- views ----------------------------------------------------------------------------------------


def step_key(op, prefix, key):
    has = key.startswith(prefix + ".") and len(key) > len(prefix) + 1
    if op == "strip" and has:
        return key[len(prefix) + 1:]
    return prefix + "." + key if op == "add" and not has else key


class View:
    """A directory, perhaps under other names."""

    def __init__(self, dir_, steps=()):
        self.dir, self.steps = dir_, tuple(steps)

    def shown(self, e):
        if not isinstance(e.key, str) or not self.steps:
            return e.name
        key = e.key
        for op, prefix in self.steps:
            key = step_key(op, prefix, key)
        return name_of(key)

    def names(self):
        if not self.steps:
            return {e.name: e for e in self.dir.children()}
        out, later = {}, []
        for e in self.dir.children():
            n = self.shown(e)
            if n in out:
                later.append((n, e))
            else:
                out[n] = e
        for n, e in later:
            k = 2
            while f"{n}~{k}" in out:
                k += 1
            out[f"{n}~{k}"] = e
        return out

    def find(self, name):
        return self.names().get(name) if self.steps else self.dir.find(name)

    def real(self, name):
        """What a new name here is called in the directory itself."""
        if not self.steps:
            if key_of(name) is None:
                fail(errno.EINVAL)
            return name
        key = key_of(name)
        if key is None:
            fail(errno.EINVAL)
        back = key
        for op, prefix in reversed(self.steps):
            if op == "strip":
                back = prefix + "." + back
            elif not (back.startswith(prefix + ".") and len(back) > len(prefix) + 1):
                fail(errno.EINVAL)
            else:
                cut = back[len(prefix) + 1:]
                again = cut.startswith(prefix + ".") and len(cut) > len(prefix) + 1
                back = prefix + "." + cut if again else cut
        again = back
        for op, prefix in self.steps:
            again = step_key(op, prefix, again)
        if again != key:
            fail(errno.EINVAL)
        return name_of(back)


# --- values as text -------------------------------------------------------------------------------


def leaf_text(v):
    """What a value's file holds."""
    if isinstance(v, bytes):
        return v
    if isinstance(v, str):
        return v.encode() + b"\n"
    if isinstance(v, (list, tuple)):
        return json_text(v) + b"\n"
    return (repr(v) + "\n").encode()


def json_text(v):
    return json.dumps(v, ensure_ascii=False).encode()


def same_value(a, b):
    return type(a) is type(b) and repr(a) == repr(b)


INT = re.compile(r"[+-]?[0-9]+\Z")
FLOAT = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf|infinity|nan)\Z", re.I)


def parse_like(was, text):
    """Text that was written where `was` stood, as a value of its type. EINVAL: it is none."""
    if isinstance(was, bytes):
        return text
    if text == leaf_text(was) or text + b"\n" == leaf_text(was):
        return was
    try:
        s = text.decode()
    except UnicodeDecodeError:
        fail(errno.EINVAL)
    if isinstance(was, str):
        return s[:-1] if s.endswith("\n") else s
    s = s.strip(" \t\n\r\v\f")
    if isinstance(was, bool):
        return {"True": True, "true": True, "1": True, "False": False, "false": False,
                "0": False}[s] if s in ("True", "true", "1", "False", "false", "0") else fail(errno.EINVAL)
    if isinstance(was, int):
        return int(s) if INT.match(s) else fail(errno.EINVAL)
    if isinstance(was, float):
        return float(s) if FLOAT.match(s) else fail(errno.EINVAL)
    if was is None:
        return None if s == "None" else fail(errno.EINVAL)
    if isinstance(was, (list, tuple)):
        try:
            v = json.loads(s)
        except ValueError:
            fail(errno.EINVAL)
        return like(was, v) if isinstance(v, list) else fail(errno.EINVAL)
    raise NotModelled(type(was))


def like(was, v):
    """A JSON value in the spelling of the one that was there."""
    if isinstance(v, list) and isinstance(was, (list, tuple)):
        items = [like(was[min(i, len(was) - 1)] if len(was) else None, x) for i, x in enumerate(v)]
        return type(was)(items)
    if isinstance(v, dict) and isinstance(was, dict):
        return {k: like(was.get(k), x) for k, x in v.items()}
    if isinstance(v, int) and not isinstance(v, bool) and isinstance(was, float):
        return float(v)
    return v
