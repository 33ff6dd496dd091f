#!/usr/bin/env python3
"""Generated pickles, read by pthfs and by Python: every difference is on the list below or a bug.

pickle_diff.py [--lib libpthfs.a] [--count N] [--seed S]

Half of the pickles are values written by CPython's pickler (protocols 0 to 5), half are random programs for the
machine, a third of those damaged. What pthfs accepts, pickletools.genops and an Unpickler that makes inert objects have to
accept as well, with the same opcodes, end and repr. What only pthfs refuses must be refused for a reason in STRICT.
Exit codes: 0 the same, 1 different, 2 not possible.
"""

import argparse
import collections
import io
import pathlib
import pickle
import pickletools
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What Python's reader lets pass and pthfs refuses on purpose (formats: the reader must reject).
STRICT = [
    r"^STOP .*values on the stack",
    r"^STOP .*marks are still open",
    r"cannot take that$",
    r"cannot take items",
    r"is not a number$",
    r"no number$",
    r"neither a class nor a function$",
    r"arguments are not a tuple",
    r"is no memo number",
    r"only 0 to 5 are known",
    r"is not a text of at most",
    r"a frame of \d+ bytes announced",
    r"values wanted, \d+ are there( above the mark)?$",
    r"there is no mark$",
    r"is not a buffer$",
    r"was never put$",
    r"no class above the mark$",
    r"no pairs of key and value$",
    r"broken escape$",
]


class Symbol:
    def __init__(self, module, name):
        if module == "__builtin__":
            module, name = "builtins", {"long": "int", "unicode": "str", "xrange": "range"}.get(name, name)
        self.module, self.name = module, name

    def __repr__(self):
        return f"{escaped(self.module)}.{escaped(self.name)}"

    def __eq__(self, other):
        return isinstance(other, Symbol) and repr(self) == repr(other)

    def __hash__(self):
        return hash(repr(self))


class Call:
    """A call that is never made; prints as pthfs prints it."""

    def __init__(self, callable_, args, kwargs=None):
        self.callable, self.args, self.kwargs = callable_, args, kwargs
        self.items, self.pairs, self.state, self.open = [], {}, None, False

    def append(self, x):
        self.items.append(x)

    add = append

    def extend(self, xs):
        self.items.extend(xs)

    def __setitem__(self, k, v):
        self.pairs[k] = v

    def set_state(self, state):
        if isinstance(self.state, tuple) and isinstance(self.state[0], dict) and isinstance(state, dict):
            state = {**self.state[0], **state}
        self.state = (state,)

    def __repr__(self):
        if self.open:
            return "..."
        self.open = True
        try:
            library = isinstance(self.callable, Symbol) and self.callable.module == "collections"
            head = escaped(self.callable.name) if library else repr(self.callable)
            parts = [repr(x) for x in self.args]
            parts += [f"{attr(k)}={v!r}" for k, v in (self.kwargs or {}).items()]
            parts += [repr(self.items)] if self.items else []
            parts += [repr(self.pairs)] if self.pairs else []
            if self.state and not library:
                state = self.state[0]
                if isinstance(state, dict):
                    parts += [f"{attr(k)}={v!r}" for k, v in state.items()]
                else:
                    parts.append(f"state={state!r}")
            return f"{head}({', '.join(parts)})"
        finally:
            self.open = False


def escaped(text):
    return repr(text)[1:-1]


def attr(key):
    return escaped(key) if isinstance(key, str) else "" if isinstance(key, (tuple, Call, Persistent)) else repr(key)


class Persistent:
    def __init__(self, pid):
        self.pid = pid

    def __repr__(self):
        return f"persistent_load({self.pid!r})"


class Opaque:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


class Group:
    """A set that keeps the order of its items and is hashed by identity."""

    def __init__(self, items, form):
        self.items, self.form, self.open = list(items), form, False

    def add(self, x):
        hash(x)
        self.items.append(x)

    def __repr__(self):
        if self.open:
            return self.form.format("...")
        self.open = True
        try:
            name = "set()" if self.form == "{{{}}}" else "frozenset()"
            return self.form.format(", ".join(map(repr, self.items))) if self.items else name
        finally:
            self.open = False


class Unsupported(Exception):
    """Something this model does not follow: the pickle is not compared."""


