# SPDX-License-Identifier: Apache-2.0
"""The time that a question has left, by a clock that goes on while a process is stopped or its machine is suspended.

A deadline is set where a request comes in (`api/door.py`), kept for the thread that works on it (`asking`), and
travels with the question. What waits for anything waits at most until then.
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
"""Seconds since some start, never backwards."""


uptime: Monotonic = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds since the machine's start, those of a suspension too where the system counts them (Linux)."""


class TooLate(Unavailable):
    """The deadline had passed: nothing was carried out, nor will it be."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of this machine's `uptime`; it means nothing to another machine. `clock` is an argument for tests."""

    at: float
    clock: Monotonic = uptime

    @classmethod
    def after(cls, seconds: float, clock: Monotonic = uptime) -> Deadline:
        """So many seconds from now."""
        return cls(clock() + seconds, clock)

    def left(self) -> float:
        """Seconds until then; 0 once it is over."""
        return max(0.0, self.at - self.clock())

    def over(self) -> bool:
        """Whether it has passed."""
        return self.clock() >= self.at

    def check(self) -> None:
        """Raise TooLate once it has passed: what comes after this is not done."""
        if self.over():
            raise TooLate("The request waited too long and was not carried out; retry.")

    def earlier(self, other: Deadline | None) -> Deadline:
        """Whichever comes first."""
        return self if other is None or self.at <= other.at else other


class _Asking(threading.local):
    """What this thread works on: `at`, its deadline on the clock of `uptime`; infinite where nobody set one."""

    at: float = math.inf


ASKING = _Asking()


@contextmanager
def asking(deadline: Deadline) -> Iterator[None]:
    """What this thread asks inside has until then; an earlier deadline that holds already stays."""
    before = ASKING.at
    ASKING.at = min(before, deadline.at)
    try:
        yield
    finally:
        ASKING.at = before


def current() -> Deadline | None:
    """The deadline of what this thread works on; None: nobody set one."""
    return None if ASKING.at == math.inf else Deadline(ASKING.at)
