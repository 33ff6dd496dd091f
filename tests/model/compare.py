"""The mount held against the model: names, their order, sizes, links, .meta and bytes."""
import json
import os
from collections import Counter

from state import Dir, Leaf, NotModelled, Tensor


class Mismatch(Exception):
    pass


def expect(m):
    """{path: what it is to be}: ("dir", names, loose), ("file", bytes, links) or ("meta", members)."""
    out = {}

    def directory(d, path):
        names = []
        for e in d.children():
            here = path + e.name
            names.append(e.name)
            if isinstance(e.val, Dir):
                directory(e.val, here + "/")
                continue
            what = "tensor" if isinstance(e.val, Tensor) else "leaf"
            obj = e.val if what == "tensor" else e
            out[here] = "file", m.shown(what, obj), len(m.names(obj)) if what == "tensor" else 1
            if what == "tensor":
                names.append(e.name + ".meta")
                staged = m.stage("meta", obj)
                if not (staged and staged.dirty and staged.blob is not None):
                    out[here + ".meta"] = "meta", m.meta(obj), out[here][2]
        for s in m.scratch:
            if s.dir is d and not s.gone:
                names.append(s.name)
                out[path + s.name] = "file", bytes(s.blob), 1
        out[path.rstrip("/")] = "dir", names, d.loose

    directory(m.root, "")
    return out


def file_of(dirfd, name):
    fd = os.open(name, os.O_RDONLY, dir_fd=dirfd)
    try:
        st = os.fstat(fd)
        data = os.read(fd, st.st_size + 1)
        while len(data) < st.st_size:
            more = os.read(fd, st.st_size + 1 - len(data))
            if not more:
                break
            data += more
    finally:
        os.close(fd)
    if st.st_size != len(data):
        raise Mismatch(f"{name}: stat says {st.st_size} bytes, {len(data)} are read")
    return "file", data, st.st_nlink


