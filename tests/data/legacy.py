"""Makes legacy torch streams reproducible: storage keys are addresses, which differ from run to run."""

import io
import pickle
import struct

FIRST_KEY = 94000000000000


class Finder(pickle.Unpickler):
    """Reads the object pickle and notes the storages it uses, in order of first use."""

    def __init__(self, stream):
        super().__init__(stream)
        self.sizes = {}

    def persistent_load(self, pid):
        if pid[0] == "module":
            return pid[1]
        _, cls, key, _, numel = pid[:5]
        size = 1 if cls.__name__ == "UntypedStorage" else cls().element_size()
        self.sizes.setdefault(key, size)
        import torch

        return torch.storage.TypedStorage(
            wrap_storage=torch.UntypedStorage(numel * size), dtype=getattr(cls, "dtype", torch.uint8), _internal=True
        )


def _text(key):
    return b"X" + struct.pack("<I", len(key)) + key.encode()


def canonical(raw):
    """Return the stream with keys numbered in order of first use and storages in the new key order."""
    stream = io.BytesIO(raw)
    for _ in range(3):
        pickle.load(stream)
    start = stream.tell()
    finder = Finder(stream)
    finder.load()
    middle = stream.tell()
    keys = pickle.load(stream)
    blocks = {}
    for key in keys:
        head = stream.read(8)
        blocks[key] = head + stream.read(struct.unpack("<q", head)[0] * finder.sizes[key])
    order = list(finder.sizes)
    fresh = {key: str(FIRST_KEY + 64 * at) for at, key in enumerate(order)}
    body = raw[start:middle]
    for key in order:
        body = body.replace(_text(key), _text("@" + fresh[key]))
    for key in order:
        body = body.replace(_text("@" + fresh[key]), _text(fresh[key]))
    names = pickle.dumps([fresh[key] for key in order], protocol=2)
    return raw[:start] + body + names + b"".join(blocks[key] for key in order) + stream.read()
