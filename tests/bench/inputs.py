"""Checkpoints to measure with, written without torch but in its layout, byte for byte.

The pickle comes from Python's own pickler with stand-ins for torch's two names, so opcodes and
memo are torch's; the zip follows torch's writer (64-byte alignment, FB padding, descriptors,
zip64 where torch has it). Payloads of zeros are seeked over, so that 10 GB cost no disk.
"""

import collections
import io
import os
import pickle
import struct
import sys
import types
import zlib

LIMIT = 0xFFFFFFFF
BLOCK = 16 << 20


# --- the pickle --------------------------------------------------------------------------------


def _stand_in(module, name, thing):
    """Make a name that the pickler finds where torch has it."""
    thing.__module__, thing.__qualname__, thing.__name__ = module, name, name
    setattr(sys.modules.setdefault(module, types.ModuleType(module)), name, thing)
    return thing


FLOAT_STORAGE = _stand_in("torch", "FloatStorage", type("FloatStorage", (), {}))
BFLOAT16_STORAGE = _stand_in("torch", "BFloat16Storage", type("BFloat16Storage", (), {}))
REBUILD = _stand_in("torch._utils", "_rebuild_tensor_v2", lambda *args: None)


class Storage:
    """A storage: its key, its number of elements, and its class, which is the dtype."""

    def __init__(self, key, numel, cls=FLOAT_STORAGE):
        """Take a key, a count and a class."""
        self.key, self.numel, self.cls = str(key), numel, cls


class Tensor:
    """A tensor over a storage, contiguous unless strides are given."""

    def __init__(self, storage, shape, stride=None):
        """Take a storage, a shape and perhaps strides."""
        self.storage, self.shape = storage, tuple(shape)
        self.stride = stride or tuple(
            _product(shape[dim + 1 :]) for dim in range(len(shape))
        )

    def __reduce_ex__(self, protocol):
        """Pickle as torch.Tensor does."""
        hooks = collections.OrderedDict()
        return REBUILD, (self.storage, 0, self.shape, self.stride, False, hooks)


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return ("storage", obj.cls, obj.key, "cpu", obj.numel)
        return None


def _product(numbers):
    result = 1
    for number in numbers:
        result *= number
    return result


def _pickled(obj):
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(obj)
    return out.getvalue()


# --- payloads ----------------------------------------------------------------------------------


class Bytes:
    """A payload in memory."""

    method = 0

    def __init__(self, data):
        """Take the bytes."""
        self.data, self.size, self.stored = data, len(data), len(data)

    def write(self, out):
        """Write it and return the CRC of the content."""
        out.write(self.data)
        return zlib.crc32(self.data)


class Zeros:
    """A payload of zeros that takes no disk."""

    method = 0
    _crc = {}

    def __init__(self, size):
        """Take the number of bytes."""
        self.size = self.stored = size

    def write(self, out):
        """Leave a hole and return the CRC of the content."""
        if self.size not in self._crc:
            self._crc[self.size] = _crc_of([bytes(min(BLOCK, self.size))], self.size)
        out.seek(self.size, os.SEEK_CUR)
        return self._crc[self.size]


