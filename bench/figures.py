# SPDX-License-Identifier: Apache-2.0
"""Figures, their goals, the tables, and the JSON that `python -m bench compare` reads."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.meter import Used


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: the median of `runs`.

    least   a larger one is better; the goal, where there is one, is a lower bound
    times   the goal as a multiple of another deployment's figure, where one runs beside it
    others  the share of the machine that other processes took meanwhile
    cpu     milliseconds of processor time an operation, by kind of process; `client`: of the bench
    curve at  the line of a picture to which it belongs, and its place there
    """

    what: str
    value: float
    unit: str
    least: bool
    goal: float | None = None
    times: float | None = None
    group: str = ""
    runs: tuple[float, ...] = ()
    others: float | None = None
    client: float | None = None
    cpu: Mapping[str, float] = field(default_factory=dict)
    curve: str = ""
    at: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is met; so where there is none."""
        if self.goal is None:
            return True
        return self.value >= self.goal if self.least else self.value <= self.goal


def at_least(what: str, value: float, unit: str, goal: float | None = None, **more: Any) -> Figure:
    """A rate."""
    return Figure(what, value, unit, True, goal, **more)


def at_most(what: str, value: float, unit: str, goal: float | None = None, **more: Any) -> Figure:
    """A time or a size."""
    return Figure(what, value, unit, False, goal, **more)


def of_runs(
    what: str, runs: Sequence[float], unit: str, *, least: bool, used: Sequence[Used] = (), **more: Any
) -> Figure:
    """The median of several runs, with what other processes took in the worst of them."""
    others = max((one.others for one in used), default=None)
    return Figure(what, median(runs), unit, least, runs=tuple(runs), others=others, **more)


def with_goals(
    figures: Iterable[Figure], goals: Mapping[str, float], times: Mapping[str, float] | None = None, *, all_of: bool
) -> Iterator[Figure]:
    """The figures with the goals of their names, as they come.

    Raises KeyError at the end for a goal of no figure, if `all_of` them are measured.
    """
    unmet = {*goals, *(times or {})}
    for one in figures:
        unmet.discard(one.what)
        yield replace(one, goal=goals.get(one.what, one.goal), times=(times or {}).get(one.what))
    if unmet and all_of:
        raise KeyError(f"goals of no figure: {sorted(unmet)}")


def machine() -> str:
    """What the figures are of."""
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores of {cpu}, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, load before: {load:.1f}"
    )


def tables(figures: Sequence[Figure]) -> str:
    """A Markdown table of each group, and one of where the processor time went."""
    parts = []
    for group in dict.fromkeys(figure.group for figure in figures):
        of_it = [figure for figure in figures if figure.group == group]
        parts.append(f"### {group}\n\n{_measured(of_it)}")
        if spent := [figure for figure in of_it if figure.cpu]:
            parts.append(f"Processor time of one operation, ms:\n\n{_spent(spent)}")
    return "\n\n".join(parts)


def _measured(figures: Sequence[Figure]) -> str:
    rows = [("figure", "measured", "goal", "", "others")]
    for f in figures:
        goal = f"{'≥' if f.least else '≤'} {number(f.goal)} {f.unit}".rstrip() if f.goal is not None else ""
        mark = ("✓" if f.met else "✗") if goal else ""
        others = f"{100 * f.others:.0f} %" if f.others is not None else ""
        rows.append((f.what, f"{number(f.value)} {f.unit}".rstrip(), goal, mark, others))
    return aligned(rows)


def _spent(figures: Sequence[Figure]) -> str:
    names = list(dict.fromkeys(name for figure in figures for name in figure.cpu))
    rows = [("figure", "all", *names, "bench")]
    for f in figures:
        each = [f"{f.cpu[name]:.2f}" if name in f.cpu else "" for name in names]
        rows.append((f.what, f"{sum(f.cpu.values()):.2f}", *each, f"{f.client:.2f}" if f.client is not None else ""))
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned; the first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def number(value: float) -> str:
    """A value in as many digits as it deserves."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def as_json(figures: Sequence[Figure], of: str) -> str:
    """The figures for a machine to read."""
    head = {"machine": of, "commit": _commit(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    return json.dumps(head | {"figures": [asdict(figure) for figure in figures]}, indent=1) + "\n"


def from_json(file: Path) -> tuple[dict[str, str], list[Figure]]:
    """What `as_json` wrote: the head, and the figures."""
    read = json.loads(file.read_text())
    figures = [Figure(**(one | {"runs": tuple(one["runs"])})) for one in read.pop("figures")]
    return read, figures


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