def observe(w):
    """The same of the mount, found by listing; a .meta is a file like others."""
    out = {}
    todo = [""]
    while todo:
        path = todo.pop()
        dirfd = os.open(w.path(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            with os.scandir(dirfd) as it:
                entries = [(e.name, e.is_dir(follow_symlinks=False)) for e in it]
            for name, is_dir in entries:
                here = f"{path}/{name}" if path else name
                if is_dir:
                    todo.append(here)
                else:
                    out[here] = file_of(dirfd, name)
            links = os.fstat(dirfd).st_nlink
            if links != 2 + sum(d for _, d in entries):
                raise Mismatch(f"{path}: {links} links of a directory with "
                               f"{sum(d for _, d in entries)} directories in it")
        finally:
            os.close(dirfd)
        out[path] = "dir", [n for n, _ in entries], False
    return out


def bytes_differ(a, b):
    if len(a) != len(b):
        return f"{len(b)} bytes, not {len(a)}"
    at = next(i for i in range(len(a)) if a[i] != b[i])
    return f"at byte {at} of {len(a)}: {b[at:at + 8].hex()}, not {a[at:at + 8].hex()}"


def one(path, want, got):
    """How they differ, or None."""
    if want[0] == "dir" and got[0] == "dir":
        a, b = want[1], got[1]
        if a == b or want[2] and sorted(a) == sorted(b):
            return None
        if sorted(a) == sorted(b):
            i = next(i for i in range(len(a)) if a[i] != b[i])
            return f"{path or '/'}: another order of names: from {b[i:i + 3]}, not {a[i:i + 3]}"
        return f"{path or '/'}: names there are {sorted((Counter(b) - Counter(a)).elements())} too many, " \
               f"{sorted((Counter(a) - Counter(b)).elements())} are missing"
    if "dir" in (want[0], got[0]):
        return f"{path}: a {got[0]}, not a {want[0]}"
    if want[2] != got[2]:
        return f"{path}: {got[2]} links, not {want[2]}"
    if want[0] == "meta":
        said = members(got[1])
        return None if said == want[1] else f"{path}: {json.dumps(said)}, not {json.dumps(want[1])}"
    return f"{path}: {bytes_differ(want[1], got[1])}" if want[1] != got[1] else None


def members(text):
    """What a .meta says; the order of shared_with is not compared."""
    try:
        m = json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
    if "shared_with" in m:
        m["shared_with"].sort()
    return m


def all_of(want, got):
    for path, x in want.items():
        if path not in got:
            if x[0] == "dir":
                return f"{path}: the directory is not there"
            continue  # its directory says so
        bad = one(path, x, got[path])
        if bad:
            return bad
    extra = [p for p in got if p not in want and not p.endswith(".meta")]
    return f"{extra[0]}: is not there in the model" if extra else None


def check_all(m, w):
    bad = all_of(expect(m), observe(w))
    if bad:
        raise Mismatch(bad)


# --- one name -------------------------------------------------------------------------------------


def check_path(m, w, path):
    """What a path shows after something was done to it."""
    try:
        p = m.place(path)
    except Exception:  # noqa: whatever is in the way
        return
    if p.is_ in ("made", "companion"):
        return
    full = w.path(path)
    if p.is_ == "nothing":
        if os.path.lexists(full):
            raise Mismatch(f"{path}: is there")
        return
    if p.is_dir:
        check_listing(m, w, path, p.entry.val)
        return
    what, obj = m.inode(p)
    try:
        want = m.shown(what, obj)
        got, st = w.slurp(path)
    except NotModelled:
        return
    except OSError as e:
        raise Mismatch(f"{path}: {e.strerror}") from e
    if got != want:
        raise Mismatch(f"{path}: {bytes_differ(want, got)}")
    links = len(m.names(obj)) if what == "tensor" else 1
    if (st.st_size, st.st_nlink) != (len(want), links):
        raise Mismatch(f"{path}: size {st.st_size}, {st.st_nlink} links, not {len(want)} and {links}")
    if what == "tensor" and not m.stage("meta", obj):
        got = members(w.slurp(path + ".meta")[0])
        if got != m.meta(obj):
            raise Mismatch(f"{path}.meta: {json.dumps(got)}, not {json.dumps(m.meta(obj))}")


def check_listing(m, w, path, d):
    want = []
    for e in d.children():
        want.append(e.name)
        if isinstance(e.val, Tensor):
            want.append(e.name + ".meta")
    want += [s.name for s in m.scratch if s.dir is d and not s.gone]
    got = w.listing(path)
    bad = one(path, ("dir", want, d.loose), ("dir", got, False))
    if bad:
        raise Mismatch(bad)


def check_view(m, w, path):
    """A view lists every key once, under its name there."""
    view = m.dir_at(path.split("/"))
    shown = {id(e): n for n, e in view.names().items()}
    want = []
    for e in view.dir.children():
        want.append(shown[id(e)])
        if isinstance(e.val, Tensor):
            want.append(shown[id(e)] + ".meta")
    bad = one(path, ("dir", want, view.dir.loose), ("dir", w.listing(path), False))
    if bad:
        raise Mismatch(bad)


def check_npy(m, w, path):
    """NAME.npy ends in the tensor's bytes."""
    p = m.place(path)
    if p.is_ == "key" and isinstance(p.entry.val, Tensor) and not m.stage("npy", p.entry.val) and \
            not m.find_scratch(p.view, p.name + ".npy"):
        got, _ = w.slurp(path + ".npy")
        t = p.entry.val
        if got[:6] != b"\x93NUMPY" or len(got) != 128 + t.nbytes or got[128:] != t.get():
            raise Mismatch(f"{path}.npy: not the tensor's bytes")


def check_value(m, w, path):
    """NAME.json of a value is that value."""
    p = m.place(path)
    if p.is_ == "key" and isinstance(p.entry.val, Leaf) and isinstance(
            p.entry.val.v, (int, str, bool, type(None))) and not m.stage("json", p.entry) and \
            not m.find_scratch(p.view, p.name + ".json"):
        text = w.slurp(path + ".json")[0]
        try:
            got = json.loads(text)
        except ValueError as e:
            raise Mismatch(f"{path}.json: {text[:40]!r} is no JSON") from e
        if got != p.entry.val.v or type(got) is not type(p.entry.val.v):
            raise Mismatch(f"{path}.json: {got!r}, not {p.entry.val.v!r}")
