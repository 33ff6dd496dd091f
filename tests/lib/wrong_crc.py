#!/usr/bin/env python3
"""Changes the CRCs that a zip claims for its storages, and nothing else: wrong_crc.py FILE."""

import struct
import sys
import zipfile


def main():
    """Change them, in the directory and where local headers or descriptors have them too."""
    path = sys.argv[1]
    with zipfile.ZipFile(path) as archive:
        crcs = {info.CRC for info in archive.infolist() if "/data/" in info.filename and info.file_size > 64}
    with open(path, "rb") as old:
        whole = old.read()
    for crc in crcs - {0}:
        whole = whole.replace(struct.pack("<I", crc), struct.pack("<I", crc ^ 1))
    with open(path, "wb") as new:
        new.write(whole)


if __name__ == "__main__":
    main()
