"""The table: one line per thing measured and who did it, with ratios of what stands together."""

import statistics

UNITS = {
    "ms": "%.1f ms",
    "GB/s": "%.2f GB/s",
    "reads/s": "%.0f reads/s",
    "MiB": "%.1f MiB",
    "KiB": "%.0f KiB",
}
HEADS = ("what", "who", "median", "spread", "pthfs : this", "aim")


class Aim:
    """What the figure of pthfs, or its ratio to a peer, should be."""

    def __init__(self, sign, limit, unit=""):
        """Take "<=" or ">=", a number, and a unit (none for a ratio)."""
        self.sign, self.limit, self.unit = sign, limit, unit

    def text(self, value):
        """Return the aim and whether a value meets it."""
        met = value <= self.limit if self.sign == "<=" else value >= self.limit
        unit = " " + self.unit if self.unit else ""
        return "%s %g%s: %s" % (self.sign, self.limit, unit, "met" if met else "missed")


class Table:
    """Collects series of measured values; prints them when all are there."""

    def __init__(self, aimed=True):
        """Begin empty; without aims where sizes are not those that the aims are for."""
        self.lines, self.aimed = [], aimed

    def add(self, what, unit, series, aims=None):
        """Add a group: {who: [values]}, the first being ours; aims by who. None: not here."""
        aims, ours = aims or {}, next(iter(series.values()))
        mine = statistics.median(ours) if ours else None
        for number, (who, values) in enumerate(series.items()):
            head = what if number == 0 else ""
            if values is None:
                self.lines.append((head, who, "not here", "", "", ""))
                continue
            median, aim = statistics.median(values), aims.get(who)
            ratio = mine / median if mine and number else None
            judged = median if aim and aim.unit else ratio
            self.lines.append(
                (
                    head,
                    who,
                    UNITS[unit] % median,
                    _spread(values, UNITS[unit].split()[0]),
                    "%.3g" % ratio if ratio else "",
                    aim.text(judged) if aim and judged and self.aimed else "",
                )
            )

    def skip(self, what, why):
        """Say what could not be measured here."""
        self.lines.append((what, "skipped: " + why, "", "", "", ""))

    def aligned(self):
        """Return the table as aligned text."""
        rows = [HEADS, *self.lines]
        wide = [max(len(row[col]) for row in rows) for col in range(len(HEADS))]
        return "\n".join(_aligned_line(row, wide) for row in rows)

    def markdown(self):
        """Return the table in Markdown."""
        marks = ("---", "---", "--:", "--:", "--:", "---")
        return "\n".join("| %s |" % " | ".join(row) for row in (HEADS, marks, *self.lines))


def _spread(values, form):
    return "%s .. %s" % (form % min(values), form % max(values)) if len(values) > 1 else "once"


def _aligned_line(row, wide):
    cells = [
        cell.rjust(wide[col]) if 2 <= col <= 4 else cell.ljust(wide[col])
        for col, cell in enumerate(row)
    ]
    return "  ".join(cells).rstrip()
