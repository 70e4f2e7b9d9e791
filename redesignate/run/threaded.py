# SPDX-License-Identifier: Apache-2.0
"""The HTTP server of `redesignate serve`: waitress, on threads of the process that holds everything else."""

from __future__ import annotations

import contextlib
import logging
import time
from functools import partial
from typing import Any
from wsgiref.types import WSGIApplication

import waitress
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.server import BaseWSGIServer
from waitress.task import ThreadedTaskDispatcher

from redesignate.api.door import closed
from redesignate.config.settings import ApiSettings
from redesignate.observe.log import events
from redesignate.threads.bulkhead import MINE, Turns
from redesignate.threads.call import OneCall

log = events(__name__)

THREADS = 24
"""Requests that are in hand at a time. One of them runs, as they take turns: the others are there for reads while
changes wait for the database's one writer, and a zone's third of them for changes that share a commit
(`Shares.of_one_writer`)."""
CONNECTIONS = 1000
CROWDED = 3
"""Requests at once that keep Python's one running thread busy."""


class _Dispatcher:
    """What waitress passes requests to: threads that take turns, and one for health checks alone, which are answered
    even if all others hang."""

    def __init__(self, threads: int) -> None:
        self.turns: Turns[HTTPChannel] = Turns()
        self._express = ThreadedTaskDispatcher()
        self._express.set_thread_count(1)
        self._threads = [OneCall(f"http-{n}", self._work).go() for n in range(threads)]

    def add_task(self, task: HTTPChannel) -> None:
        """Queue the request of a connection."""
        # waitress itself notices only if it reads ahead (channel_request_lookahead): then its main loop runs all
        # through every answer, and takes Python's one running thread from it
        task.check_client_disconnected = partial(closed, task.socket)
        requests = getattr(task, "requests", ())
        for request in requests:
            if not hasattr(request, "path"):  # it cannot be parsed: waitress answers with 400, and logs the path
                request.path = ""
        if requests and requests[0].path == "/healthcheck":
            self._express.add_task(task)
        else:
            self.turns.add(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """End the threads, each after its request; cancel those that none has begun. Whether there were any."""
        self._express.shutdown(cancel_pending, timeout)
        left = self.turns.close()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.wait(max(0.0, end - time.monotonic()))
        for task in left if cancel_pending else ():
            task.cancel()
        return bool(left)

    def _work(self) -> None:
        MINE.turns = self.turns
        task = self.turns.next(finished=False)
        while task is not None:
            try:
                task.service()
            except Exception:  # the loop of a service
                log.exception("a request could not be answered")
            task = self.turns.next(finished=True)


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress ships no types
    """A request, of which waitress answers those that it cannot parse with 400, and closes the connection."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the header fields. Raises ParsingError.

        waitress reads past bodies of two lengths, as a proxy before it might do otherwise: what follows such a body may
        have been smuggled (RFC 9112 §6.1). It does not count Host fields either (§3.2).
        """
        try:
            super().parse_header(header_plus)
        except (ParsingError, TransferEncodingNotImplemented):
            self.expect_continue = False  # nothing more is read
            raise
        except ValueError as error:  # urllib's for a URL, int's for a length of thousands of digits
            self.expect_continue = False
            raise ParsingError(str(error)) from None
        headers = self.headers
        host = headers.get("HOST")
        if "TRANSFER_ENCODING" in headers or (self.chunked and "CONTENT_LENGTH" in headers):
            wrong = "Transfer-Encoding is for version 1.1 alone, and is not allowed beside Content-Length"
        elif (host is None and self.version == "1.1") or (host is not None and ", " in host):
            wrong = "Exactly one Host header is required"
        else:
            return
        self.expect_continue, headers["CONNECTION"] = False, "close"
        raise ParsingError(wrong)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection whose thread sends its answer undisturbed.

    waitress's main loop waits until it can send what is left of an answer. While a thread is sending one that is
    always so: the loop would run all through it, and take Python's one running thread from it.

    One address may hold half of all connections; those beyond are closed, so that it shuts out nobody else.
    """

    parser_class = Parser
    _sending = False

    def __init__(self, server: Any, *given: Any, **named: Any) -> None:
        super().__init__(server, *given, **named)
        others = list(server.active_channels.values())
        if sum(one.addr[:1] == self.addr[:1] for one in others) > self.adj.connection_limit // 2:
            self.will_close = True

    def writable(self) -> bool:
        """Whether the main loop is to send."""
        return not self._sending and bool(super().writable())

    def _flush_some(self, do_close: bool = True) -> bool:
        # what it leaves unsent, its caller wakes the loop for (`write_soon`, `service`), after this has returned
        self._sending = True
        try:
            return bool(super()._flush_some(do_close=do_close))
        finally:
            self._sending = False


class Threaded:
    """A WSGI application on threads of this process."""

    def __init__(
        self, app: WSGIApplication, settings: ApiSettings, *, threads: int = THREADS, connections: int = CONNECTIONS
    ) -> None:
        """Bind the addresses; raises OSError if one is in use."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        places = [(f"[{host}]" if ":" in host else host, port) for host, port in settings.listen]
        self._dispatcher = _Dispatcher(threads)
        self._sockets: dict[int, Any] = {}
        self._server = waitress.create_server(
            app,
            map=self._sockets,
            listen=" ".join(f"{host}:{port}" for host, port in places),
            server_name=places[0][0],  # for links, if a client sends no Host
            threads=threads,
            _dispatcher=self._dispatcher,
            backlog=settings.backlog,
            channel_timeout=60,
            connection_limit=connections,
            asyncore_use_poll=True,  # select() fails for good at file 1024
            max_request_body_size=max(settings.max_request_body_size * 2, 2**20),
            max_request_header_size=65536,
            clear_untrusted_proxy_headers=False,
            ident=None,
        )
        for one in self._sockets.values():
            if isinstance(one, BaseWSGIServer):
                one.channel_class = Channel
        self._loop = OneCall("http", self._run)

    def start(self) -> None:
        """Answer requests, on threads."""
        self._loop.go()

    def crowded(self) -> bool:
        """Whether more requests are in hand than Python can work on at once."""
        return self._dispatcher.turns.in_hand > CROWDED

    def stop(self) -> None:
        """Finish the requests in progress and close."""
        self._server.close()
        self._dispatcher.shutdown(cancel_pending=True, timeout=5)
        wasyncore.close_all(self._sockets, ignore_all=True)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # its sockets were closed while it used them: that is how it is stopped
            self._server.run()
