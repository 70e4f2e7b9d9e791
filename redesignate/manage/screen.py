# SPDX-License-Identifier: Apache-2.0
"""Prints a command's output: lines, aligned tables, colours on a terminal only."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Sequence
from typing import TextIO

from redesignate.model.clock import SECOND
from redesignate.observe.setup import coloured

COLOURS = {"green": "\x1b[32m", "yellow": "\x1b[33m", "red": "\x1b[31m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
_END = "\x1b[0m"
_STATES = {
    "green": ("current", "UP", "ACTIVE", "COMPLETE"),
    "yellow": ("behind", "unknown", "PENDING", "WARNING", "STOPPED"),
    "red": ("absent", "DOWN", "ERROR"),
}
_COLOUR_OF = {state: colour for colour, states in _STATES.items() for state in states}


class Screen:
    """One command's output."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = coloured(out)

    def line(self, text: str = "", colour: str | None = None) -> None:
        """One line."""
        print(self._paint(text, colour), file=self._out)

    def text(self, text: str) -> None:
        """Text with its own line ends."""
        self._out.write(text)

    def change(self, text: str) -> None:
        """One line of a difference, coloured by its sign."""
        self.line(f"  {text}", {"+": "green", "-": "red", "~": "yellow"}.get(text[:1]))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]], none: str = "") -> None:
        """Aligned columns; words for a state are coloured. Where there are no rows, prints `none` in their place."""
        if not rows:
            self.line(none)
            return
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(_width(line[n]) for line in [list(heads), *cells]) for n in range(len(heads))]
        self.line("  ".join(_padded(head, width) for head, width in zip(heads, widths, strict=True)).rstrip(), "dim")
        for row in cells:
            shown = (
                self._paint(_padded(cell, width), _COLOUR_OF.get(cell)) for cell, width in zip(row, widths, strict=True)
            )
            self.line("  ".join(shown).rstrip())

    def _paint(self, text: str, colour: str | None) -> str:
        return f"{COLOURS[colour]}{text}{_END}" if colour and self._coloured and text else text


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    return "".join(char if char.isprintable() else " " for char in str(value))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns that a terminal gives the text: two for wide letters, none for marks that combine."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) != 0 for char in text)


def moment(micros: int | None) -> str:
    """A time as "2026-11-21 12:03:04Z"; a dash for none."""
    if micros is None:
        return "-"
    then = datetime.datetime.fromtimestamp(micros // SECOND, tz=datetime.UTC)
    return then.strftime("%Y-%m-%d %H:%M:%SZ")


def span(micros: int) -> str:
    """A length of time in its two largest units: "3 min 20 s", "2 d 5 h"; "now" for none or less."""
    seconds = micros // SECOND
    if seconds <= 0:
        return "now"
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)
