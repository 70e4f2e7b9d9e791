# SPDX-License-Identifier: Apache-2.0
"""Pictures of figures that --json wrote: growth in processor time, a file a database, and latency by load.

python -m bench pictures FIGURES.json … FOLDER
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.chart import Panel, Point, draw
from bench.figures import Figure, from_json

TITLES = {
    "sqlite": "SQLite",
    "mariadb": "MariaDB",
    "postgresql": "PostgreSQL",
    "embedded": "Embedded",
    "split": "Split",
}
BY_KIND = ((" by zones", "zones beside"), (" by record sets in the zone", "record sets in the zone"))


def write(files: Sequence[Path], folder: Path) -> list[Path]:
    """Draw what there are figures for; the files that were written. Raises OSError, ValueError."""
    figures = [figure for file in files for figure in from_json(file)[1]]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in _pictures(figures):
        written.append(folder / name)
        written[-1].write_text(text)
    return written


def _pictures(figures: Sequence[Figure]) -> Iterator[tuple[str, str]]:
    grown = [
        replace(one, value=sum(one.cpu.values()))  # by the clock a busy machine would be seen, not growth
        for one in figures
        if one.group == "growth" and one.cpu and one.at is not None
    ]
    for database in dict.fromkeys(one.curve.split(":")[0] for one in grown):
        panels = []
        for ending, words in BY_KIND:
            mine = [one for one in grown if one.curve.startswith(f"{database}:") and one.curve.endswith(ending)]
            if mine:
                curves = _curves((one.curve[len(database) + 2 :].removesuffix(ending), one) for one in mine)
                panels.append(
                    Panel(
                        f"{TITLES[database]}: {words}",
                        words,
                        "ms of processor time, all processes",
                        curves,
                        log_across=True,
                    )
                )
        yield f"growth-{database}.svg", draw(f"Growth over {TITLES[database]}", panels)
    panels = []
    for group in ("embedded", "split"):
        mine = [one for one in figures if one.group == group and one.unit == "ms" and one.at is not None]
        if mine:
            across = "load, of the most that 8 connections can change"
            curves = _curves((one.curve, one) for one in mine)
            panels.append(Panel(TITLES[group], across, "milliseconds after the 202", curves, unit_across=" %"))
    if panels:
        yield "latency.svg", draw("Latency by load", panels)


def _curves(named: Iterable[tuple[str, Figure]]) -> dict[str, list[Point]]:
    found: dict[str, list[Point]] = {}
    for name, figure in named:
        assert figure.at is not None
        found.setdefault(name, []).append((figure.at, max(figure.value, 1e-3)))
    return found
