# SPDX-License-Identifier: Apache-2.0
"""Serial number arithmetic (RFC 1982, SERIAL_BITS = 32)."""

from __future__ import annotations

from collections.abc import Iterable

SPACE = 2**32


def newer(a: int, b: int) -> bool:
    """Whether serial `a` comes after `b`. RFC 1982 §3.2; False where undefined, at a distance of exactly 2**31."""
    return 0 < (a - b) % SPACE < SPACE // 2


def newest(serials: Iterable[int]) -> int:
    """Return the one of these serials that comes after all others; 0 where there are none.

    All must lie within half of the number space (RFC 1982 §3.2).
    """
    found = 0
    for serial in serials:
        if not found or newer(serial, found):
            found = serial
    return found


def following(old: int, clock: int) -> int:
    """Return the serial after `old`: the clock (Unix seconds) where that is newer, else `old` plus one; never 0.

    The result always comes after `old`. 0 is skipped when the serial wraps, because old tools read it as "no zone".
    """
    clock %= SPACE
    step = (old + 1) % SPACE
    if newer(clock, step):
        return clock
    return step or 1


def past(ours: int, theirs: int, clock: int) -> int:
    """Return a serial that comes after `ours` and, where one step can do so, after `theirs`, which comes after `ours`.

    clock   Unix seconds, taken where it comes after both
    One step covers less than half of the number space (RFC 1982 §3.1). Where `theirs` is so far ahead that its
    successor would no longer come after `ours`, the step is half of that, and a second step reaches it.
    """
    step = following(theirs, clock)
    return step if newer(step, ours) else (ours + SPACE // 4) % SPACE or 1
