# SPDX-License-Identifier: Apache-2.0
"""Logs as events: a fixed lower-case message and fields, `log.info("zone confirmed", zone=zone.id, serial=5)`."""

from __future__ import annotations

import logging


class EventLog:
    """One module's log. Fields become `key=value` in text and members in JSON."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """For a developer who looks for something."""
        self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """What an operator would want to read later."""
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something is off; we go on."""
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something failed and a person should look."""
        self._emit(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """As error, with the traceback of the exception being handled."""
        self._emit(logging.ERROR, event, fields, exc_info=True)

    def _emit(self, level: int, event: str, fields: dict[str, object], *, exc_info: bool = False) -> None:
        if self._log.isEnabledFor(level):
            self._log.log(level, "%s", event, exc_info=exc_info, extra={"fields": fields})


def events(name: str) -> EventLog:
    """The log of one module: `log = events(__name__)`."""
    return EventLog(name)
