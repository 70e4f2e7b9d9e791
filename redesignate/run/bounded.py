# SPDX-License-Identifier: Apache-2.0
"""Adapts gunicorn: a worker that bounds how long a client may hold a thread, and a log in our format.

gunicorn itself waits for the rest of a request, and for a client to read its answer, as long as the connection exists:
as many half-sent requests as there are threads would stop the API, before any token is checked.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
HEALTH = (b"GET /healthcheck", b"HEAD /healthcheck")
"""The first octets of requests that have threads of their own: they are answered even if all others hang."""


class BoundedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Threads whose connections are closed by the main loop, which checks about once a second."""

    arrival_s = 60.0
    """Seconds from a request's first octet until it must be complete; twice that until its answer must be read."""

    def init_process(self) -> None:
        """Start the worker, before any request is served. Does not return before the worker stops."""
        self._held: dict[Any, float] = {}
        self._express = ThreadPoolExecutor(4, "health")
        super().init_process()

    def init_signals(self) -> None:
        """Take signals as a worker does, those too that were held back since before the fork (`hold_stops`)."""
        super().init_signals()
        release_stops()

    def accept(self, listener: Any) -> None:
        """Accept a connection, which gets a thread when its request begins to arrive."""
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
        """Have a thread handle a request."""
        pool = self._express if _asks_for_health(conn.sock) else self.tpool
        done = pool.submit(self.handle, conn)
        done.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def handle(self, conn: Any) -> Any:
        """Handle one request, in a thread."""
        self._held[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._held.pop(conn, None)

    def notify(self) -> None:
        """The main loop's heartbeat."""
        super().notify()
        now = time.monotonic()
        for conn, since in self._held.copy().items():
            if now - since < self.arrival_s:
                continue
            late = now - since >= 2 * self.arrival_s
            with contextlib.suppress(OSError):  # the client has closed it
                # a request that has arrived is still answered: only reading ends
                conn.sock.shutdown(socket.SHUT_RDWR if late else socket.SHUT_RD)


def hold_stops() -> None:
    """Hold back the signals to stop, before a fork.

    A worker that still had the parent's handlers would take one for the parent's and go on: gunicorn sends it once.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)


def release_stops() -> None:
    """Deliver the signals that were held back: in the parent right after the fork, in a worker once it handles them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


class SameLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Writes gunicorn's lines to our log, in the same format."""

    def setup(self, cfg: Any) -> None:
        """Leave handlers and levels to the root logger."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True


def _asks_for_health(connection: Any) -> bool:
    """Whether the octets that have arrived begin a health check. Not over TLS, where they are not decrypted yet."""
    try:
        return bool(connection.recv(20, socket.MSG_PEEK | socket.MSG_DONTWAIT).startswith(HEALTH))
    except (OSError, ValueError):  # nothing has arrived yet, or TLS, whose sockets do not accept flags
        return False
