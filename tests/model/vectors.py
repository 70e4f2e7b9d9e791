# SPDX-License-Identifier: Apache-2.0
"""The vectors of each record type, in `rdata/X.txt`.

A block is one line with the text, then one line that begins with a tab: `= hex` the wire form, `= text -> …` where the
text changes, `! reason` a piece of the message that refuses it. Lines that begin with `#` explain. `\\n` and its like
stand in the text as `<LF>`, `<CR>`, `<TAB>`, `<NUL>`, an empty text as `<EMPTY>`, spaces at the ends as `<SP>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "rdata"
_MARKS = {"<LF>": "\n", "<CR>": "\r", "<TAB>": "\t", "<NUL>": "\0", "<EMPTY>": "", "<SP>": " "}


@dataclass(frozen=True)
class Vector:
    """One text and what becomes of it: wire and, where it changes, the text kept; or the reason to refuse it."""

    text: str
    wire: bytes | None = None
    kept: str | None = None
    refused: str | None = None


def vectors(rrtype: str) -> list[Vector]:
    """All vectors of a type."""
    return _read(FOLDER / f"{rrtype}.txt")


def accepted(rrtype: str) -> list[str]:
    """The texts among them that are right."""
    return [vector.text for vector in vectors(rrtype) if vector.refused is None]


def _read(file: Path) -> list[Vector]:
    found = []
    text = ""
    for line in file.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        if not line.startswith("\t"):
            text = line
            for mark, meant in _MARKS.items():
                text = text.replace(mark, meant)
            continue
        sign, _, rest = line[1:].partition(" ")
        if sign == "!":
            found.append(Vector(text, refused=rest))
        else:
            wire, _, kept = rest.partition(" -> ")
            found.append(Vector(text, wire=bytes.fromhex(wire), kept=kept or None))
    return found
