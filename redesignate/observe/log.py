# SPDX-License-Identifier: Apache-2.0
"""Logs as events: a fixed lower-case message and fields, `log.info("zone confirmed", zone=zone.id, serial=5)`.

The fields of `bound(request_id=…)` are added to every event inside it. `observe/setup.py` formats events.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_AROUND: ContextVar[Mapping[str, object]] = ContextVar("redesignate.log.fields", default={})  # noqa: B039  # never changed
_CALLER = 3
"""The stack level of the caller of `info()`, so that file and line are its own."""


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Fields for every event inside, in this thread or task: `with bound(request_id=…, zone=…):`."""
    token = _AROUND.set({**_AROUND.get(), **fields})
    try:
        yield
    finally:
        _AROUND.reset(token)


def around() -> Mapping[str, object]:
    """The fields that `bound` put around this point."""
    return _AROUND.get()


class EventLog:
    """One module's log. Fields become `key=value` in text and members in JSON."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """Log for developers."""
        self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log for operators."""
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a problem that does not stop the work."""
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a failure that an operator should look into."""
        self._emit(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log as `error`, with the traceback of the exception being handled."""
        self._emit(logging.ERROR, event, fields, exc_info=True)

    def _emit(self, level: int, event: str, fields: dict[str, object], *, exc_info: bool = False) -> None:
        if self._log.isEnabledFor(level):
            extra = {"fields": {**_AROUND.get(), **fields}}
            self._log.log(level, "%s", event, exc_info=exc_info, extra=extra, stacklevel=_CALLER)


class Seldom:
    """Limits the log of an event that anybody can cause without limit: once a pause, the others are counted.

    Safe from any thread. `pause_s` in seconds.
    """

    def __init__(self, pause_s: float = 1.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pause = pause_s
        self._clock = clock
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._suppressed = 0

    def turn(self) -> dict[str, int] | None:
        """None: only count this one. Else log it, with these fields: the number not logged since the last one."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                self._suppressed += 1
                return None
            self._next, suppressed = now + self._pause, self._suppressed
            self._suppressed = 0
        return {"suppressed": suppressed} if suppressed else {}


def events(name: str) -> EventLog:
    """The log of one module: `log = events(__name__)`."""
    return EventLog(name)
