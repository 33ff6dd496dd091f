"""Writes zips and pickles byte by byte, as torch does or wrong on purpose (stdlib only)."""

import dataclasses
import struct
import zlib

STORED, DEFLATED = 0, 8
LOCAL, CENTRAL, DESCRIPTOR = 0x04034B50, 0x02014B50, 0x08074B50
END64, LOCATOR, END = 0x06064B50, 0x07064B50, 0x06054B50


# --- zip ---------------------------------------------------------------------------------------


@dataclasses.dataclass
class Record:
    """One record and its oddities; None means: what is right."""

    name: str
    data: bytes
    method: int = STORED
    payload: bytes = None  # the stored bytes, when they are not simply the data deflated
    size: int = None  # claimed size
    crc: int = None
    local_name: bytes = None
    flags: int = None
    gap: bytes = b""  # dead bytes before the local header
    descriptor: bool = True
    attributes: int = 0
    madeby: int = 0
    at: int = None  # claimed offset of the local header
    central_extra: bytes = b""
    listed: bool = True


@dataclasses.dataclass
class Layout:
    """Where the pieces of a written archive are."""

    local: dict = dataclasses.field(default_factory=dict)
    payload: dict = dataclasses.field(default_factory=dict)
    central: dict = dataclasses.field(default_factory=dict)
    directory: int = 0
    end64: int = 0
    locator: int = 0
    end: int = 0


