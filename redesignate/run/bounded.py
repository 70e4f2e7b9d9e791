# SPDX-License-Identifier: Apache-2.0
"""What is ours in gunicorn: its worker with a bound on how long a client may keep a thread, and its log in our form.

gunicorn itself waits for the rest of a request, and for a client to take its answer, as long as the connection lives:
as many half-sent requests as there are threads would stop the API, before anybody is asked for a token.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

HEALTH = (b"GET /healthcheck", b"HEAD /healthcheck")
"""How requests begin that have threads of their own: whatever else hangs, they are answered."""


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Threads whose connections are cut by the main loop, which comes by about once a second."""

    arrival_s = 60.0
    """Seconds from a request's first octet until it must be here whole; twice that until its answer must be taken."""

    def init_process(self) -> None:
        """Before anything is served. Does not return before the worker stops."""
        self._held: dict[Any, float] = {}
        self._express = ThreadPoolExecutor(4, "health")
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Take a connection, which gets a thread when its request begins to arrive."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: Any) -> None:
        """Have a request worked on in a thread."""
        pool = self._express if _asks_for_health(conn.sock) else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

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


def _asks_for_health(connection: Any) -> bool:
    """Whether what has arrived begins as a health check does. Not over TLS, where nobody has read it yet."""
    try:
        return bool(connection.recv(20, socket.MSG_PEEK | socket.MSG_DONTWAIT).startswith(HEALTH))
    except (OSError, ValueError):  # nothing there yet, or TLS, whose sockets take no flags
        return False
