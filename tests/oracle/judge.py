#!/usr/bin/env python3
"""Real torch judges a checkpoint that was edited, for the end-to-end tests.

judge.py make NAME FILE                   writes one of the checkpoints in samples.py
judge.py holds FILE ORIGINAL CLAIM...     each claim, a Python expression, is true however FILE is loaded
judge.py differs FILE ORIGINAL [PATH...]  exactly these values differ, in what they are, hold or share

Loaded means: by default, with weights_only=True, and with mmap=True, each when that way loads ORIGINAL.
A claim sees d (what FILE holds), o (what ORIGINAL held), torch, numpy, and the functions of this file.
Starting torch takes longer than a test, so the first call leaves a process behind that answers the
others (in PTHFS_JUDGE_DIR, where that is set); it ends when that directory is gone.
"""

import contextlib
import fcntl
import io
import json
import os
import pathlib
import socket
import sys
import time
import traceback
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))


# --- what a checkpoint holds -------------------------------------------------------------------


def children(value):
    """Return the (name, value) pairs of something with parts, or None."""
    import numpy
    import torch
    import walk

    if isinstance(value, dict):
        return [(key if isinstance(key, str) else repr(key), item) for key, item in value.items()]
    if type(value) in (list, tuple):
        return [(str(number), item) for number, item in enumerate(value)]
    if isinstance(value, torch.Tensor):
        return walk.split(value)
    if isinstance(value, (numpy.ndarray, numpy.generic, type)) or callable(value):
        return None
    return list(vars(value).items()) if getattr(value, "__dict__", None) else None


def leaf(value):
    """Return what there is to know of a value but its parts and what it shares."""
    import numpy
    import torch
    import walk

    if isinstance(value, numpy.ndarray):
        return (type(value).__name__, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, torch.Tensor):
        raw = b"" if walk.split(value) else walk.tensor_bytes(value)
        return (type(value).__name__, value.dtype, tuple(value.shape), raw, value.requires_grad)
    if children(value) is not None:
        return (type(value).__name__, repr(getattr(value, "_metadata", None)))
    return (type(value).__name__, repr(value))


def flat(top):
    """Return {path: value} of everything in a checkpoint, in its order."""
    out, todo = {}, [("", top)]
    while todo:
        path, value = todo.pop()
        out[path] = value
        for name, item in reversed(children(value) or []):
            todo.append((path + "/" + name if path else name, item))
    return out


def shared(values):
    """Return {path: first path that looks at the same storage}."""
    import torch
    import walk

    first, out = {}, {}
    for path, value in values.items():
        if isinstance(value, torch.Tensor) and walk.split(value) is None and not value.is_meta:
            storage = walk.storage_of(value)
            if storage.nbytes():
                out[path] = first.setdefault(storage.data_ptr(), path)
    return out


def differences(new, old):
    """Return the paths at which two checkpoints differ."""
    new, old = flat(new), flat(old)
    out = {path for path in new.keys() | old.keys() if path not in new or path not in old}
    out |= {path for path in new.keys() & old.keys() if leaf(new[path]) != leaf(old[path])}
    both = [path for path in new if path in old]
    if both != [path for path in old if path in new]:
        out.add("(order)")
    kept = [path for path in both if path not in out]
    if shared({p: new[p] for p in kept}) != shared({p: old[p] for p in kept}):
        out.add("(sharing)")
    return out


def same(new, old):
    """Tell whether two values are the same, with all that is in them; else says where not."""
    found = differences(new, old)
    if found:
        print("differs:", *sorted(found))
    return not found


def tied(*tensors):
    """Tell whether tensors look at one storage."""
    import walk

    return len({walk.storage_of(t).data_ptr() for t in tensors}) == 1


def raw(value):
    """Return the elements of a tensor as bytes, in C order."""
    import walk

    return walk.tensor_bytes(value)


def patched(value, at, new):
    """Return the bytes of a tensor with others written over them."""
    old = raw(value)
    return old[:at] + new + old[at + len(new) :]


def stripped(mapping, prefix):
    """Return what torch makes of a state_dict when it takes a prefix off, in the old order."""
    out = renamed(mapping, lambda key: key[len(prefix) :] if key.startswith(prefix) else key)
    if hasattr(mapping, "_metadata"):
        out._metadata = type(mapping._metadata)(mapping._metadata)
        for key in mapping._metadata:
            if key and (key + "." == prefix or key.startswith(prefix)):
                out._metadata[key[len(prefix) :]] = out._metadata.pop(key)
    return out


def consumed(mapping, prefix):
    """Return what this torch itself makes of it."""
    from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present

    consume_prefix_in_state_dict_if_present(mapping, prefix)
    return mapping


def renamed(mapping, function):
    """Return a dict with other keys, in the old order and of the old class, `_metadata` left out."""
    out = type(mapping)()
    for key, value in mapping.items():
        out[function(key)] = value
    return out


