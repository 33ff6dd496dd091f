#!/usr/bin/env python3
"""Holds pthfs against tests/data/hostile.tsv: every hostile file has the verdict that is written there.

verdicts.py [--pthfs BIN]

mount        `info` exits 0; every tensor can be read
refuse       `info` exits 2 with one line that names the file and matches the regex
broken:PATH  `info` exits 0 and says so; `cat PATH` exits 2 with one line; every other tensor can be read

Whatever the verdict: no signal, one line of error at most, and all of it within 128 MiB of address space (but for a sanitized
build, which PTHFS_SAN=1 says). Prints one line for each case that is not so and closes with the counts.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import resource
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
MAX_BYTES = 128 << 20
HANG = 60  # seconds: a guard, not a measurement


def limit():
    """Give the child no more memory than the promise allows; a sanitizer's shadow memory does not fit into any limit."""
    if not os.environ.get("PTHFS_SAN"):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))


def run(*command):
    """Run a command; return exit code, standard output and standard error."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=limit)
    try:
        out, err = process.communicate(timeout=HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hangs", b"", ""
    return process.returncode, out, err.decode("utf-8", "replace")


def one_line(code, err, path, regex):
    """Return what is wrong with a refusal, or None."""
    lines = err.strip().splitlines()
    if code != 2:
        return f"exit {code}, wanted 2: {err.strip()[:200]}"
    if len(lines) != 1:
        return f"{len(lines)} lines of error, wanted 1"
    if path.name not in err:
        return f"does not name the file: {lines[0]}"
    if regex != "-" and not re.search(regex, err, re.IGNORECASE):
        return f"does not say /{regex}/: {lines[0]}"
    return None


def readable(pthfs, path, broken):
    """Return what is wrong with reading the tensors, or None; `broken` must fail and the others must not."""
    code, out, err = run(pthfs, "ls", "--json", str(path))
    if code != 0:
        return f"ls: exit {code}: {err.strip()[:200]}"
    names = [e["name"] for e in json.loads(out)["entries"] if e["type"] == "tensor"]
    if broken and broken not in names:
        return f"{broken} is not listed"
    for name in names[:200]:
        code, _, err = run(pthfs, "cat", "--", str(path), name)
        if name == broken:
            wrong = one_line(code, err, path, "-")
            if wrong:
                return f"cat {name}: {wrong}"
        elif code != 0:
            return f"cat {name}: exit {code}: {err.strip()[:200]}"
    return None


def judge(pthfs, path, verdict, regex):
    """Return what differs from the verdict, or None."""
    code, out, err = run(pthfs, "info", str(path))
    if verdict == "refuse":
        return one_line(code, err, path, regex)
    if code != 0:
        return f"exit {code}, wanted 0: {err.strip()[:200]}"
    broken = verdict.partition(":")[2]
    wrong = readable(pthfs, path, broken)
    if wrong:
        return wrong
    said = out.decode("utf-8", "replace") + (run(pthfs, "cat", "--", str(path), broken)[2] if broken else "")
    if regex != "-" and not re.search(regex, said, re.IGNORECASE):
        return f"neither info nor cat says /{regex}/"
    return None


def main():
    """Judge every row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pthfs", default=os.environ.get("PTHFS", "pthfs"))
    pthfs = parser.parse_args().pthfs
    passed = failed = 0
    with open(DATA / "hostile.tsv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        path = DATA / row["file"]
        wrong = judge(pthfs, path, row["verdict"], row["regex"])
        if wrong:
            print(f"{row['file']} ({row['verdict']}): {wrong}")
        passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f"verdicts: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
