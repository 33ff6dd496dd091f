"""What is measured of comparing two checkpoints: pthfs diff, cmp of the same files, torch.equal.

Both files are in the page cache, and together twice --edit-size. cmp compares the files byte for byte and knows
nothing of tensors; where they differ it is cmp -l, which does not stop at the first difference, and of which there
is one a tensor. torch has both loaded (mmap) before its time begins.
"""

import os
import shutil
import zlib

import inputs
import machine
from rows import in_words, take_turns
from table import Aim

TENSOR = 64 << 20  # bytes of each tensor
ENDS = 'want=$1; shift; "$@"; [ $? -eq "$want" ]'  # with this exit code
ALL = ("equal", "differ")
CMP = "cmp of the two files"
TORCH = "torch.equal of each tensor"


class DiffRows:
    """The rows, over a scratch directory."""

    def __init__(self, options, where, table, tools, torch):
        """Take the parsed options, a scratch directory, a table, built tools and torch or None."""
        self.options, self.where, self.table = options, where, table
        self.tools, self.torch = tools, torch
        self.peaks = []

    def pair(self, changed):
        """Return two checkpoints, of which in the second the last element of each tensor may be another."""
        a, b = (os.path.join(self.where, name) for name in ("diff-a.pth", "diff-b.pth"))
        count = max(self.options.edit_size // TENSOR, 1)
        write_numbers(a, count, False)
        if changed:
            write_numbers(b, count, True)
        else:
            shutil.copyfile(a, b)
        for path in (a, b):
            machine.warm_up(path)
        return a, b

    def spent(self, code, *argv):
        """Run pthfs; return milliseconds; note its peak."""
        program = ("sh", "-c", ENDS, "sh", str(code), self.options.pthfs)
        spent = machine.Spent(self.tools["spent"], self.where, *program, *argv)
        self.peaks.append(spent.peak)
        return spent.ms

    def equal(self):
        """Compare two files with the same content."""
        a, b = self.pair(False)
        tasks = {
            "pthfs": lambda: self.spent(0, "diff", a, b),
            "pthfs --trust-crc": lambda: self.spent(0, "diff", "--trust-crc", a, b),
            CMP: lambda: machine.run_ms("cmp", "-s", a, b),
        }
        self.group("diff of two equal checkpoints of ", a, b, tasks)

    def differ(self):
        """Compare two of which the last element of each tensor differs."""
        a, b = self.pair(True)
        tasks = {
            "pthfs": lambda: self.spent(1, "diff", a, b),
            CMP: lambda: self.cmp_all(a, b),
        }
        self.group("diff of two checkpoints, each tensor's last element changed, ", a, b, tasks)

    def cmp_all(self, a, b):
        """Return the milliseconds of cmp -l; into a file, as cmp stops early when its output is /dev/null."""
        out = os.path.join(self.where, "cmp.txt")
        return machine.run_ms("sh", "-c", "exec >$0; " + ENDS, out, "1", "cmp", "-l", a, b)

    def group(self, what, a, b, tasks):
        """Take turns, and add what it gave."""
        if self.torch:
            for path in (a, b):
                self.torch.ask("load", path, "mmap")
            tasks[TORCH] = lambda: self.torch.ask("equal", a, b)
        values = take_turns(self.options.rounds, tasks)
        if self.torch:
            for path in (a, b):
                self.torch.ask("drop", path)
        rates = {who: [self.options.edit_size / 1e6 / ms for ms in some] for who, some in values.items()}
        aims = {CMP: Aim(">=", 0.9)}
        self.table.add(what + in_words(self.options.edit_size), "GB/s", rates, aims)

    def finish(self):
        """Add the memory that all of it took."""
        if self.peaks:
            self.table.add("peak memory of that", "MiB", {"pthfs": self.peaks}, {})


class Numbers:
    """A payload of finite numbers, as weights are: cmp does not mind, but no NaN is equal to itself."""

    method = 0
    block = None

    def __init__(self, size, changed):
        """Take the number of bytes, a multiple of a block, and whether the last element is another one."""
        self.size = self.stored = size
        if not self.block:
            block = bytearray(os.urandom(inputs.BLOCK))
            block[1::2] = b"\x3d\xbd" * (inputs.BLOCK // 4)
            Numbers.block = bytes(block)
        self.last = self.block[:-4] + b"\0\0\0\x3f" if changed else self.block

    def write(self, out):
        """Write it and return the CRC of the content."""
        crc = 0
        for left in range(self.size // inputs.BLOCK, 0, -1):
            piece = self.block if left > 1 else self.last
            crc = zlib.crc32(piece, crc)
            out.write(piece)
        return crc


def write_numbers(path, count, changed, storage=inputs.FLOAT_STORAGE):
    """Write a state_dict of `count` tensors of TENSOR bytes."""
    numel = TENSOR // (2 if storage is inputs.BFLOAT16_STORAGE else 4)
    state = [
        ("layer%d.weight" % i, inputs.Tensor(inputs.Storage(i, numel, storage), (numel // 1024, 1024)))
        for i in range(count)
    ]
    inputs.write_checkpoint(path, state, [Numbers(TENSOR, changed)] * count)
