#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# table.py DIR [KERNEL...]: the raw figures of a `make bench` beside limits, best peers and goals (goals.tsv). Nothing is judged by the exit code:
# a goal that is missed is marked, a figure that was not measured is a dash.
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CACHED_GOAL = 1000      # an in-sandbox open whose verdict is cached, above bare
RESOLVED = 100          # what a peer adds and is less than this is noise: nothing is a multiple of it
COLUMNS = [("", 46), ("before", 14), ("with", 14), ("added", 14), ("peer, here", 14), ("x peer", 7), ("limit", 31), ("best peer", 26),
           ("goal", 16), ("", 6)]


def read_figures(path):
    figures = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                m = re.fullmatch(r"(\S+) (\S+) (\d+)", line.strip())
                if m:
                    figures[m[1], m[2]] = int(m[3])
    return figures


def read_rows():
    with open(os.path.join(HERE, "goals.tsv"), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f if line.strip() and not line.startswith("# ")]


def of_kernel(text, old):
    return text.split(" / ")[-1 if old else 0]


def quantity(v, signed=False):
    if v is None:
        return "-"
    if abs(v) >= 10_000_000:
        return f"{v / 1e6:{'+' if signed else ''},.1f} M"
    return f"{v:{'+' if signed else ''},}"


class Row:
    """One line of the table: what was measured, and whether that is within its goal."""

    def __init__(self, cells, figures, old):
        self.label, name, variant, base, peer, limit, best, goal, _ = cells
        self.limit, self.best, self.goal = (of_kernel(t, old) for t in (limit, best, goal))
        self.value = figures.get((name, variant))
        self.before = figures.get((name, base))
        self.whole = base == "-"
        self.percent = name.startswith("macro-")
        self.added = self.over(self.value)
        self.peer = self.over(figures.get((name, peer)))
        self.bound, self.missed = self.judge(figures)

    def over(self, value):
        if value is None or self.whole:
            return value
        return None if self.before is None else value - self.before

    def judge(self, figures):
        """The goal in words, and whether it is missed (None: there is none, or nothing to hold against it)."""
        m = re.match(r"(<=|<|>=)([\d.]+)(x|%|\+walk| sha-ni >=)?([\d.]*)", self.goal)
        if not m:
            return self.goal, None
        sign, bound, kind = m[1], float(m[2]), m[3]
        value = self.added
        if kind == "x":
            text, bound = f"{self.goal} peer", None if self.peer is None else bound * self.peer
        elif kind == "%":
            text, value = self.goal, None if value is None else 100 * value / self.before
        else:
            if kind == " sha-ni >=" and not figures.get(("sha-ni", "native")):
                bound = float(m[4])
            if kind == "+walk":
                bound += walk(figures)
            text = f"{sign}{quantity(int(bound))}"
        if value is None or bound is None:
            return text, None
        return text, not {"<=": value <= bound, "<": value < bound, ">=": value >= bound}[sign]

    def share(self, value):
        return "-" if value is None else f"{100 * value / self.before:+.2f} %"

    def cells(self):
        show = self.share if self.percent else lambda v: quantity(v, signed=not self.whole)
        compared = self.peer is not None and (self.whole or self.peer > RESOLVED) and self.added is not None
        return [self.label, quantity(self.before), quantity(self.value), "" if self.whole else show(self.added), show(self.peer),
                f"{self.added / self.peer:.2f}" if compared else "", self.limit, self.best, self.bound,
                {None: "", False: "met", True: "MISSED"}[self.missed]]


def walk(figures):
    """What an open in a sandbox costs above the goal of a cached verdict."""
    pair = figures.get(("open4", "governed")), figures.get(("open4", "bare"))
    return max(0, pair[0] - pair[1] - CACHED_GOAL) if None not in pair else 0


def print_line(cells):
    print("  ".join(c.ljust(w) if i == 0 or 5 < i else c.rjust(w) for i, (c, (_, w)) in enumerate(zip(cells, COLUMNS))).rstrip())


def print_section(title, rows):
    if any(r.value is not None for r in rows):
        print(f"\n{title}")
        print_line([name for name, _ in COLUMNS])
        for row in rows:
            print_line(row.cells())


def print_table(title, figures, sections, old):
    print(f"\n==== {title} ====")
    for name, rows in sections:
        print_section(name, [Row(cells, figures, old) for cells in rows])


def main(raw, kernels):
    sections = []
    for cells in read_rows():
        if len(cells) == 1:
            sections.append((cells[0].lstrip("# "), []))
        else:
            sections[-1][1].append(cells)
    for kernel in kernels:
        figures = {}
        for part in ("ops", "start", "macro"):
            figures.update(read_figures(os.path.join(raw, kernel, part)))
        print_table(f"kernel {kernel}, guest instructions", figures, sections, kernel == "6.1")
    native = {**read_figures(os.path.join(raw, "native")), **read_figures(os.path.join(raw, "policy"))}
    print_table("natively", native, sections, False)


main(sys.argv[1], sys.argv[2:])
