#!/usr/bin/env python3
"""Makes the hostile files and hostile.tsv, which says what pthfs is to do with each (no torch needed).

hostile.py            write tests/data/bad-*, good-control.pt and hostile.tsv
hostile.py --check    say which of them would differ
"""

import gzip
import pathlib
import struct
import sys
import zlib

import zipkit as kit
from zipkit import Call, Global, Pairs, Pid, Raw, Record, dumps, emit, floats, tensor

HERE = pathlib.Path(__file__).resolve().parent
CASES = []
W = floats(1, 2, 3, 4)
END = b"version", b"3\n"


def case(name, verdict, regex, why):
    """Register a function that returns the bytes of one hostile file."""

    def add(func):
        CASES.append((name, verdict, regex, why, func))
        return func

    return add


# --- what a file is made of --------------------------------------------------------------------


def good():
    """Return the object of the control: one tensor and one value."""
    return {"w": tensor("0", (2, 2)), "epoch": 3}


def records(pkl=None, **more):
    """Return the records of the control, with another pickle or further storages."""
    out = [
        Record("data.pkl", dumps(good()) if pkl is None else pkl),
        Record("byteorder", b"little"),
        Record("data/0", W),
    ]
    out += [Record("data/" + key, data) for key, data in more.items()]
    return out + [Record("version", b"3\n")]


def archive(parts=None, **how):
    """Return the bytes of an archive."""
    return kit.write_zip(records() if parts is None else parts, **how)[0]


def patched(patch, parts=None, **how):
    """Return an archive after patch(bytearray, layout) has changed it."""
    data, layout = kit.write_zip(records() if parts is None else parts, **how)
    raw = bytearray(data)
    patch(raw, layout)
    return bytes(raw)


def put(raw, at, form, *values):
    """Overwrite one field."""
    struct.pack_into("<" + form, raw, at, *values)


def named(name):
    """Return the position of a record in records()."""
    return [record.name for record in records()].index(name)


def beside(extra, **storages):
    """Return an archive whose pickle holds the good tensor and more entries."""
    return archive(records(dumps({**good(), **extra}), **storages))


def around(opcodes, key="evil"):
    """Return an archive whose pickle holds the good tensor and one value given as opcodes."""
    return beside({key: Raw(opcodes)})


# --- the control -------------------------------------------------------------------------------


@case("good-control.pt", "mount", "-", "the control: what all the others would be without their one fault")
def control():
    return archive()


# --- zip ---------------------------------------------------------------------------------------


@case(
    "bad-zip-dup-entry.pt",
    "refuse",
    "duplicate|twice|two records",
    "two records named data/0: readers disagree about which one counts",
)
def dup_entry():
    return archive(records() + [Record("data/0", floats(9, 9, 9, 9))])


@case("bad-zip-dup-pickle.pt", "refuse", "duplicate|twice|two records", "two records named data.pkl with different pickles")
def dup_pickle():
    return archive(records() + [Record("data.pkl", dumps({"other": 1}))])


@case(
    "bad-zip-local-name-differs.pt",
    "refuse",
    "name|local",
    "the local header calls data/0 something else than the directory does",
)
def local_name():
    parts = records()
    parts[named("data/0")].local_name = b"archive/data/9"
    return archive(parts)


@case(
    "bad-zip-local-size-differs.pt",
    "refuse",
    "size|local",
    "the local header gives another size than the directory, without a descriptor to excuse it",
)
def local_size():
    parts = records()
    parts[named("data/0")].descriptor = False
    return patched(lambda raw, where: put(raw, where.local["data/0"] + 18, "II", 8, 8), parts)


@case(
    "bad-zip-local-method-differs.pt",
    "refuse",
    "method|local",
    "the local header says deflated, the directory says stored",
)
def local_method():
    return patched(lambda raw, where: put(raw, where.local["data/0"] + 8, "H", 8))


@case(
    "bad-zip-crc-wrong.pt",
    "mount",
    "-",
    "a storage's bytes do not match its CRC: torch loads it, `pthfs check` names it",
)
def crc_wrong():
    return patched(lambda raw, where: put(raw, where.payload["data/0"], "f", 7.0))


@case("bad-zip-pkl-crc-wrong.pt", "refuse", "crc", "data.pkl does not match its CRC: nothing it says can be trusted")
def pkl_crc_wrong():
    return patched(lambda raw, where: put(raw, where.central["data.pkl"] + 16, "I", 0x12345678))


@case("bad-zip-full-overlap.pt", "refuse", "overlap|name|local", "two directory entries point at one local header")
def full_overlap():
    def patch(raw, where):
        put(raw, where.central["data/1"] + 42, "I", where.local["data/0"])

    return patched(patch, records(dumps({**good(), "x": tensor("1", (2, 2))}), **{"1": W}))


