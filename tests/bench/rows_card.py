"""What is measured on a card: card.c, where there is a card."""

import os
import subprocess

from table import Aim

ALL = ("card",)
ALONE = "page-locked memory to the card, alone"
NO_CARD = 77  # card.c's exit status


class CardRows:
    """The one row, over a scratch directory."""

    def __init__(self, options, where, table, tools, torch):
        """Take the parsed options, a scratch directory and a table."""
        self.options, self.where, self.table = options, where, table

    def card(self):
        """Judge a file that is in the page cache, as several dtypes."""
        what = "bytes of %.1f GiB staged and judged" % (self.options.edit_size / (1 << 30))
        program = os.path.join(os.path.dirname(self.options.pthfs), "bench", "card")
        if not os.path.exists(program):
            self.table.skip(what, "%s is not there: make bench builds it" % program)
            return
        path = os.path.join(self.where, "card.bin")
        write_numbers(path, self.options.edit_size)
        done = subprocess.run(
            [program, path, str(self.options.rounds)], stdout=subprocess.PIPE, text=True, check=False
        )
        os.unlink(path)
        lines = done.stdout.splitlines()
        if done.returncode == NO_CARD:
            self.table.skip(what, lines[0])
        elif done.returncode != 0:
            self.table.skip(what, "%s failed" % program)
        else:
            self.add(what + lines[0].replace("on ", ", ", 1), lines[1:])

    def add(self, what, lines):
        """Add a group for each dtype."""
        series = {}
        for line in lines:
            name, value = line.split()
            series.setdefault(name, []).append(float(value))
        alone = series.pop("copy")
        for name, values in series.items():
            self.table.add(
                "%s, %s" % (what, name),
                "GB/s",
                {"pthfs": values, ALONE: alone},
                {ALONE: Aim(">=", 0.9)},
            )

    def finish(self):
        """Nothing waits for the end."""


def write_numbers(path, size):
    """Write a file that is float32 numbers around 1, of some megabytes again and again."""
    some = b"".join((0x3F000000 + 977 * k % 0x1000000).to_bytes(4, "little") for k in range(1 << 18))
    with open(path, "wb") as out:
        for _ in range(size >> 20):
            out.write(some)
