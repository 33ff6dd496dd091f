"""What is measured of judging one checkpoint: pthfs stats and pthfs check.

The file is in the page cache. Reading it plainly is dd with pieces of 1 MiB, one thread; torch has it loaded (mmap)
before its time begins, and asks each tensor for isnan, min, max, mean and std. check reads every record and compares
its CRC, and looks for NaN; its peers compare the CRCs alone.
"""

import os
import sys

import inputs
import machine
from rows import in_words, take_turns
from rows_diff import write_numbers
from table import Aim

ALL = ("stats", "check")
PLAIN = "dd, bs=1M"
TORCH = "torch: isnan, min, max, mean, std"
TESTZIP = "import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None"


class JudgeRows:
    """The rows, over a scratch directory."""

    def __init__(self, options, where, table, tools, torch):
        """Take the parsed options, a scratch directory, a table, built tools and torch or None."""
        self.options, self.where, self.table = options, where, table
        self.tools, self.torch = tools, torch
        self.peaks = {}

    def file(self, storage=inputs.FLOAT_STORAGE):
        """Return a checkpoint that is in the page cache."""
        path = os.path.join(self.where, "judge.pth")
        write_numbers(path, max(self.options.edit_size >> 26, 1), False, storage)
        machine.warm_up(path)
        return path

    def spent(self, *argv):
        """Run pthfs; return milliseconds; note its peak."""
        spent = machine.Spent(self.tools["spent"], self.where, self.options.pthfs, *argv)
        self.peaks.setdefault("pthfs " + argv[0], []).append(spent.peak)
        return spent.ms

    def rates(self, what, tasks, aims):
        """Take turns, and add gigabytes a second."""
        values = take_turns(self.options.rounds, tasks)
        size = self.options.edit_size / 1e6
        rates = {who: [size / ms for ms in some] for who, some in values.items()}
        self.table.add(what, "GB/s", rates, aims)

    def stats(self):
        """Tell the numbers of float32 and bfloat16."""
        for name, storage in (("float32", inputs.FLOAT_STORAGE), ("bfloat16", inputs.BFLOAT16_STORAGE)):
            path = self.file(storage)
            tasks = {
                "pthfs": lambda path=path: self.spent("stats", path),
                PLAIN: lambda path=path: machine.run_ms("dd", "if=" + path, "of=/dev/null", "bs=1M", "status=none"),
            }
            aims = {PLAIN: Aim(">=", 0.8), TORCH: Aim(">=", 3)}
            if self.torch:
                self.torch.ask("load", path, "mmap")
                tasks[TORCH] = lambda path=path: self.torch.ask("numbers", path)
            self.rates("stats of %s of %s" % (in_words(self.options.edit_size), name), tasks, aims)
            if self.torch:
                self.torch.ask("drop", path)

    def check(self):
        """Verify a whole checkpoint."""
        path = self.file()
        peers = {
            "unzip -tq": ("unzip", "-tq", path),
            "zipfile.testzip": (sys.executable, "-c", TESTZIP, path),
        }
        tasks = {"pthfs": lambda: self.spent("check", path)}
        for name, argv in peers.items():
            tasks[name] = lambda argv=argv: machine.run_ms(*argv)
        self.rates(
            "check of " + in_words(self.options.edit_size), tasks, {name: Aim(">=", 5) for name in peers}
        )

    def finish(self):
        """Add the memory that all of it took."""
        if self.peaks:
            self.table.add("peak memory of that", "MiB", self.peaks, {})