@case(
    "bad-zip-quoted-overlap.pt",
    "refuse",
    "overlap|past|inside|within",
    "each record's payload contains the local headers of all that follow (Fifield's construction)",
)
def quoted_overlap():
    count = 20
    data, where = kit.write_zip(
        [Record("data.pkl", dumps(good())), Record("version", b"3\n"), Record("data/0", W)]
        + [Record("data/%d" % (at + 1), b"x" * 16, descriptor=False) for at in range(count)]
    )
    raw = bytearray(data)
    for at in range(count):
        name = "data/%d" % (at + 1)
        begin = where.payload[name]
        body = bytes(raw[begin : where.directory])
        put(raw, where.central[name] + 16, "III", zlib.crc32(body), len(body), len(body))
        put(raw, where.local[name] + 14, "III", zlib.crc32(body), len(body), len(body))
    return bytes(raw)


@case(
    "bad-zip-eocd-count-low.pt",
    "refuse",
    "count|entries|records|directory",
    "the end record counts fewer entries than the directory has",
)
def count_low():
    return patched(lambda raw, where: (put(raw, where.end + 8, "HH", 2, 2), put(raw, where.end64 + 24, "QQ", 2, 2)))


@case(
    "bad-zip-eocd-count-high.pt",
    "refuse",
    "count|entries|records|directory",
    "the end record counts more entries than the directory has",
)
def count_high():
    return patched(lambda raw, where: (put(raw, where.end + 8, "HH", 9, 9), put(raw, where.end64 + 24, "QQ", 9, 9)))


@case(
    "bad-zip-end-differs.pt",
    "refuse",
    "end record|zip64|differ|disagree|directory",
    "the plain end record and the zip64 end record give different directories",
)
def end_differs():
    return patched(lambda raw, where: put(raw, where.end + 8, "HH", 1, 1))


