"""Operations: what each is for the model, and what it is on the mount.

An operation is a dict, as it stands in a log: {"op": "put", "path": ..., ...}. It names files by path
and open files by number, so that it means something in any state, also when others before it were
taken out; where it means nothing that is predicted, it is not done.
"""
import ctypes
import errno
import os
import random

from model import Handle
from state import Dir, NotModelled, Refused, Tensor

LIBC = ctypes.CDLL(None, use_errno=True)


def data_of(op):
    if "text" in op:
        return op["text"].encode("utf-8", "surrogateescape")
    if "hex" in op:
        return bytes.fromhex(op["hex"])
    head = npy_head(*op["npy"]) if "npy" in op else b""
    return head + random.Random(op["seed"]).randbytes(op["n"])


def npy_head(descr, fortran, shape):
    """What stands before the bytes, of 128 bytes like numpy's."""
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {tuple(shape)}, }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.ljust(117).encode() + b"\n"


def code(fn, *args):
    try:
        fn(*args)
        return 0
    except Refused as r:
        return r.code


# --- for the model --------------------------------------------------------------------------------


def m_put(m, op):
    data, chunk = data_of(op), op.get("chunk", 0)
    try:
        h = m.open(op["path"], True, op.get("trunc", False), op.get("create", False))
    except Refused as r:
        return r.code, 0, 0
    wrote = 0
    for at in range(0, len(data), chunk or max(len(data), 1)):
        wrote = code(m.write, h, op.get("off", 0) + at, data[at:at + chunk] if chunk else data)
        if wrote:
            break
    return 0, wrote, code(m.close, h)


def m_pread(m, op):
    try:
        return m.read(m.open(op["path"]), op["off"], op["n"])
    except Refused as r:
        return r.code


def m_mapped(m, op):
    p = m.place(op["path"])
    if p.is_ != "key" or not isinstance(p.entry.val, Tensor):
        raise NotModelled("a mapping of that")
    t, data = p.entry.val, data_of(op)
    s = m.stage("tensor", t)
    if op["off"] + len(data) > t.nbytes or not data or s and s.blob is not None:
        raise NotModelled("a mapping of what is not there")
    if t.folded():
        raise NotModelled("a page is written as a whole, and of bytes that stand in it twice one wins")
    if any(True for _ in m.overlapping(t)):
        return errno.ENODEV  # it is written past the page cache
    t.set(op["off"], data)
    return 0


def m_open(m, op):
    if op["h"] in m.handles:
        raise NotModelled("it is open")
    try:
        m.handles[op["h"]] = m.open(op["path"], op["write"], op.get("trunc", False),
                                    op.get("create", False), op.get("excl", False))
        return 0
    except Refused as r:
        return r.code


def handle(m, op):
    if op["h"] not in m.handles:
        raise NotModelled("it is not open")
    h = m.handles[op["h"]]
    if h.what == "leaf" and isinstance(h.obj.val, Dir):
        raise NotModelled("an open value that its .json made a directory of")
    return h


def m_hread(m, op):
    h = handle(m, op)
    got = m.read(h, op["off"], op["n"])
    if h.retyped:
        raise NotModelled("the kernel keeps pages of the file that it was")
    return got


def m_hclose(m, op):
    h = handle(m, op)
    del m.handles[op["h"]]
    return code(m.close, h)


def m_htrunc(m, op):
    h = handle(m, op)
    m.follow(h)
    if not h.write:
        return errno.EINVAL
    return code(m.truncate, h.what, h.obj, op["n"])


def m_rmtree(m, op):
    p = m.place(op["path"])
    if p.is_ != "key" or not isinstance(p.entry.val, Dir) or p.entry.dir.kind == "tuple":
        raise NotModelled("rm -r of that")
    below = [e for _, e in m.each(p.entry.val)]
    if any(e.dir.kind == "tuple" for e in below):
        raise NotModelled("items of a tuple")
    dirs = [p.entry.val] + [e.val for e in below if isinstance(e.val, Dir)]
    for s in m.scratch:
        s.gone = s.gone or any(s.dir is d for d in dirs)
    for e in reversed(below):
        m.remove(e)
    m.remove(p.entry)
    return 0


