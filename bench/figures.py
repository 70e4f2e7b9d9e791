# SPDX-License-Identifier: Apache-2.0
"""Figures, their goals, and the table."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. `least`: the goal is a lower bound, else an upper one."""

    what: str
    value: float
    unit: str
    goal: float
    least: bool

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.value >= self.goal if self.least else self.value <= self.goal


def at_least(what: str, value: float, unit: str, goal: float) -> Figure:
    """A rate."""
    return Figure(what, value, unit, goal, least=True)


def at_most(what: str, value: float, unit: str, goal: float) -> Figure:
    """A time or a size."""
    return Figure(what, value, unit, goal, least=False)


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


def table(figures: list[Figure]) -> str:
    """A Markdown table, its columns aligned."""
    rows = [("figure", "measured", "goal", "")]
    rows += [
        (
            f.what,
            f"{_number(f.value)} {f.unit}",
            f"{'≥' if f.least else '≤'} {_number(f.goal)} {f.unit}",
            "✓" if f.met else "✗",
        )
        for f in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)