@case(
    "bad-zip-truncated.pt",
    "refuse",
    "truncat|incomplete|missing|end",
    "cut at half: no end record (`-o salvage` reads what is there)",
)
def truncated():
    data = archive()
    return data[: len(data) // 2]


@case(
    "bad-zip-truncated-1.pt",
    "refuse",
    "truncat|incomplete|missing|end",
    "cut by one byte: torch finds no end record either",
)
def truncated_1():
    return archive()[:-1]


@case(
    "bad-zip-truncated-pickle.pt",
    "refuse",
    "truncat|incomplete|missing|end",
    "cut inside data.pkl, which is the first record: nothing can be salvaged",
)
def truncated_pickle():
    data, where = kit.write_zip(records())
    return data[: where.payload["data.pkl"] + 20]


@case(
    "bad-zip-truncated-directory.pt",
    "refuse",
    "truncat|incomplete|missing|end",
    "cut inside the directory: every storage is there",
)
def truncated_directory():
    data, where = kit.write_zip(records())
    return data[: where.directory + 60]


@case(
    "bad-zip-prefix.pt",
    "refuse",
    "prefix|before|begin|start|not a|recogni",
    "bytes before the first local header: zip tools open it, torch does not",
)
def prefix():
    return b"#!/bin/sh\nexit\n" + archive()


@case(
    "bad-zip-prefix-counted.pt",
    "refuse",
    "prefix|before|begin|start|not a|recogni",
    "the same with offsets that count the prefix in",
)
def prefix_counted():
    return archive(start=b"#!/bin/sh\nexit 1\n")


@case(
    "bad-zip-two-eocd.pt",
    "refuse",
    "end record|two|ambiguous|second|end of central|trailing|after",
    "two whole archives in a row: libzip reads the first, torch the second",
)
def two_eocd():
    first = archive()
    data, where = kit.write_zip(
        [
            Record("data.pkl", dumps({"w": tensor("0", (2, 2)), "epoch": 666})),
            Record("data/0", floats(6, 6, 6, 6)),
            Record("version", b"3\n"),
        ],
        start=first,
    )
    return data


@case(
    "bad-zip-eocd-in-comment.pt",
    "refuse",
    "end record|two|ambiguous|second|end of central|comment|trailing|after|directory",
    "the comment holds another end record, which is the one torch takes",
)
def eocd_in_comment():
    inner = struct.pack("<IHHHHIIH", kit.END, 0, 0, 1, 1, 60, 100, 0)
    return archive(comment=b"see " + inner)


@case(
    "bad-zip-zip64-extra-lies.pt",
    "refuse",
    "zip64|size|past|beyond|overlap|end of",
    "a zip64 field claims that data/0 has 2^62 bytes",
)
def zip64_extra():
    parts = records()
    parts[named("data/0")].central_extra = struct.pack("<HHQQ", 1, 16, 2**62, 2**62)
    parts[named("data/0")].size = None
    return patched(lambda raw, where: put(raw, where.central["data/0"] + 20, "II", 0xFFFFFFFF, 0xFFFFFFFF), parts)


@case(
    "bad-zip-zip64-extra-missing.pt",
    "refuse",
    "zip64|size|past|beyond|end of",
    "sizes of FFFFFFFF without the zip64 field that would hold them",
)
def zip64_missing():
    return patched(lambda raw, where: put(raw, where.central["data/0"] + 20, "II", 0xFFFFFFFF, 0xFFFFFFFF))


@case(
    "bad-zip-zip64-eocd-bogus.pt",
    "refuse",
    "zip64|end record|directory|locator",
    "the zip64 locator points outside the file",
)
def zip64_bogus():
    return patched(lambda raw, where: put(raw, where.locator + 8, "Q", 2**63 + 5))


@case(
    "bad-zip-traversal.pt",
    "refuse",
    "outside|folder|name|\\.\\.",
    "a record named ../../tmp/evil, outside the archive's folder",
)
def traversal():
    return archive(records() + [Record("!../../tmp/evil", b"x")])


@case("bad-zip-absolute.pt", "refuse", "outside|folder|name|absolute", "a record named /etc/evil")
def absolute():
    return archive(records() + [Record("!/etc/evil", b"x")])


@case("bad-zip-nul-name.pt", "refuse", "nul|name", "a record whose name holds a NUL: data/0 to those who stop there")
def nul_name():
    return archive(records() + [Record("data/0\0.txt", b"x")])


@case("bad-zip-long-name.pt", "mount", "-", "a record with a name of 308 bytes, which torch does not mind")
def long_name():
    return archive(records() + [Record("n" * 300, b"x")])


@case(
    "bad-zip-case-collision.pt",
    "refuse",
    "duplicate|case|twice|same name",
    "data.pkl and DATA.PKL: torch looks names up whatever their case",
)
def case_collision():
    return archive(records() + [Record("DATA.PKL", dumps({"other": 1}))])


@case("bad-zip-file-and-dir.pt", "mount", "-", "records extra and extra/file: odd, but nothing that torch reads")
def file_and_dir():
    return archive(records() + [Record("extra", b"x"), Record("extra/file", b"y")])


@case("bad-zip-encrypted-flag.pt", "refuse", "encrypt|flag", "the flag for encryption is set on data/0")
def encrypted():
    parts = records()
    parts[named("data/0")].flags = 0x0809
    return archive(parts)


@case(
    "bad-zip-flag-0x20.pt",
    "refuse",
    "flag|patch",
    "the flag for patched data is set: scanners and loaders disagree (CVE-2025-1945)",
)
def flag_20():
    parts = records()
    parts[named("data/0")].flags = 0x0828
    return archive(parts)


@case(
    "bad-zip-deflate-bomb.pt",
    "mount",
    "-",
    "a storage of 16 MB in 16 KB of deflate, which numel agrees with: mounts without inflating it",
)
def deflate_bomb():
    parts = records(dumps({**good(), "bomb": tensor("1", (1 << 22,))}))
    return archive(parts + [Record("data/1", bytes(1 << 24), method=kit.DEFLATED)])


@case(
    "bad-zip-deflate-longer.pt",
    "broken:bomb",
    "-",
    "a deflated storage that goes on after its declared 16 bytes; seen when it is read",
)
def deflate_longer():
    parts = records(dumps({**good(), "bomb": tensor("1", (4,))}))
    return archive(parts + [Record("data/1", bytes(16), method=kit.DEFLATED, payload=kit.deflate(bytes(100000)))])


@case(
    "bad-zip-deflate-garbage.pt", "broken:x", "-", "a deflated storage that is no deflate stream; seen when it is read"
)
def deflate_garbage():
    parts = records(dumps({**good(), "x": tensor("1", (4,))}))
    return archive(parts + [Record("data/1", bytes(16), method=kit.DEFLATED, payload=b"\xff" * 12)])


@case(
    "bad-zip-pickle-bomb.pt",
    "refuse",
    "size|large|limit|inflate|deflate|declared|big|ratio",
    "a deflated data.pkl that declares 4 GB for a few bytes",
)
def pickle_bomb():
    parts = records()
    parts[0] = Record("data.pkl", dumps(good()), method=kit.DEFLATED, size=0xFFFFFFF0)
    return archive(parts)


@case("bad-zip-bad-method.pt", "refuse", "method|compress", "data/0 is packed with bzip2, which torch does not know")
def bad_method():
    parts = records()
    parts[named("data/0")].method = 12
    parts[named("data/0")].payload = W
    return archive(parts)


@case(
    "bad-zip-cd-offset-out.pt",
    "refuse",
    "directory|past|beyond|end|zip64",
    "the end record puts the directory outside the file",
)
def cd_offset_out():
    return patched(
        lambda raw, where: (put(raw, where.end + 16, "I", 0x7FFFFFFF), put(raw, where.end64 + 48, "Q", 0x7FFFFFFF))
    )


@case(
    "bad-zip-lfh-offset-out.pt",
    "refuse",
    "local|header|past|beyond|offset|end",
    "data/0's local header lies outside the file",
)
def lfh_offset_out():
    return patched(lambda raw, where: put(raw, where.central["data/0"] + 42, "I", 0x7FFFFFF0))


@case(
    "bad-zip-symlink.pt", "mount", "-", "a record marked as a symbolic link to /etc/passwd: plain bytes, never a link"
)
def symlink():
    return archive(records() + [Record("link", b"/etc/passwd", attributes=0xA1FF0000, madeby=0x031E)])


@case(
    "bad-zip-size-past-eof.pt",
    "refuse",
    "past|beyond|end|truncat|size|overlap|directory",
    "data/0 claims more bytes than the file has",
)
def size_past_eof():
    return patched(lambda raw, where: put(raw, where.central["data/0"] + 20, "II", 1 << 30, 1 << 30))


@case(
    "bad-zip-stored-sizes-differ.pt",
    "refuse",
    "size|stored|differ",
    "a stored record whose packed and unpacked sizes differ",
)
def stored_sizes():
    return patched(lambda raw, where: put(raw, where.central["data/0"] + 24, "I", 12))


@case("bad-zip-no-pickle.pt", "refuse", "data\\.pkl|not a|pickle", "an ordinary zip with other things in it")
def no_pickle():
    return archive([Record("readme.txt", b"hello\n"), Record("version", b"3\n")])


@case("bad-zip-empty.pt", "refuse", "empty|data\\.pkl|no records|not a|entries|recogni", "a zip without any record")
def empty_zip():
    return archive([])


@case("bad-zip-two-disks.pt", "refuse", "disk", "the end record says that this is disk 1 of several")
def two_disks():
    return patched(lambda raw, where: (put(raw, where.end + 4, "HH", 1, 1), put(raw, where.end64 + 16, "II", 1, 1)))


@case("bad-zip-version-99.pt", "refuse", "version", "the version record says 99; torch takes 1 to 10")
def version_99():
    parts = records()
    parts[-1] = Record("version", b"99\n")
    return archive(parts)


@case("bad-zip-byteorder.pt", "refuse", "byteorder|byte order|endian", "the byteorder record says `middle`")
def byteorder():
    parts = records()
    parts[1] = Record("byteorder", b"middle")
    return archive(parts)


# --- pickle ------------------------------------------------------------------------------------


@case("bad-pickle-os-system.pt", "mount", "system", "os.system by REDUCE: never run; info and .pthfs/globals name it")
def os_system():
    return around(b"cos\nsystem\n" + emit("touch PWNED") + b"\x85R")


@case("bad-pickle-stack-global.pt", "mount", "system", "posix.system by STACK_GLOBAL")
def stack_global():
    return around(emit("posix") + emit("system") + b"\x93" + emit("touch PWNED") + b"\x85R")


@case("bad-pickle-inst.pt", "mount", "system", "os.system by INST")
def inst():
    return around(b"(" + emit("touch PWNED") + b"ios\nsystem\n")


@case("bad-pickle-obj.pt", "mount", "system", "os.system by OBJ")
def obj():
    return around(b"(cos\nsystem\n" + emit("touch PWNED") + b"o")


@case("bad-pickle-eval-build.pt", "mount", "eval", "builtins.eval by NEWOBJ and BUILD")
def eval_build():
    return around(b"cbuiltins\neval\n" + emit("1+1") + b"\x85\x81}" + emit("a") + b"K\x01sb")


@case("bad-pickle-memo-4g.pt", "mount", "-", "a put at memo number 4294967295: CPython allocates 32 GB, a map does not")
def memo_4g():
    return archive(records(b"\x80\x02" + emit(good()) + b"r\xff\xff\xff\xff."))


@case("bad-pickle-deep-tuple.pt", "mount", "-", "1,000,000 nested tuples (deflated)")
def deep_tuple():
    parts = records()
    parts[0] = Record("data.pkl", dumps({**good(), "deep": Raw(b")" + b"\x85" * 1000000)}), method=kit.DEFLATED)
    return archive(parts)


@case("bad-pickle-deep-list.pt", "mount", "-", "300,000 nested lists (deflated)")
def deep_list():
    parts = records()
    parts[0] = Record("data.pkl", dumps({**good(), "deep": Raw(b"]" * 300000 + b"a" * 299999)}), method=kit.DEFLATED)
    return archive(parts)


@case("bad-pickle-deep-dict.pt", "mount", "-", "100,000 nested dicts, which would be directories (deflated)")
def deep_dict():
    parts = records()
    inside = b"".join(b"}" + emit("d") for _ in range(100000)) + b"N" + b"s" * 100000
    parts[0] = Record("data.pkl", dumps({**good(), "deep": Raw(inside)}), method=kit.DEFLATED)
    return archive(parts)


@case(
    "bad-pickle-billion-laughs.pt",
    "mount",
    "-",
    "2^60 tuples, all shared, in 244 opcodes: the graph is small, only walking it is not",
)
def billion_laughs():
    body = b"K\x01\x85q\x00"
    for at in range(60):
        body += b"h" + bytes([at]) + b"\x86q" + bytes([at + 1])
    return around(body, "laughs")


@case("bad-pickle-billion-dicts.pt", "refuse", "max_names", "2^40 directories, all shared, in a few hundred opcodes")
def billion_dicts():
    body = b"}q\x00"
    for at in range(40):
        body = b"}(" + emit("a") + body + emit("b") + b"h" + bytes([at]) + b"uq" + bytes([at + 1])
    return around(body, "laughs")


@case("bad-pickle-long4-2g.pt", "refuse", "truncat|long|length|pickle|past", "LONG4 of 2147483647 bytes")
def long4():
    return around(b"\x8b\xff\xff\xff\x7f\x01")


@case("bad-pickle-long4-negative.pt", "refuse", "negative|long|length|pickle", "LONG4 of -1 bytes")
def long4_negative():
    return around(b"\x8b\xff\xff\xff\xff\x01")


@case("bad-pickle-frame-huge.pt", "refuse", "frame", "a FRAME of 2^62 bytes")
def frame_huge():
    return archive(records(b"\x80\x04\x95" + struct.pack("<Q", 2**62) + emit(good()) + b"."))


@case("bad-pickle-binunicode8-huge.pt", "refuse", "truncat|length|string|text|past|pickle", "BINUNICODE8 of 2^63 bytes")
def binunicode8():
    return around(b"\x8d" + struct.pack("<Q", 2**63) + b"abc")


@case(
    "bad-pickle-binbytes-huge.pt",
    "refuse",
    "truncat|length|bytes|past|pickle",
    "BINBYTES of 4 GB in a file of a few hundred bytes",
)
def binbytes():
    return around(b"B\xff\xff\xff\xff" + b"abc")


@case("bad-pickle-cycle.pt", "mount", "-", "a list that holds itself")
def cycle():
    return around(b"]q\x01h\x01a", "loop")


@case("bad-pickle-cycle-dict.pt", "mount", "-", "a dict that holds itself: a directory in itself")
def cycle_dict():
    return around(b"}q\x01" + emit("self") + b"h\x01s", "loop")


@case(
    "bad-pickle-truncated.pt",
    "refuse",
    "truncat|stop|end|pickle",
    "data.pkl ends in the middle of a string, with a right CRC",
)
def pickle_truncated():
    return archive(records(dumps(good())[:40]))


@case("bad-pickle-no-stop.pt", "refuse", "stop|truncat|end|pickle", "data.pkl without its STOP")
def no_stop():
    return archive(records(dumps(good())[:-1]))


@case("bad-pickle-underflow.pt", "refuse", "stack|underflow|mark", "a tuple of two from an empty stack")
def underflow():
    return archive(records(b"\x80\x02\x86."))


@case("bad-pickle-no-mark.pt", "refuse", "stack|underflow|mark", "a TUPLE without a mark")
def no_mark():
    return archive(records(b"\x80\x02K\x01t."))


@case("bad-pickle-undefined-get.pt", "refuse", "memo|get", "a get of a memo number that was never put")
def undefined_get():
    return around(b"h\x77")


@case("bad-pickle-odd-setitems.pt", "refuse", "odd|setitems|pair|dict", "SETITEMS with three items")
def odd_setitems():
    return around(b"}(" + emit("a") + b"K\x01" + emit("b") + b"u")


@case(
    "bad-pickle-setitem-on-tensor.pt",
    "refuse",
    "setitem|dict",
    "SETITEM on a tensor, which torch before 2.10 carries out (CVE-2026-24747)",
)
def setitem_on_tensor():
    return around(emit(tensor("0", (2, 2))) + b"K\x00K\x07s")


@case("bad-pickle-append-on-int.pt", "refuse", "append|list", "APPEND to an int")
def append_on_int():
    return around(b"K\x05K\x06a")


@case("bad-pickle-unknown-opcode.pt", "refuse", "opcode", "an opcode that no protocol has")
def unknown_opcode():
    return around(b"\xfe")


@case("bad-pickle-persid-int.pt", "broken:x", "persistent|storage", "a tensor whose storage id is the number 5")
def persid_int():
    return beside({"x": tensor(Pid(5), (2, 2))})


@case("bad-pickle-proto99.pt", "refuse", "protocol", "pickle protocol 99")
def proto99():
    return archive(records(dumps(good(), proto=99)))


@case(
    "bad-pickle-trailing-second-pickle.pt",
    "mount",
    "trailing|after|second|extra",
    "a second pickle behind the first one's STOP: torch ignores it, info says so",
)
def trailing():
    return archive(records(dumps(good()) + dumps(Raw(b"cos\nsystem\n" + emit("touch PWNED") + b"\x85R"))))


@case("bad-pickle-empty.pt", "refuse", "empty|truncat|stop|end|pickle", "data.pkl of no bytes")
def pickle_empty():
    return archive(records(b""))


@case(
    "bad-pickle-stop-with-two.pt", "refuse", "stop|stack|pickle", "STOP with an open mark and two values on the stack"
)
def stop_with_two():
    return archive(records(b"\x80\x02K\x01(K\x02."))


@case("bad-pickle-invalid-utf8.pt", "mount", "-", "a key whose bytes are not UTF-8: torch refuses, here it is escaped")
def invalid_utf8():
    return archive(records(dumps(Pairs([("w", tensor("0", (2, 2))), (Raw(b"X\x03\x00\x00\x00a\xff\xfe"), 1)]))))


# --- tensors -----------------------------------------------------------------------------------


def lying(name, regex, why, make, verdict="broken:x", **storages):
    """Register a checkpoint with a good tensor w and another one, x, that lies."""
    case("bad-tensor-%s.pt" % name, verdict, regex, why)(lambda: beside({"x": make()}, **{"1": W, **storages}))


lying(
    "shape-overflow",
    "overflow|large|shape|beyond|past|size",
    "a shape whose product is 2^64 + 4",
    lambda: tensor("1", (2**33, 2**31, 4), numel=4),
)
lying(
    "shape-too-big",
    "overflow|large|shape|beyond|past|size|stor",
    "a shape of 2^40 elements over 16 bytes",
    lambda: tensor("1", (2**40,), numel=4),
)
lying("negative-shape", "negative|shape", "a shape of (-2, -2)", lambda: tensor("1", (-2, -2), stride=(2, 1), numel=4))
lying(
    "negative-stride", "negative|stride", "a stride of -1", lambda: tensor("1", (4,), stride=(-1,), offset=3, numel=4)
)
lying(
    "stride-out",
    "stride|beyond|past|outside|stor|extent",
    "a stride that leaves the storage",
    lambda: tensor("1", (2, 2), stride=(100, 1), numel=4),
)
lying(
    "stride-overflow",
    "overflow|stride|beyond|past|outside|stor|extent",
    "strides whose products overflow 64 bits",
    lambda: tensor("1", (3, 3), stride=(2**62, 2**62), numel=4),
)
lying(
    "offset-out",
    "offset|beyond|past|outside|stor|extent",
    "an offset that leaves the storage",
    lambda: tensor("1", (2,), offset=100, numel=4),
)
lying(
    "offset-huge",
    "overflow|offset|beyond|past|outside|stor|extent|big|large",
    "an offset of 2^63 - 1",
    lambda: tensor("1", (2,), offset=2**63 - 1, numel=4),
)
lying("neg-offset", "negative|offset", "an offset of -4", lambda: tensor("1", (2,), offset=-4, numel=4))
lying(
    "numel-lies-big",
    "numel|element|count|record|stor|bytes|short",
    "numel 2^40 for a record of 16 bytes: torch 1.13 shows 4 TB",
    lambda: tensor("1", (2**40,), numel=2**40),
)
lying(
    "numel-overflow",
    "overflow|numel|element|count|large|big|stor|record",
    "numel 2^63 - 1, which overflows when multiplied by the element size",
    lambda: tensor("1", (4,), numel=2**63 - 1),
)
lying(
    "numel-bigint",
    "overflow|numel|element|count|large|big|stor|record|persistent",
    "numel of 300 bits",
    lambda: tensor("1", (4,), numel=2**300),
)
lying("numel-negative", "negative|numel|element|count|stor|persistent", "numel -4", lambda: tensor("1", (4,), numel=-4))
lying(
    "numel-lies-small",
    "numel|element|beyond|past|outside|stor|extent",
    "numel 1, but the shape needs 4",
    lambda: tensor("1", (2, 2), numel=1),
)
lying(
    "missing-record",
    "missing|record|no such|not there|absent",
    "its storage record is not in the archive",
    lambda: tensor("77", (2, 2)),
)
lying(
    "record-short",
    "short|record|bytes|missing|stor|size",
    "its storage record is 15 bytes long, where 16 are needed",
    lambda: tensor("2", (4,)),
    **{"2": W[:-1]},
)
lying("many-dims", "dim", "5,000 dimensions", lambda: tensor("1", (1,) * 5000, stride=(1,) * 5000, numel=4))
lying(
    "dims-differ",
    "stride|shape|dim|length",
    "a shape of two dimensions and a stride of one",
    lambda: tensor("1", (2, 2), stride=(1,), numel=4),
)
lying(
    "expand-4TB",
    "-",
    "a stride of 0 makes 2^40 elements of 4 bytes: legal in torch, shown as the 4 bytes that are there, never as 4 TB",
    lambda: tensor("1", (2**40,), stride=(0,), numel=4),
    verdict="mount",
)
lying(
    "key-traversal",
    "missing|record|no such|not there|absent",
    "its storage is called ../../etc/passwd, which is only a name and not in the archive",
    lambda: tensor("../../etc/passwd", (2, 2)),
)
lying(
    "shape-of-text",
    "shape|size|type|argument|int",
    "a shape of strings",
    lambda: Call(
        Global("torch._utils", "_rebuild_tensor_v2"), (kit.storage("1", 4), 0, ("a", "b"), (2, 1), False, kit.HOOKS)
    ),
)
lying(
    "few-arguments",
    "argument|rebuild|tensor",
    "a rebuild call with two arguments",
    lambda: Call(Global("torch._utils", "_rebuild_tensor_v2"), (kit.storage("1", 4), 0)),
)
lying(
    "unknown-storage",
    "storage|class|dtype|type|unknown",
    "a storage class that torch does not have",
    lambda: tensor("1", (4,), cls="QuaternionStorage"),
)


@case(
    "bad-tensor-dtype-conflict.pt",
    "mount",
    "-",
    "one storage as float and as half: torch gives the second the first one's dtype; both are shown",
)
def dtype_conflict():
    return beside({"x": tensor("1", (4,)), "y": tensor("1", (4,), cls="HalfStorage", numel=8)}, **{"1": W})


# --- names -------------------------------------------------------------------------------------


def keyed(name, why, keys, verdict="mount"):
    """Register a checkpoint with odd keys, all of the same tensor's size."""

    def build():
        pairs = [("w", tensor("0", (2, 2)))] + [
            (key, tensor("1", (at % 4 + 1,), numel=4)) for at, key in enumerate(keys)
        ]
        return archive(records(dumps(Pairs(pairs)), **{"1": W}))

    case("bad-name-%s.pt" % name, verdict, "-", why)(build)


keyed("dotdot", "keys . and .. and names that only look like them", [".", "..", "...", ". ", "../..", "..\0"])
keyed("slash", "keys with slashes", ["a/b", "/", "//", "/etc/passwd", "../../tmp/evil"])
keyed("nul", "keys with a NUL", ["a\0b", "\0", "a\0"])
keyed(
    "long",
    "keys of 255, 256, 4,096 and 70,000 bytes",
    ["x" * 250, "x" * 251, "x" * 255, "x" * 256, "x" * 4096, "y" * 70000],
)
keyed("case", "keys that differ only in case", ["Weight", "weight", "WEIGHT"])
keyed("surrogate", "lone surrogates", ["\ud800", "a\udfffb", "\udc80"])
keyed(
    "escape-seq",
    "terminal escape sequences, newlines and bidirectional marks",
    ["\x1b]0;owned\x07", "\x1b[2J", "a\nb", "a\rb", "\u202egnp.exe", "\x7f"],
)
keyed("dup-keys", "one key twice: the later value, at the first one's place", ["twice", "twice"])
keyed(
    "int-bool-float-keys",
    "1, True and 1.0 are one key in Python, and '1' is another",
    [1, True, 1.0, "1", None, "None", 2.5, "2.5", (1, 2), "(1, 2)"],
)
keyed("nfc-nfd", "one word in composed and in decomposed form: two names", ["caf\u00e9", "cafe\u0301"])
keyed(
    "reserved",
    "names that pthfs itself makes up",
    [".pthfs", "module", "w.meta", "w.npy", "w.stats", "w.json", "w.meta~", ".pthfs-journal", "value"],
)
keyed("percent", "keys that look like escapes", ["%", "%2F", "%252F", "%%", "%2", "a%00", ""])


# --- legacy streams ----------------------------------------------------------------------------


def stream(obj=None, keys=("100",), blocks=((4, W),)):
    """Return a legacy stream of the control's tensor."""
    where = Pid(("storage", Global("torch", "FloatStorage"), "100", "cpu", 4, None))
    return kit.legacy_stream({"w": tensor(where, (2, 2)), "epoch": 3} if obj is None else obj, list(keys), blocks)


@case(
    "bad-legacy-truncated.pt",
    "refuse",
    "truncat|missing|short|end|bytes",
    "cut inside the only storage (`-o salvage` reads what is there)",
)
def legacy_truncated():
    return stream()[:-5]


@case(
    "bad-legacy-truncated-pickle.pt", "refuse", "truncat|missing|short|end|pickle|bytes", "cut inside the object pickle"
)
def legacy_truncated_pickle():
    return stream()[:200]


@case("bad-legacy-no-keys.pt", "refuse", "truncat|missing|short|end|pickle|keys", "cut before the list of storage keys")
def legacy_no_keys():
    data = stream()
    return data[: data.index(b"\x80\x02](X\x03\x00\x00\x00100")]


@case(
    "bad-legacy-count-huge.pt",
    "refuse",
    "truncat|count|past|beyond|overflow|size|missing|bytes",
    "a storage that claims 2^61 + 4 elements",
)
def legacy_count_huge():
    return stream(blocks=((2**61 + 4, W),))


@case("bad-legacy-count-negative.pt", "refuse", "negative|count|size", "a storage that claims -4 elements")
def legacy_count_negative():
    return stream(blocks=((-4, W),))


@case(
    "bad-legacy-count-differs.pt",
    "refuse",
    "count|size|numel|element|differ",
    "a storage of 3 elements, where the pickle says 4",
)
def legacy_count_differs():
    return stream(blocks=((3, W[:12]),))


@case(
    "bad-legacy-missing-key.pt",
    "broken:x",
    "missing|key|storage|not there|no such",
    "a tensor whose key is not in the list: torch shows uninitialised memory",
)
def legacy_missing_key():
    def on(key):
        return Pid(("storage", Global("torch", "FloatStorage"), key, "cpu", 4, None))

    return stream({"w": tensor(on("100"), (2, 2)), "x": tensor(on("200"), (2, 2))})


@case("bad-legacy-duplicate-key.pt", "refuse", "duplicate|twice|key", "the list of keys names one storage twice")
def legacy_duplicate_key():
    return stream(keys=("100", "100"), blocks=((4, W), (4, floats(9, 9, 9, 9))))


@case(
    "bad-legacy-unknown-key.pt",
    "refuse",
    "unknown|key|unused",
    "the list of keys names a storage that nothing uses, so its element size is unknown: torch asserts",
)
def legacy_unknown_key():
    return stream(keys=("100", "300"), blocks=((4, W), (4, W)))


@case(
    "bad-legacy-window-out.pt",
    "broken:x",
    "window|view|outside|beyond|past",
    "a view window that leaves its root storage",
)
def legacy_window_out():
    def on(view):
        return Pid(("storage", Global("torch", "FloatStorage"), "100", "cpu", 4, view))

    return stream({"w": tensor(on(None), (2, 2)), "x": tensor(on(("101", 3, 4)), (4,))})


@case("bad-legacy-version.pt", "refuse", "version|1001|protocol", "protocol version 1002")
def legacy_version():
    return stream().replace(dumps(1001), dumps(1002), 1)


# --- no checkpoints at all ---------------------------------------------------------------------


@case("bad-file-empty.pt", "refuse", "empty", "a file of no bytes")
def file_empty():
    return b""


@case("bad-file-png.pt", "refuse", "png|image|not a|recogni", "a PNG picture")
def file_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )


