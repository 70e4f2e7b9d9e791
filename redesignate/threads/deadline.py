# SPDX-License-Identifier: Apache-2.0
"""The time that a question has left, by a clock that goes on while a process is stopped or its machine is suspended.

A deadline is set where a request arrives (`api/door.py`), kept for the thread that works on it (`asking`), and sent
with the question. Every wait on the way ends at the deadline.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from redesignate.model.errors import Unavailable

Monotonic = Callable[[], float]
"""Returns seconds since some start; they never go backwards."""


uptime: Monotonic = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Returns seconds since the machine's start, including those of a suspension where the system counts them (Linux)."""


class TooLate(Unavailable):
    """The deadline had passed: nothing was carried out, nor will it be."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of this machine's `uptime`; it is meaningless on another machine. `clock` is an argument for tests."""

    at: float
    clock: Monotonic = uptime

    @classmethod
    def after(cls, seconds: float, clock: Monotonic = uptime) -> Deadline:
        """Make a deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Return the seconds until the deadline; 0 once it has passed."""
        return max(0.0, self.at - self.clock())

    def over(self) -> bool:
        """Whether it has passed."""
        return self.clock() >= self.at

    def check(self) -> None:
        """Raise TooLate once it has passed, so that the caller goes no further."""
        if self.over():
            raise TooLate("The request waited too long and was not carried out; retry.")

    def earlier(self, other: Deadline | None) -> Deadline:
        """Return the earlier of the two."""
        return self if other is None or self.at <= other.at else other


class _Asking(threading.local):
    """The deadline of this thread's work: `at`, on the clock of `uptime`; infinite where none is set."""

    at: float = math.inf


ASKING = _Asking()


@contextmanager
def asking(deadline: Deadline) -> Iterator[None]:
    """Set this thread's deadline inside the block; an earlier deadline that is set already stays."""
    before = ASKING.at
    ASKING.at = min(before, deadline.at)
    try:
        yield
    finally:
        ASKING.at = before


def current() -> Deadline | None:
    """Return the deadline of this thread's work; None where none is set."""
    return None if ASKING.at == math.inf else Deadline(ASKING.at)
