# SPDX-License-Identifier: Apache-2.0
"""What the parts that are not ours cost alone on this machine: no figure of ours can be better than theirs.

Each does what it does for us, with messages, statements and records of the same size, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.floors import bind, broker, database, http
from bench.options import Options

PARTS = (http.figures, broker.figures, database.figures, bind.figures)


def figures(folder: Path, options: Options) -> Iterator[Figure]:
    """What `python -m bench floors` prints."""
    for part in PARTS:
        yield from part(folder, options.seconds / 2)