@case("bad-file-html.pt", "refuse", "html|web page|not a|recogni", "an error page that was saved as the checkpoint")
def file_html():
    return b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


@case("bad-file-lfs.pt", "refuse", "git.?lfs", "a git-lfs pointer in the checkpoint's place")
def file_lfs():
    return (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
        b"size 132735\n"
    )


@case("bad-file-safetensors.pt", "refuse", "safetensors", "a safetensors file called .pt: not read yet, but named")
def file_safetensors():
    header = b'{"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}       '
    return struct.pack("<Q", len(header)) + header + W


@case("bad-file-gzip.pt", "refuse", "gzip|compress|gunzip", "a checkpoint that somebody gzipped")
def file_gzip():
    return gzip.compress(archive(), mtime=0)


@case("bad-file-elf.pt", "refuse", "elf|program|executable|not a|recogni", "a program")
def file_elf():
    return (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400000, 0, 0, 0, 64, 56, 0, 0, 0, 0)
    )


@case("bad-file-json.pt", "refuse", "json|not a|recogni", "a JSON file")
def file_json():
    return b'{"model_type": "bert", "hidden_size": 768}\n'


@case("bad-file-text.pt", "refuse", "text|not a|recogni|pickle|opcode", "a README")
def file_text():
    return b"These weights have moved to another place.\n"


