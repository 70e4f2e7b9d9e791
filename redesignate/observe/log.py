# SPDX-License-Identifier: Apache-2.0
"""Logs as events: a fixed lower-case message and fields, `log.info("zone confirmed", zone=zone.id, serial=5)`.

The fields of `bound(request_id=…)` are added to every event inside it. `observe/setup.py` says where events go. Where
that is a stream in our own format, an event is written past `logging`, whose record costs more than all the rest.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

_AROUND: ContextVar[Mapping[str, object]] = ContextVar("redesignate.log.fields", default={})  # noqa: B039  # never changed
_CALLER = 3
"""The stack level of the caller of `info()`, so that file and line are its own."""
_ROOT = logging.getLogger()


BLOT = "***"
_SECRET_NAME = re.compile(r"secret|passw|token|credential|authorization|private", re.IGNORECASE)
_LOGIN = re.compile(r"://[^\s/\"'<>]*@")
_SAID = re.compile(r"(?i)\b(password|passwd|secret|x-auth-token|api[_-]?key)(['\"]?\s*[:=]\s*['\"]?)[^\s'\",;)}\]]+")
_PLAIN = re.compile(r"[\w.:/@+*%,\[\]()<>!?;&~|^#$-]+")

_COLOURS = {
    logging.DEBUG: "\x1b[2m",
    logging.INFO: "\x1b[32m",
    logging.WARNING: "\x1b[33m",
    logging.ERROR: "\x1b[31m",
    logging.CRITICAL: "\x1b[1;31m",
}
_DIM, _PLAIN_AGAIN = "\x1b[2m", "\x1b[0m"


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
        self.at(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log for operators."""
        self.at(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log a problem that does not stop the work."""
        self.at(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Log a failure that an operator should look into."""
        self.at(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Log as `error`, with the traceback of the exception being handled."""
        self.at(logging.ERROR, event, fields, exc_info=True)

    def at(self, level: int, event: str, fields: dict[str, object], *, exc_info: bool = False) -> None:
        """Log at a level."""
        if not self._log.isEnabledFor(level):
            return
        outer, handlers = _AROUND.get(), _ROOT.handlers
        shown = {**outer, **fields} if outer else fields
        if len(handlers) == 1 and isinstance(handlers[0], Lines) and not exc_info:
            handlers[0].event(level, event, shown)
        else:
            self._log.log(level, "%s", event, exc_info=exc_info, extra={"fields": shown}, stacklevel=_CALLER)


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


# -- events as lines of text, with secrets masked


def without_logins(text: str) -> str:
    """The text with user and password of every URL in it masked: "rabbit://***@broker:5672/"."""
    return _LOGIN.sub(f"://{BLOT}@", text) if "://" in text else text


def without_secrets(text: str) -> str:
    """As `without_logins`, with values named as a password or a key masked too."""
    if ":" not in text and "=" not in text:  # most texts have no values
        return text
    return _SAID.sub(rf"\1\2{BLOT}", without_logins(text))


def safe_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields as text, numbers, booleans and lists of these; secrets masked by their names and their form."""
    return {name: BLOT if _is_secret(name) else _safe(value) for name, value in fields.items()}


@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _safe(value: object) -> object:
    if isinstance(value, str):
        return without_secrets(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(one) for one in value]
    if isinstance(value, Mapping):
        return safe_fields({str(name): one for name, one in value.items()})
    return without_secrets(str(value))


def rendered(fields: Mapping[str, object]) -> str:
    """`key=value key="two words"`, on one line whatever the values contain; secrets masked as by `safe_fields`."""
    parts = []
    for name, value in fields.items():
        if _is_secret(name):
            text = BLOT
        elif type(value) is str and ":" not in value and "=" not in value:  # nearly always: it can hold no secret
            text = value if _PLAIN.fullmatch(value) else _quoted(value)
        elif type(value) is int:
            text = str(value)
        else:
            text = _value(_safe(value))
        parts.append(f"{name}={text}")
    return " ".join(parts)


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ",".join(_value(one) for one in value) or "-"
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """In double quotes, with every character escaped that could end the line or control a terminal."""
    return json.dumps(text, ensure_ascii=not text.isprintable()).replace("\x7f", "\\u007f")


class TextFormatter(logging.Formatter):
    """Lines for people: "2026-11-21 12:03:04.512 info    api[4711] zone confirmed zone=… serial=5".

    Time is local. Libraries' lines have the same form, with the library's name before their text.

    date   strftime format of the time, to the second; milliseconds follow it
    """

    def __init__(self, *, colour: bool, service: str = "", date: str | None = None) -> None:
        super().__init__()
        self._colour, self._service, self._date = colour, service, date or "%Y-%m-%d %H:%M:%S"
        self._second, self._text = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it if there is one."""
        message = record.getMessage()
        if not record.name.startswith("redesignate"):  # our events are constants
            message = f"{record.name}: {without_secrets(message)}"
        line = self.line(record.created, record.levelno, record.process, message, getattr(record, "fields", {}))
        return line + self._trace(record) if record.exc_info or record.stack_info else line

    def line(self, at: float, levelno: int, process: int | None, message: str, fields: Mapping[str, object]) -> str:
        """One line. `at`: seconds since the epoch."""
        second = int(at)
        if second != self._second:  # strftime costs as much as all the rest
            self._second, self._text = second, time.strftime(self._date, time.localtime(at))
        clock, shown = f"{self._text}.{int((at - second) * 1000):03d}", rendered(fields)
        source, level = f"{self._service}[{process}]", f"{logging.getLevelName(levelno).lower():<7}"
        if self._colour:
            level = f"{_COLOURS.get(levelno, '')}{level}{_PLAIN_AGAIN}"
            clock, source = f"{_DIM}{clock}{_PLAIN_AGAIN}", f"{_DIM}{source}{_PLAIN_AGAIN}"
            shown = f"{_DIM}{shown}{_PLAIN_AGAIN}" if shown else ""
        return f"{clock} {level} {source} {message} {shown}" if shown else f"{clock} {level} {source} {message}"

    def _trace(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info:
            parts.append(self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "".join("\n" + without_secrets(part) for part in parts)


class Lines(logging.StreamHandler[TextIO]):
    """The lines of a stream, each one write: of our events, as they happen, and of the records of libraries."""

    def __init__(self, stream: TextIO, lines: TextFormatter) -> None:
        super().__init__(stream)
        self.setFormatter(lines)
        self._lines = lines

    def event(self, level: int, event: str, fields: Mapping[str, object]) -> None:
        """Write one event. Never raises: as with all of `logging`, a log that cannot be written stops nothing."""
        self.acquire()
        try:
            self.stream.write(self._lines.line(time.time(), level, os.getpid(), event, fields) + "\n")
            self.stream.flush()
        except Exception:  # noqa: BLE001  # `handleError` says it, and goes on, as for the records of libraries
            self.handleError(logging.LogRecord(__name__, level, __file__, 0, event, None, None))
        finally:
            self.release()