# --- loading -----------------------------------------------------------------------------------


def ways(path):
    """Return how a checkpoint may be loaded, as arguments of torch.load."""
    import inspect
    import zipfile

    import torch

    known = inspect.signature(torch.load).parameters
    out = [{"weights_only": False}, {"weights_only": True}]
    if "mmap" in known and zipfile.is_zipfile(path):
        out.append({"weights_only": False, "mmap": True})
    return out


def load(path, how):
    """Load a checkpoint in one of these ways; a TorchScript archive as its state_dict."""
    import pickle

    import torch
    import walk

    if walk.is_torchscript(path):
        return dict(torch.jit.load(path).state_dict())
    if path.endswith(".pkl"):
        with open(path, "rb") as stream:
            return pickle.load(stream)
    return torch.load(path, **how)


def loaded(path, original):
    """Give (way, new, old) for each way that loads the original."""
    import torch

    none = True
    for how in ways(original):
        try:
            old = load(original, how)
        except Exception:
            continue
        none = False
        way = " ".join("%s=%s" % item for item in how.items())
        try:
            new = load(path, how)
        except Exception as error:
            raise SystemExit("torch %s, %s: does not load any more: %s" % (torch.__version__, way, error))
        yield way, new, old
    if none and torch.__version__ >= "2":
        raise SystemExit("torch does not load the original, so nothing is proved")


def holds(path, original, *claims):
    """Check that every claim is true."""
    import numpy
    import torch

    wrong = 0
    for way, new, old in loaded(path, original):
        names = dict(globals(), d=new, o=old, torch=torch, numpy=numpy)
        for claim in claims:
            try:
                fine = bool(eval("(%s)" % claim, names))
            except Exception as error:
                fine = False
                print("%s: %s" % (type(error).__name__, error))
            if not fine:
                wrong = 1
                print("torch %s, %s: not true: %s" % (torch.__version__, way, claim))
    return wrong


def differs(path, original, *paths):
    """Check that exactly these paths differ."""
    import torch

    wrong = 0
    for way, new, old in loaded(path, original):
        found = differences(new, old)
        if found != set(paths):
            wrong = 1
            print("torch %s, %s" % (torch.__version__, way))
            print("  differs:", *sorted(found - set(paths)))
            print("  does not differ:", *sorted(set(paths) - found))
    return wrong


# --- one process for many questions ------------------------------------------------------------


def act(verb, *rest):
    """Do what the command line says."""
    import samples

    verbs = {"make": samples.make, "holds": holds, "differs": differs}
    return verbs[verb](*rest)


def answer(question):
    """Return [exit code, output] of a question: [directory, arguments]."""
    out = io.StringIO()
    code = 1
    os.chdir(question[0])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = act(*question[1]) or 0
        except (Exception, SystemExit):
            traceback.print_exc(limit=-1)
    return [code, out.getvalue()]


def read_all(connection):
    """Return what the other side sends until it is done."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def serve(name, directory):
    """Answer questions, each in a process of its own, while the directory is there."""
    import numpy
    import torch

    import samples

    torch.set_num_threads(1)
    samples.trust()
    server = socket.socket(socket.AF_UNIX)
    server.bind(name + ".new")
    server.listen(16)
    os.rename(name + ".new", name)
    server.settimeout(0.5)
    while os.path.isdir(directory):
        with contextlib.suppress(socket.timeout, ChildProcessError):
            connection, _ = server.accept()
            if os.fork() == 0:
                connection.settimeout(None)
                reply = answer(json.loads(read_all(connection)))
                connection.sendall(json.dumps(reply).encode())
                os._exit(0)
            connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def start(name, directory):
    """Leave a process behind that serves."""
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(name + ".log", os.O_WRONLY | os.O_CREAT, 0o600)
    for number, to in enumerate((null, log, log)):
        os.dup2(to, number)
    os.closerange(3, 256)
    os.chdir("/")
    try:
        serve(name, directory)
    except BaseException:
        traceback.print_exc()
    os._exit(0)


def ask(directory, arguments):
    """Put a question to the process of this Python; start it when there is none."""
    name = os.path.join(directory, "judge-%x" % zlib.crc32((sys.prefix + sys.version).encode()))
    with open(name + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(name):
            start(name, directory)
        for _ in range(1200):
            if os.path.exists(name):
                break
            time.sleep(0.1)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(name)
    connection.sendall(json.dumps([os.getcwd(), arguments]).encode())
    connection.shutdown(socket.SHUT_WR)
    return json.loads(read_all(connection))


if __name__ == "__main__":
    if os.environ.get("PTHFS_JUDGE_DIR"):
        code, text = ask(os.environ["PTHFS_JUDGE_DIR"], sys.argv[1:])
    else:
        import samples

        samples.trust()
        code, text = answer([os.getcwd(), sys.argv[1:]])
    sys.stdout.write(text)
    sys.exit(code)
