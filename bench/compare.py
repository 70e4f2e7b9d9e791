# SPDX-License-Identifier: Apache-2.0
"""Two sets of figures side by side: two files that `--json` wrote, or ours beside another deployment's.

    python -m bench compare BEFORE.json AFTER.json

A figure is better or worse beyond noise where its runs do not overlap with the other's and the medians differ by more
than a tenth; of a single run, by more than a quarter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from bench.figures import Figure, aligned, from_json, number

BEYOND, BEYOND_OF_ONE = 1.10, 1.25


class Verdict(Enum):
    """What became of a figure."""

    BETTER = "better"
    WORSE = "**worse**"
    SAME = ""


def verdict(before: Figure, after: Figure) -> Verdict:
    """Whether a figure moved beyond noise, and in which direction."""
    low, high = sorted((before.value, after.value))
    single = min(len(before.runs), len(after.runs)) < 2
    if low <= 0 or high / low <= (BEYOND_OF_ONE if single else BEYOND):
        return Verdict.SAME
    if not single and min(max(before.runs), max(after.runs)) >= max(min(before.runs), min(after.runs)):
        return Verdict.SAME
    return Verdict.BETTER if (after.value > before.value) == after.least else Verdict.WORSE


def of_files(before: Path, after: Path) -> str:
    """The comparison of two files, and what they are of. Raises OSError, ValueError."""
    first, second = from_json(before), from_json(after)
    heads = [
        f"{name}: {head['commit'] or file.name}, {head['at']}, {head['machine']}"
        for name, file, (head, _) in (("before", before, first), ("after", after, second))
    ]
    return "\n".join(heads) + "\n\n" + table(first[1], second[1])


def table(before: Sequence[Figure], after: Sequence[Figure]) -> str:
    """Every figure that either has: both values, after ÷ before, the verdict, and what others took meanwhile."""
    rows = [("group", "figure", "before", "after", "ratio", "", "others")]
    olds = {(one.group, one.what): one for one in before}
    for new in after:
        old = olds.pop((new.group, new.what), None)
        if old is None:
            rows.append((new.group, new.what, "", _value(new), "", "new", _others(new)))
            continue
        ratio = f"{new.value / old.value:.2f}" if old.value else ""
        others = " ".join(filter(None, (_others(old), _others(new))))
        rows.append((new.group, new.what, _value(old), _value(new), ratio, verdict(old, new).value, others))
    rows += [(old.group, old.what, _value(old), "", "", "gone", _others(old)) for old in olds.values()]
    return aligned(rows)


def beside(ours: Sequence[Figure], theirs: Sequence[Figure]) -> str:
    """Our figures beside those of another deployment, and how many times as good they are; then processor time."""
    rows = [("group", "figure", "Redesignate", "the other", "times as good", "goal", "", "others")]
    spent = [("group", "processor time of one, ms", "Redesignate", "the other", "times as good", "others")]
    for one, two in _pairs(ours, theirs):
        times, others = _times(one, two), " ".join(filter(None, (_others(one), _others(two))))
        goal = f"≥ {number(one.times)}" if one.times else ""
        mark = ("✓" if times >= one.times else "✗") if one.times else ""
        rows.append((one.group, one.what, _value(one), _value(two), number(times), goal, mark, others))
        if one.cpu and two.cpu:
            mine, other = sum(one.cpu.values()), sum(two.cpu.values())
            ratio = number(other / mine) if mine else ""
            spent.append((one.group, one.what, f"{mine:.2f}", f"{other:.2f}", ratio, others))
    return f"{aligned(rows)}\n\n{aligned(spent)}" if len(spent) > 1 else aligned(rows)


def _pairs(ours: Sequence[Figure], theirs: Sequence[Figure]) -> Iterator[tuple[Figure, Figure]]:
    """The figures that both have."""
    other = {one.what: one for one in theirs}
    return ((one, other[one.what]) for one in ours if one.what in other)


def missed(ours: Sequence[Figure], theirs: Sequence[Figure]) -> Iterator[Figure]:
    """Our figures that are not as many times as good as their goal says."""
    return (one for one, two in _pairs(ours, theirs) if one.times and _times(one, two) < one.times)


def _times(ours: Figure, theirs: Figure) -> float:
    above, below = (ours.value, theirs.value) if ours.least else (theirs.value, ours.value)
    return above / below if below else float("inf")


def _value(figure: Figure) -> str:
    return f"{number(figure.value)} {figure.unit}".rstrip()


def _others(figure: Figure) -> str:
    return f"{100 * figure.others:.0f} %" if figure.others is not None else ""
