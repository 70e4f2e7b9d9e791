# SPDX-License-Identifier: Apache-2.0
"""Shows progress of long work: a line that is rewritten on a terminal, an event every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TextIO, TypeVar

from redesignate.observe.log import EventLog, events
from redesignate.observe.setup import coloured

T = TypeVar("T")
_WIDTH = 24


class Progress:
    """`with Progress("import", total=n) as step: … step(10)`: count, rate and remaining time.

    total        None if it is unknown
    paint_every  seconds between paintings on a terminal
    tell_every   seconds between events elsewhere; shorter work logs nothing
    """

    def __init__(
        self,
        what: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        paint_every: float = 0.1,
        tell_every: float = 5.0,
        log: EventLog | None = None,
    ) -> None:
        self._what, self._total, self._clock = what, total, clock
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._every = paint_every if self._terminal else tell_every
        self._log = log or events(__name__)
        self._begun = self._last = clock()
        self._painted = False
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __call__(self, more: int = 1) -> None:
        """Count so many more as done."""
        self.count += more
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            self._show(now)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The items, each counted when it is done."""
        for item in items:
            yield item
            self()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the line as it last was, so that later output begins on a new one."""
        if self._painted:
            self._show(self._clock())
            self._stream.write("\n")
            self._stream.flush()

    def _show(self, now: float) -> None:
        seconds = max(now - self._begun, 1e-9)
        rate = self.count / seconds
        left = None if self._total is None or rate == 0 else max(self._total - self.count, 0) / rate
        if self._terminal:
            self._stream.write("\r\x1b[K" + self._line(rate, left))
            self._stream.flush()
            self._painted = True
        else:
            self._log.info(
                "in progress",
                what=self._what,
                done=self.count,
                total=self._total,
                per_second=round(rate, 1),
                seconds_left=None if left is None else round(left),
            )

    def _line(self, rate: float, left: float | None) -> str:
        if self._total is None:
            return f"{self._what}: {self.count:,} ({rate:,.0f}/s)"
        full = min(_WIDTH * self.count // max(self._total, 1), _WIDTH)
        bar = "█" * full + "░" * (_WIDTH - full)
        if coloured(self._stream):
            bar = f"\x1b[32m{bar}\x1b[0m"
        wait = "" if left is None else f", {_span(left)} left"
        return f"{self._what}: {bar} {self.count:,}/{self._total:,} ({rate:,.0f}/s{wait})"


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