class Noise:
    """A payload of some size made of a few random blocks, over and over."""

    method = 0

    def __init__(self, size):
        """Take the number of bytes, a multiple of BLOCK or less than it."""
        self.size = self.stored = size
        self.blocks = [os.urandom(min(BLOCK, size)) for _ in range(4)]

    def write(self, out):
        """Write it and return the CRC of the content."""
        done = 0
        while done < self.size:
            done += out.write(self.blocks[done // BLOCK % 4][: self.size - done])
        return _crc_of(self.blocks, self.size)


class Deflated:
    """Weights that lost half their bits, deflated: what `zip` makes of such a checkpoint."""

    method = 8

    def __init__(self, size):
        """Take the number of bytes, a multiple of BLOCK."""
        noise = os.urandom(BLOCK)
        self.size, self.block = size, bytearray(BLOCK)
        self.block[2::4], self.block[3::4] = noise[: BLOCK // 4], b"\x3c" * (BLOCK // 4)
        self.block = bytes(self.block)
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        self.packed = packer.compress(self.block) + packer.flush(zlib.Z_FULL_FLUSH)
        self.end = b"\x03\x00"  # an empty last block
        self.stored = len(self.packed) * (size // BLOCK) + len(self.end)

    def write(self, out):
        """Write it and return the CRC of the content."""
        for _ in range(self.size // BLOCK):
            out.write(self.packed)
        out.write(self.end)
        return _crc_of([self.block], self.size)


def _crc_of(blocks, size):
    crc, done = 0, 0
    while done < size:
        part = blocks[done // BLOCK % len(blocks)][: size - done]
        crc, done = zlib.crc32(part, crc), done + len(part)
    return crc


# --- the zip -----------------------------------------------------------------------------------


def _extra64(payload, at, local):
    """Return the zip64 extra field; torch's local one says 0 for the stored size."""
    body = b""
    if payload.size >= LIMIT:
        body += struct.pack("<QQ", payload.size, 0 if local else payload.stored)
    if at >= LIMIT:
        body += struct.pack("<Q", at)
    return struct.pack("<HH", 1, len(body)) + body if body else b""


def _record(out, name, payload):
    """Write one record and return (its central header, where its payload begins)."""
    at, name = out.tell(), name.encode()
    extra = _extra64(payload, at, True)
    pad = -(at + 30 + len(name) + len(extra) + 4) % 64
    flags, need = (0x0808 if payload.size else 0x0800), (20 if payload.method else 0)
    lengths = (len(name), len(extra) + 4 + pad)
    head = (0x04034B50, need, flags, payload.method, 0, 0, 0, 0, 0, *lengths)
    out.write(struct.pack("<IHHHHHIIIHH", *head) + name + extra)
    out.write(b"FB" + struct.pack("<H", pad) + b"Z" * pad)
    start = out.tell()
    crc = payload.write(out)
    if payload.size:
        form = "<IIQQ" if extra else "<IIII"
        out.write(struct.pack(form, 0x08074B50, crc, payload.stored, payload.size))
    extra = _extra64(payload, at, False)
    sizes = (LIMIT, LIMIT) if payload.size >= LIMIT else (payload.stored, payload.size)
    head = (0x02014B50, 0, need, flags, payload.method, 0, 0, crc, *sizes, len(name), len(extra))
    place = (0, 0, 0, 0, min(at, LIMIT))
    return struct.pack("<IHHHHHHIIIHHHHHII", *head, *place) + name + extra, start


def _directory(out, central):
    """Write the central directory and its three ends."""
    at, count, table = out.tell(), len(central), b"".join(central)
    numbers = (count, count, len(table), at)
    out.write(table)
    out.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 0x031E, 45, 0, 0, *numbers))
    out.write(struct.pack("<IIQI", 0x07064B50, 0, at + len(table), 1))
    short = (min(count, 0xFFFF), min(count, 0xFFFF), min(len(table), LIMIT), min(at, LIMIT))
    out.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, *short, 0))


def write_checkpoint(path, state, payloads):
    """Write a checkpoint of a state_dict; return where each payload begins."""
    folder = os.path.basename(path).rsplit(".", 1)[0]
    records = [("data.pkl", Bytes(_pickled(collections.OrderedDict(state))))]
    records += [(".format_version", Bytes(b"1")), (".storage_alignment", Bytes(b"64"))]
    records += [("byteorder", Bytes(b"little"))]
    records += [("data/%d" % key, payload) for key, payload in enumerate(payloads)]
    records += [("version", Bytes(b"3\n")), (".data/serialization_id", Bytes(b"0" * 40))]
    starts, central = {}, []
    with open(path, "wb") as out:
        for name, payload in records:
            head, starts[name] = _record(out, folder + "/" + name, payload)
            central.append(head)
        _directory(out, central)
    return starts


# --- what is measured --------------------------------------------------------------------------


def key_of(number):
    """Return a key as transformers have them."""
    part = ("attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj", "mlp.up", "mlp.down")
    return "model.layers.%d.%s.weight" % (number // 6, part[number % 6])


def many(path, count, nbytes):
    """Write `count` float32 tensors of `nbytes` zeros each."""
    numel = nbytes // 4
    state = [(key_of(i), Tensor(Storage(i, numel), (numel,))) for i in range(count)]
    write_checkpoint(path, state, [Zeros(nbytes)] * count)


def big(path, nbytes):
    """Write one large matrix `w` and its transposed view `wt`; return where its bytes begin."""
    rows = 4096
    cols = nbytes // 4 // rows
    whole = Storage(0, rows * cols)
    state = [("w", Tensor(whole, (rows, cols))), ("wt", Tensor(whole, (cols, rows), (1, cols)))]
    return write_checkpoint(path, state, [Noise(nbytes)])["data/0"]


def deflated(path, nbytes):
    """Write one large vector `w`, deflated."""
    state = [("w", Tensor(Storage(0, nbytes // 4), (nbytes // 4,)))]
    write_checkpoint(path, state, [Deflated(nbytes)])


def parallel(path, count, nbytes):
    """Write a state_dict as DataParallel leaves it: `count` tensors of `nbytes` that take disk."""
    shape = (nbytes // 4 // 1024, 1024)
    state = [("module." + key_of(i), Tensor(Storage(i, nbytes // 4), shape)) for i in range(count)]
    write_checkpoint(path, state, [Noise(nbytes)] * count)


def raw(path, nbytes):
    """Write the bytes of a tensor."""
    with open(path, "wb") as out:
        Noise(nbytes).write(out)


def npy(path, raw_path, shape):
    """Write a float32 tensor as numpy.save would."""
    head = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(10 + len(head) + 1) % 64) + b"\n"
    with open(path, "wb") as out, open(raw_path, "rb") as data:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data.read())
