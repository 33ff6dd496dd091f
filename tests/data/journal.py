"""Writes a journal of each released version, from the description in src/overlay/README.md and without pthfs.

    journal.py [--check]

`journal/v1-edits` has edits, a coming file and a note; `journal/v1-patching` a complete list over the first 10 000 bytes
of `i * 7 % 256`. They stay as they are for ever: tests/unit/test_overlay_samples.c must be able to read them.
"""
import os
import struct
import sys
import zlib

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "journal")
CHECKPOINT = bytes(i * 7 % 256 for i in range(10000))


def numbers(*values):
    return struct.pack(f"<{len(values)}Q", *values)


def header():
    h = b"\x89pthfsJ\n" + struct.pack("<II", 1, 128) + b"salted!!"
    h += struct.pack("<QQqqQQ", 77, 10000, 1700000000, 5, 0x1122334455667788, 1 << 63)
    h = h.ljust(124, b"\0")
    return h + struct.pack("<I", zlib.crc32(h))


def journal(*frames):
    out = header()
    chain = zlib.crc32(out[:124])
    for kind, blob, off, payload in frames:
        padded = payload + b"\0" * (-len(payload) % 8)
        head = struct.pack("<IIQQI", kind, blob, off, len(payload), zlib.crc32(padded))
        chain = zlib.crc32(head, chain)
        out += head + struct.pack("<I", chain) + padded
    return out


EDITS = ((1, 3, 100, b"hello"), (2, 0, 0, b"an operation"), (1, 4, 1 << 40, b"01234567"))
HELLO = 128 + 32  # where that is
SAMPLES = {
    "v1-edits": journal(*EDITS, (3, 0, 0, numbers(5, 6, 7, 8)), (6, 0, 0, b"why it failed")),
    "v1-patching": journal(
        *EDITS,
        (4, 3, 0, numbers(16, zlib.crc32(CHECKPOINT[:16]))),
        (4, 1, 100, numbers(5, HELLO)),
        (4, 0, 200, b"copied bytes"),
        (4, 2, 9000, numbers(3000, 251)),
        (5, 0, 12000, numbers(4))),
}


def main():
    bad = 0
    for name, data in SAMPLES.items():
        path = os.path.join(HERE, name)
        if "--check" not in sys.argv:
            with open(path, "wb") as f:
                f.write(data)
        else:
            with open(path, "rb") as f:
                if f.read() != data:
                    print(f"{path} is not what this program writes")
                    bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