@case(
    "bad-file-zeros.pt",
    "refuse",
    "zero|empty|not a|recogni|hole|sparse",
    "4,096 zero bytes, as a failed download leaves them",
)
def file_zeros():
    return bytes(4096)


@case(
    "bad-file-one-byte.pt",
    "refuse",
    "short|truncat|not a|recogni|pickle",
    "the first byte of a pickle and nothing else",
)
def file_one_byte():
    return b"\x80"


@case("bad-file-hdf5.pt", "refuse", "hdf5|not a|recogni", "an HDF5 file")
def file_hdf5():
    return b"\x89HDF\r\n\x1a\n" + bytes(88)


# --- main --------------------------------------------------------------------------------------


def table():
    """Return hostile.tsv."""
    rows = ["\t".join(("file", "verdict", "regex", "why"))]
    rows += ["\t".join((name, verdict, regex, why)) for name, verdict, regex, why, _ in CASES]
    return ("\n".join(rows) + "\n").encode()


def main():
    """Write the files, or say which differ."""
    differ = 0
    files = [(name, build()) for name, _, _, _, build in CASES] + [("hostile.tsv", table())]
    for name, data in files:
        target = HERE / name
        if "--check" not in sys.argv:
            target.write_bytes(data)
        elif not target.exists() or target.read_bytes() != data:
            print("differs: %s" % name)
            differ += 1
    print(
        "%d files, %d bytes%s"
        % (len(files), sum(len(data) for _, data in files), ", %d differ" % differ if "--check" in sys.argv else "")
    )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