def deflate(data):
    """Return the raw deflate stream of some bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _local(record, raw_name, at, pad, align):
    """Return a local header with its FB padding."""
    flags = record.flags if record.flags is not None else (0x0808 if record.data and record.descriptor else 0x0800)
    extra = b""
    if pad:
        fill = -(at + 30 + len(raw_name) + 4) % align
        extra = b"FB" + struct.pack("<H", fill) + b"Z" * fill
    sizes = (0, 0, 0)
    if not record.descriptor:
        sizes = (record.crc, len(record.payload), record.size)
    version = 20 if record.method == DEFLATED else 0
    head = struct.pack("<IHHHHHIIIHH", LOCAL, version, flags, record.method, 0, 0, *sizes, len(raw_name), len(extra))
    return flags, head + raw_name + extra


def _central(record, raw_name, flags, at):
    """Return a central header."""
    version = 20 if record.method == DEFLATED else 0
    at = at if record.at is None else record.at
    return (
        struct.pack(
            "<IHHHHHHIIIHHHHHII",
            CENTRAL,
            record.madeby,
            version,
            flags,
            record.method,
            0,
            0,
            record.crc,
            len(record.payload) & 0xFFFFFFFF,
            record.size & 0xFFFFFFFF,
            len(raw_name),
            len(record.central_extra),
            0,
            0,
            0,
            record.attributes,
            at,
        )
        + raw_name
        + record.central_extra
    )


def write_zip(records, folder="archive", pad=True, align=64, end64=True, comment=b"", gap=b"", start=b""):
    """Return (archive bytes, layout); names get the folder in front unless they begin with `!`."""
    out, central, layout = bytearray(start), [], Layout()
    for record in records:
        text = record.name[1:] if record.name.startswith("!") else folder + "/" + record.name
        raw_name = text.encode("utf-8", "surrogateescape")
        record = dataclasses.replace(record)
        if record.payload is None:
            record.payload = deflate(record.data) if record.method == DEFLATED else record.data
        record.size = len(record.data) if record.size is None else record.size
        record.crc = zlib.crc32(record.data) if record.crc is None else record.crc
        out += record.gap
        at = len(out)
        flags, head = _local(record, raw_name if record.local_name is None else record.local_name, at, pad, align)
        out += head
        layout.local[record.name], layout.payload[record.name] = at, len(out)
        out += record.payload
        if record.data and record.descriptor:
            out += struct.pack("<IIII", DESCRIPTOR, record.crc, len(record.payload), record.size & 0xFFFFFFFF)
        if record.listed:
            central.append((record.name, _central(record, raw_name, flags, at)))
    out += gap
    layout.directory = len(out)
    for name, head in central:
        layout.central[name] = len(out)
        out += head
    size, count = len(out) - layout.directory, len(central)
    if end64:
        layout.end64 = len(out)
        out += struct.pack("<IQHHIIQQQQ", END64, 44, 0x031E, 45, 0, 0, count, count, size, layout.directory)
        layout.locator = len(out)
        out += struct.pack("<IIQI", LOCATOR, 0, layout.end64, 1)
    layout.end = len(out)
    out += struct.pack("<IHHHHIIH", END, 0, 0, count, count, size, layout.directory, len(comment)) + comment
    return bytes(out), layout


# --- pickle ------------------------------------------------------------------------------------


class Raw(bytes):
    """Opcodes that are written as they are."""


@dataclasses.dataclass
class Global:
    """A GLOBAL opcode."""

    module: str
    name: str


@dataclasses.dataclass
class Call:
    """A REDUCE (or NEWOBJ) and an optional BUILD."""

    func: object
    args: tuple
    state: object = None
    opcode: bytes = b"R"


@dataclasses.dataclass
class Pid:
    """A BINPERSID."""

    value: object


@dataclasses.dataclass
class Str2:
    """A byte string as Python 2 writes it."""

    data: bytes


@dataclasses.dataclass
class Pairs:
    """A dict written from (key, value) pairs, duplicates and all."""

    items: list


def _text(value):
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def _int(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if 0 <= value < 65536:
        return b"M" + struct.pack("<H", value)
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _pairs(items):
    return b"}(" + b"".join(emit(key) + emit(value) for key, value in items) + b"u"


def emit(value):
    """Return the opcodes of one value, without any memo."""
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        return _int(value)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(emit(item) for item in value) + b"t" if value else b")"
    if isinstance(value, list):
        return b"](" + b"".join(emit(item) for item in value) + b"e"
    if isinstance(value, dict):
        return _pairs(value.items())
    if isinstance(value, Pairs):
        return _pairs(value.items)
    if isinstance(value, Global):
        return b"c" + value.module.encode() + b"\n" + value.name.encode() + b"\n"
    if isinstance(value, Pid):
        return emit(value.value) + b"Q"
    if isinstance(value, Str2):
        return b"U" + bytes([len(value.data)]) + value.data
    if isinstance(value, Call):
        tail = b"" if value.state is None else emit(value.state) + b"b"
        return emit(value.func) + emit(value.args) + value.opcode + tail
    raise TypeError(type(value))


def dumps(value, proto=2):
    """Return a whole pickle of protocol 2."""
    return b"\x80" + bytes([proto]) + emit(value) + b"."


# --- torch -------------------------------------------------------------------------------------

HOOKS = Call(Global("collections", "OrderedDict"), ())


def storage(key, numel, cls="FloatStorage", location="cpu"):
    """Return the persistent id of a storage in a zip."""
    return Pid(("storage", Global("torch", cls), key, location, numel))


def tensor(key, shape, stride=None, offset=0, numel=None, cls="FloatStorage"):
    """Return a tensor of a zip checkpoint; everything can lie."""
    if stride is None:
        stride, step = [], 1
        for length in reversed(shape):
            stride.insert(0, step)
            step *= length
    if numel is None:
        numel = 1
        for length in shape:
            numel *= length
    where = key if isinstance(key, Pid) else storage(key, numel, cls)
    return Call(
        Global("torch._utils", "_rebuild_tensor_v2"), (where, offset, tuple(shape), tuple(stride), False, HOOKS)
    )


def ordered(items):
    """Return an OrderedDict as torch writes a state_dict."""
    return Raw(emit(HOOKS) + b"(" + b"".join(emit(key) + emit(value) for key, value in items) + b"u")


def floats(*values):
    """Return little-endian float32 bytes."""
    return struct.pack("<%df" % len(values), *values)


MAGIC = dumps(0x1950A86A20F9469CFC6C)
SYS_INFO = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def legacy_stream(obj, keys, blocks):
    """Return a legacy stream: five pickles and the storages, given as (element count, bytes)."""
    head = MAGIC + dumps(1001) + dumps(SYS_INFO) + dumps(obj) + dumps(list(keys))
    return head + b"".join(struct.pack("<q", count) + data for count, data in blocks)
