# SPDX-License-Identifier: Apache-2.0
"""Serial number arithmetic (RFC 1982, SERIAL_BITS = 32)."""

from __future__ import annotations

from collections.abc import Iterable

SPACE = 2**32


def newer(a: int, b: int) -> bool:
    """Whether serial `a` comes after `b`. RFC 1982 §3.2; False where undefined, at a distance of exactly 2**31."""
    return 0 < (a - b) % SPACE < SPACE // 2


def newest(serials: Iterable[int]) -> int:
    """Of serials that lie within half the circle, the one that comes after all others; 0 where there is none."""
    found = 0
    for serial in serials:
        if not found or newer(serial, found):
            found = serial
    return found


def following(old: int, clock: int) -> int:
    """The serial after `old`: the clock (Unix seconds) where that is newer, else one more. Never 0, never backwards.

    0 is skipped on the wrap because old tools read it as "no zone".
    """
    clock %= SPACE
    step = (old + 1) % SPACE
    if newer(clock, step):
        return clock
    return step or 1


def past(ours: int, theirs: int, clock: int) -> int:
    """A serial that comes after `ours` and, where one step can do so, after `theirs`, which comes after `ours`.

    clock   Unix seconds, taken where it comes after both
    One step covers less than half the circle (RFC 1982 §3.1). Where `theirs` is so far ahead that its follower would
    no longer come after `ours`, the step is half of that way, and a second one will do.
    """
    step = following(theirs, clock)
    return step if newer(step, ours) else (ours + SPACE // 4) % SPACE or 1