class Inert(pickle._Unpickler):
    """Python's own machine, with everything that would run something replaced."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        return Symbol(module, name)

    def persistent_load(self, pid):
        return Persistent(pid)

    def get_extension(self, code):
        if code <= 0:
            raise pickle.UnpicklingError("code")
        self.append(Opaque(f"<extension {code}>"))

    def call(self, callable_, args, kwargs=None):
        if not isinstance(args, (tuple, list)):
            raise pickle.UnpicklingError("args")
        name = repr(callable_)
        if name in ("builtins.set", "builtins.frozenset", "builtins.complex", "builtins.bytes", "builtins.bytearray",
                    "_codecs.encode"):
            raise Unsupported(name)
        self.append(Call(callable_, tuple(args), kwargs))

    def load_reduce(self):
        args = self.stack.pop()
        self.call(self.stack.pop(), args)

    def load_newobj_ex(self):
        kwargs = self.stack.pop()
        args = self.stack.pop()
        if not isinstance(kwargs, dict):
            raise pickle.UnpicklingError("kwargs")
        self.call(self.stack.pop(), args, kwargs)

    def load_inst(self):
        module = self.readline()[:-1].decode("utf-8")
        name = self.readline()[:-1].decode("utf-8")
        self.call(self.find_class(module, name), self.pop_mark())

    def load_obj(self):
        args = self.pop_mark()
        self.call(args.pop(0), args)

    def load_build(self):
        state = self.stack.pop()
        if isinstance(self.stack[-1], Call):
            self.stack[-1].set_state(state)
        elif not isinstance(self.stack[-1], dict):
            raise pickle.UnpicklingError("state")

    def load_next_buffer(self):
        self.append(Opaque("<buffer>"))

    def load_readonly_buffer(self):
        self.stack[-1]

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self.stack[-1][key] = value

    def load_empty_set(self):
        self.append(Group([], "{{{}}}"))

    def load_frozenset(self):
        items = self.pop_mark()
        for x in items:
            hash(x)
        self.append(Group(items, "frozenset({{{}}})"))

    for code, method in (
        ("EMPTY_SET", load_empty_set),
        ("FROZENSET", load_frozenset),
        ("REDUCE", load_reduce),
        ("NEWOBJ", load_reduce),
        ("NEWOBJ_EX", load_newobj_ex),
        ("INST", load_inst),
        ("OBJ", load_obj),
        ("BUILD", load_build),
        ("NEXT_BUFFER", load_next_buffer),
        ("READONLY_BUFFER", load_readonly_buffer),
        ("SETITEM", load_setitem),
    ):
        dispatch[getattr(pickle, code)[0]] = method


def python_says(data):
    """("ok", opcodes, length, repr), ("no", reason) or None when the two cannot be compared."""
    try:
        ops = list(pickletools.genops(data))
    except UnicodeDecodeError:
        return None  # pthfs keeps such text and flags it
    except Exception as why:
        return "no", f"genops: {why}"
    try:
        value = Inert(io.BytesIO(data), encoding="utf-8").load()
        return "ok", len(ops), ops[-1][2] + 1, repr(value)
    except (Unsupported, UnicodeDecodeError, RecursionError, MemoryError):
        return None
    except TypeError as why:
        return None if "unhashable" in str(why) else ("no", str(why))
    except Exception as why:
        return "no", f"{type(why).__name__}: {why}"


TEXTS = ["", "a", "b", "it's", 'say "x"', "caf\u00e9", "\u20ac", "\U0001f600", "line\nbreak", "back\\slash", "x" * 70, "0"]
NUMBERS = [0, 1, -1, 255, 256, 65535, 65536, 2**30 - 1, 2**30, -(2**30), -(2**30) - 1, 2**31, 2**63 - 1, 2**63, -(2**63),
           -(2**63) - 1, 2**64, 10**30, -(10**30)]
FLOATS = [0.0, -0.0, 0.1, 1.0, 1e300, -1e-300, float("inf"), float("nan"), 2.0**70, 255.0]


def random_value(rng, seen, depth=0):
    kind = rng.randrange(14 if depth < 4 else 8)
    if kind == 13 and seen:
        return rng.choice(seen)
    if kind < 2:
        return rng.choice([None, True, False])
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind == 4:
        return rng.choice(FLOATS)
    if kind < 7:
        return rng.choice(TEXTS)
    if kind == 7:
        return rng.choice(TEXTS).encode() + bytes([rng.randrange(256)])
    n = rng.choice([0, 1, 2, 3, 4, 7])
    if kind == 8 or kind == 13:
        return tuple(random_value(rng, seen, depth + 1) for _ in range(n))
    if kind < 11:
        value = []
        seen.append(value)
        value.extend(random_value(rng, seen, depth + 1) for _ in range(n))
        return value
    value = {}
    seen.append(value)
    for _ in range(n * 2):
        key = rng.choice([rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice(FLOATS), (1, rng.choice(TEXTS)), None, True])
        value[key] = random_value(rng, seen, depth + 1)
    return value


class Program:
    """A random program: every opcode, mostly where it can run."""

    def __init__(self, rng):
        self.rng, self.out, self.depth, self.marks, self.puts = rng, [], 0, [], []

    def emit(self, data, pops=0, pushes=0):
        self.out.append(data)
        self.depth += pushes - pops

    def text(self):
        return self.rng.choice(TEXTS).encode()

    def value(self):
        rng, u4 = self.rng, struct.Struct("<I").pack
        t, n = self.text(), rng.choice(NUMBERS)
        line = t.replace(b"\n", b" ").replace(b"\\", b"/")
        long = n.to_bytes((n.bit_length() // 8) + rng.choice([1, 2]), "little", signed=True)
        ascii_line = line.decode().encode("ascii", "ignore").replace(b"'", b"")
        self.emit(rng.choice([
            b"N", b"\x88", b"\x89", b"I01\n", b"I00\n", b"I%d\n" % n, b"L%dL\n" % n, b"F" + repr(rng.choice(FLOATS)).encode() + b"\n", b"G" + struct.pack(">d", rng.choice(FLOATS)),
            b"K" + bytes([rng.randrange(256)]), b"M" + rng.randbytes(2), b"J" + rng.randbytes(4), b"\x8a" + bytes([len(long)]) + long,
            b"\x8b" + u4(len(long)) + long, b"X" + u4(len(t)) + t, b"\x8c" + bytes([len(t)]) + t,
            b"\x8d" + u4(len(t)) + b"\0\0\0\0" + t, b"V" + line.decode().encode("raw-unicode-escape") + b"\n",
            b"S'" + ascii_line + b"'\n", b"U" + bytes([len(t)]) + t, b"T" + u4(len(t)) + t, b"C" + bytes([len(t)]) + t,
            b"B" + u4(len(t)) + t, b"\x8e" + u4(len(t)) + b"\0\0\0\0" + t, b"\x96" + u4(len(t)) + b"\0\0\0\0" + t,
            b"]", b"}", b")", b"cmod\nname\n", b"ccollections\nOrderedDict\n", b"\x8c\x03mod\x8c\x01f\x93", b"P" + ascii_line + b"\n",
            b"\x82\x05", b"\x83\x05\x01", b"\x84\x01\x00\x00\x00", b"\x97", b"\x8f",
        ]), 0, 1)

    def above(self):
        return self.depth - (self.marks[-1] if self.marks else 0)

    def close(self, opcode, below):
        """An opcode that takes everything above the mark."""
        mark = self.marks.pop()
        self.depth = mark
        self.emit(opcode, below, 1)

    def step(self):
        rng, kind = self.rng, self.rng.randrange(20)
        if kind < 6 or self.above() == 0 and kind < 15:
            self.value()
        elif kind < 8:
            self.emit(b"(")
            self.marks.append(self.depth)
        elif kind == 8 and self.marks:
            mark = self.marks[-1]
            below = mark - (self.marks[-2] if len(self.marks) > 1 else 0) > 0
            self.close(*rng.choice([(b"t", 0), (b"l", 0), (b"d", 0), (b"\x91", 0), (b"o", 0), (b"imod\nC\n", 0)] +
                                   ([(b"e", 1), (b"u", 1), (b"\x90", 1)] if below else [])))
        elif kind == 9 and self.puts:
            n = rng.choice(self.puts)
            self.emit(rng.choice([b"g%d\n" % n, b"j" + struct.pack("<I", n), b"h" + bytes([n]) if n < 256 else b"g%d\n" % n]), 0, 1)
        elif kind < 12:
            n = rng.choice([len(self.puts), rng.randrange(300), 2**32 - 1, rng.randrange(2**32)])
            self.puts.append(n)
            self.emit(rng.choice([b"p%d\n" % n, b"r" + struct.pack("<I", n)]))
        elif kind == 12:
            self.emit(rng.choice([b"\x85", b"Q"]), 1, 1)
        elif kind == 13:
            self.emit(b"2", 0, 1)
        elif kind == 14:
            self.emit(b"0", 1)
        elif self.above() >= 3 and kind < 17:
            self.emit(rng.choice([b"\x87", b"s", b"s", b"\x92"]), 3, 1)
        elif self.above() >= 2:
            self.emit(rng.choice([b"\x86", b"a", b"a", b"b", b"R", b"\x81"]), 2, 1)
        else:
            self.emit(rng.choice([b"cmod\nC\n)R", b"cmod\nC\n)\x81", b"cmod\nC\n)}\x92", b"cmod\nC\n(Nt\x81", b"}(K\x01Nu", b"](Ne"]), 0, 1)

    def bytes(self):
        for _ in range(self.rng.randrange(2, 30)):
            self.step()
        while self.marks:
            self.close(b"t", 0)
        while self.depth > 1:
            n = min(self.depth, 3)
            self.emit({2: b"\x86", 3: b"\x87"}[n], n, 1)
        if self.depth == 0:
            self.out.append(b"N")
        return self.rng.choice([b"", b"\x80\x02", b"\x80\x04"]) + b"".join(self.out) + b"."


def damage(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(data))
        what = rng.randrange(4)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at]
        elif what == 2:
            data.insert(at, rng.choice(b"(.0123tlduaesbRcQ2)]}NK\x85\x86\x87\x81\x94\x93\x90\x91"))
        else:
            del data[at + 1:]
        if not data:
            return b"."
    return bytes(data)


def generate(rng):
    if rng.random() < 0.5:
        return pickle.dumps(random_value(rng, []), rng.randrange(6))
    data = Program(rng).bytes()
    return damage(rng, data) if rng.random() < 0.33 else data


def build(lib):
    if not lib.exists():
        sys.exit(f"{lib} is not built: make {lib.relative_to(ROOT) if lib.is_relative_to(ROOT) else lib}")
    path = pathlib.Path(tempfile.mkdtemp()) / "pickle_dump"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O1", "-I", ROOT / "include", "-o", path,
                    ROOT / "tests/oracle/pickle_dump.c", lib, "-lz", "-ldeflate", "-lm", "-pthread"], check=True)
    return path


def ours(program, pickles):
    data = b"".join(struct.pack("<I", len(p)) + p for p in pickles)
    out = subprocess.run([program], input=data, stdout=subprocess.PIPE, check=True).stdout
    lines = out.decode("utf-8", "surrogateescape").split("\n")[:-1]
    assert len(lines) == len(pickles), (len(lines), len(pickles))
    return lines


def verdict(theirs, line):
    """None when the two agree, else what is wrong."""
    if theirs is None:
        return None
    if line.startswith("no "):
        if theirs[0] == "no" or any(re.search(s, line[3:]) for s in STRICT):
            return None
        return f"only pthfs refuses: {line[3:]}"
    _, opcodes, length, text = line.split(" ", 3)
    if theirs[0] == "no":
        return f"only Python refuses: {theirs[1]}"
    if (int(opcodes), int(length)) != theirs[1:3]:
        return f"opcodes {opcodes}, length {length}; Python {theirs[1:3]}"
    # CPython escapes the quote in bytearray(b"it\\'s") although it need not.
    same = text.replace("\\'", "'") == theirs[3].replace("\\'", "'")
    return None if same else f"repr {text[:300]}\n     Python {theirs[3][:300]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", type=pathlib.Path, default=ROOT / "build/release/libpthfs.a")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    program = build(args.lib)
    tally, bad = collections.Counter(), 0
    for start in range(0, args.count, 2000):
        pickles = [generate(rng) for _ in range(min(2000, args.count - start))]
        for data, line in zip(pickles, ours(program, pickles)):
            theirs = python_says(data)
            wrong = verdict(theirs, line)
            tally["skipped" if theirs is None else "both accept" if line[:2] == "ok" and theirs[0] == "ok" else "refused"] += 1
            if wrong:
                bad += 1
                if bad <= 20:
                    print(f"{data!r}\n     {wrong}")
    print(f"pickle_diff: {args.count} pickles, {bad} differences ({dict(tally)})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
