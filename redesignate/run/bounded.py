# SPDX-License-Identifier: Apache-2.0
"""What is ours in gunicorn: its worker with a bound on how long a client may keep a thread, and its log in our form.

gunicorn itself waits for the rest of a request, and for a client to take its answer, as long as the connection lives:
as many half-sent requests as there are threads would stop the API, before anybody is asked for a token.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Threads whose connections are cut by the main loop, which comes by about once a second."""

    arrival_s = 60.0
    """Seconds from a request's first octet until it must be here whole; twice that until its answer must be taken."""

    def init_process(self) -> None:
        """Before anything is served. Does not return before the worker stops."""
        self._held: dict[Any, float] = {}
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """One request, in a thread."""
        self._held[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._held.pop(conn, None)

    def notify(self) -> None:
        """The main loop's sign of life."""
        super().notify()
        now = time.monotonic()
        for conn, since in self._held.copy().items():
            if now - since < self.arrival_s:
                continue
            late = now - since >= 2 * self.arrival_s
            with contextlib.suppress(OSError):  # it has gone by itself
                # a request that is here is still answered: only reading ends
                conn.sock.shutdown(socket.SHUT_RDWR if late else socket.SHUT_RD)


class SameLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's lines go where ours go, in the same form."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and levels to the root logger."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
