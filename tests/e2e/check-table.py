#!/usr/bin/env python3
"""Prints what `pthfs check` says of every file of tests/data, as tests/data/check.tsv has it.

check-table.py BIN DATA

One line a file: its name, the exit code, the findings (severity and kind, each once, the worst first), notes among them, and
weights_only. A file that cannot be read has "-" for both, and must have one line of error that names it.
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys

HANG = 120  # seconds: a guard, not a measurement
ORDER = ["danger", "damage", "warning", "note"]


def row(pthfs, path):
    run = subprocess.run([pthfs, "check", "--json", path], capture_output=True, timeout=HANG, check=False)
    err = run.stderr.decode("utf-8", "replace")
    if run.returncode == 2:
        assert not run.stdout and err.count("\n") == 1 and path.name in err, (path.name, err)
        return f"{path.name}\t2\t-\t-"
    assert run.returncode in (0, 1) and not err, (path.name, run.returncode, err)
    said = json.loads(run.stdout.decode("utf-8", "surrogateescape"))
    kinds = {(ORDER.index(f["severity"]), f["kind"]) for f in said["findings"]}
    assert said["clean"] == (run.returncode == 0) == all(ORDER[s] == "note" for s, _ in kinds), path.name
    assert all(f["message"] and "\n" not in f["message"] for f in said["findings"]), path.name
    assert said["weights_only"] == (said["weights_only_why"] is None), path.name
    text = " ".join(f"{ORDER[s]}:{kind}" for s, kind in sorted(kinds)) or "clean"
    return f"{path.name}\t{run.returncode}\t{text}\t{'yes' if said['weights_only'] else 'no'}"


def main():
    pthfs, data = sys.argv[1], pathlib.Path(sys.argv[2])
    files = sorted(p for p in data.iterdir() if p.name.startswith(("good-", "bad-", "demo.", "unsupported-")))
    print("file\texit\tfindings\tweights_only")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        print("\n".join(pool.map(lambda path: row(pthfs, path), files)))


if __name__ == "__main__":
    main()