MODEL = {
    "put": m_put, "pread": m_pread, "mapped": m_mapped, "open": m_open, "hread": m_hread,
    "hclose": m_hclose, "htrunc": m_htrunc, "rmtree": m_rmtree,
    "hwrite": lambda m, op: code(m.write, handle(m, op), op["off"], data_of(op)),
    "hdup": lambda m, op: code(m.flush, handle(m, op)),
    "hsync": lambda m, op: code(m.flush, handle(m, op)),
    "truncate": lambda m, op: code(m.truncate_path, op["path"], op["n"]),
    "sync": lambda m, op: m.dir_at(op["path"].split("/") if op["path"] else []) and 0,
    "rename": lambda m, op: code(m.rename, op["a"], op["b"], op.get("noreplace", False)),
    "unlink": lambda m, op: code(m.unlink, op["path"]),
    "rmdir": lambda m, op: code(m.rmdir, op["path"]),
    "mkdir": lambda m, op: code(m.mkdir, op["path"]),
    "link": lambda m, op: code(m.link, op["a"], op["b"]),
}
SYNCS = ("hsync", "sync")


# --- on the mount ---------------------------------------------------------------------------------


def number(r):
    """What World.call() answers, as an errno."""
    return -r if isinstance(r, int) and r < 0 else 0


def w_pread(w, op):
    fd = w.call(os.open, w.path(op["path"]), os.O_RDONLY)
    if fd < 0:
        return -fd
    got = w.call(os.pread, fd, op["n"], op["off"])
    os.close(fd)
    return -got if isinstance(got, int) else got


def w_open(w, op):
    fd = w.call(os.open, w.path(op["path"]), w.flags(op["write"], op.get("trunc", False),
                                                     op.get("create", False), op.get("excl", False)))
    if fd < 0:
        return -fd
    w.fds[op["h"]] = fd
    return 0


def w_hread(w, op):
    got = w.call(os.pread, w.fds[op["h"]], op["n"], op["off"])
    return -got if isinstance(got, int) else got


def w_hwrite(w, op):
    data = data_of(op)
    r = w.call(os.pwrite, w.fds[op["h"]], data, op["off"])
    return 0 if r == len(data) else -r if r < 0 else f"{r} bytes of {len(data)} were written"


def w_hdup(w, op):
    return number(w.call(os.close, os.dup(w.fds[op["h"]])))


def rename(a, b, noreplace):
    """After a look at both, like mv(1): a directory has one place in the kernel's cache, and it cannot
    be moved there from another name of it while a rename holds the lock (ESTALE)."""
    for path in (a, b):
        os.path.lexists(path)
    if not noreplace:
        os.rename(a, b)
    elif LIBC.renameat2(-100, a.encode(), -100, b.encode(), 1) < 0:
        raise OSError(ctypes.get_errno(), "renameat2")


WORLD = {
    "put": lambda w, op: w.put(op["path"], data_of(op), op.get("trunc", False),
                               op.get("create", False), op.get("off", 0), op.get("chunk", 0)),
    "pread": w_pread, "open": w_open, "hread": w_hread, "hwrite": w_hwrite, "hdup": w_hdup,
    "mapped": lambda w, op: w.mapped(op["path"], op["off"], data_of(op)),
    "hclose": lambda w, op: number(w.call(os.close, w.fds.pop(op["h"]))),
    "htrunc": lambda w, op: number(w.call(os.ftruncate, w.fds[op["h"]], op["n"])),
    "hsync": lambda w, op: number(w.call(os.fsync, w.fds[op["h"]])),
    "truncate": lambda w, op: number(w.call(os.truncate, w.path(op["path"]), op["n"])),
    "sync": lambda w, op: w.sync_dir(op["path"]),
    "rename": lambda w, op: number(w.apart(rename, w.path(op["a"]), w.path(op["b"]),
                                           op.get("noreplace", False))),
    "unlink": lambda w, op: number(w.apart(os.unlink, w.path(op["path"]))),
    "rmdir": lambda w, op: number(w.apart(os.rmdir, w.path(op["path"]))),
    "mkdir": lambda w, op: number(w.call(os.mkdir, w.path(op["path"]))),
    "link": lambda w, op: number(w.call(os.link, w.path(op["a"]), w.path(op["b"]))),
    "rmtree": lambda w, op: w.rm(op["path"]),
}
