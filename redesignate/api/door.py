# SPDX-License-Identifier: Apache-2.0
"""What stands before the framework: request ids, proxy headers, the size of bodies, CORS, health, the versions page.

Everything below answers through here, so every answer carries the request's id, a keystone 401 as well.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import math
import os
import re
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from redesignate.api import cors, errors, openapi, proxy
from redesignate.api.hosts import NO_LOGIN, is_loopback, only_loopback
from redesignate.api.parked import Parked, Waits
from redesignate.api.request import BODY, PROJECT, REQUEST_ID, WAIT, ZONE_FILE, link_base
from redesignate.api.routes import routes
from redesignate.api.versions import document
from redesignate.api.waiting import ASKED_AGAIN, HEADER, WAITING, WAITS, WANTED, End, Room
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import BadInput, MethodNotAllowed, NotFound, Problem, Unavailable
from redesignate.observe.log import events
from redesignate.threads.deadline import ASKING, Deadline, asking, uptime

log = events(__name__)

CONNECTION = "redesignate.connection"
"""Key of the WSGI environment: the client's socket, from our own server (`run/threaded.py`)."""
SPOOLED = "redesignate.spooled"
"""Key of the WSGI environment: whether our own server has received the body into the file `wsgi.input`, and measured
it."""
PARKS = "redesignate.parks"
"""Key of the WSGI environment: whether our own server has room for one more answer that waits, as a function. It takes
a `Parked` for an answer."""
IMPORTS = "/v2/zones/tasks/imports"
"""The path whose bodies may be large."""
_BEGAN, _HELD = "redesignate.began", "redesignate.held"
"""Keys of the WSGI environment: when the request arrived, and what is kept of an answer that waits."""
Headers = list[tuple[str, str]]
JSON = "application/json"
_LOGGED = 500
"""Characters of what a stranger sends that a line of the log shows."""
_SLASHES = re.compile("(?<=[^/])/{2,}")
"""Empty segments of a path, which v2 leaves out: clients put /zones after an endpoint that ends with a slash."""


class Streamed:
    """An answer whose parts are asked for as the client takes them, each with a deadline of its own.

    Raises BrokenPipeError where a part fails: the connection is to be closed, so that the client sees that the answer
    is not whole.
    """

    def __init__(self, parts: Iterable[bytes], patience_s: float, request_id: str) -> None:
        self._parts, self._patience_s, self._request_id = iter(parts), patience_s, request_id

    def __iter__(self) -> Iterator[bytes]:
        return self

    def close(self) -> None:
        """Ask for no more parts."""
        getattr(self._parts, "close", bool)()

    def __next__(self) -> bytes:
        try:
            with asking(Deadline.after(self._patience_s)):
                return next(self._parts)
        except Problem as problem:
            log.warning("answer broken off", request_id=self._request_id, kind=problem.kind, why=problem.message)
            raise BrokenPipeError(errno.EPIPE, problem.message) from problem


@dataclass(slots=True)
class Answer:
    """One answer on its way out: adds the `common` headers, remembers the status for the log.

    held   the headers of an answer that waits (`waiting.py`)
    """

    environ: WSGIEnvironment
    respond: StartResponse
    common: Headers
    status: int = 0
    held: Headers | None = None

    def start(self, status: str, headers: Headers, exc_info: Any = None, /) -> Any:
        """WSGI's `start_response`, as the application below sees it."""
        self.status = int(status[:3])
        if WAITING in self.environ:
            self.held = headers
            return bool
        return self.respond(status, headers + self.common, exc_info)

    def send(
        self, status: int, content: bytes = b"", kind: str = "text/plain", headers: Headers | None = None
    ) -> list[bytes]:
        """A whole answer. HEAD gets the headers alone."""
        given = [("Content-Type", kind), ("Content-Length", str(len(content))), *(headers or [])]
        phrase = HTTPStatus(status).phrase
        self.start(f"{status} {phrase}", given, sys.exc_info() if sys.exc_info()[0] else None)
        return [] if self.environ["REQUEST_METHOD"] == "HEAD" else [content]

    def fail(self, problem: Problem, **more: str) -> list[bytes]:
        """The answer that v2 publishes for a failure; `more` are headers beside its own."""
        given = list((errors.headers(problem) | more).items())
        return self.send(problem.status, errors.fault(problem, self.environ[REQUEST_ID]), JSON, given)


class Door:
    """The outermost WSGI application. `v2` is the API behind its authentication.

    patience_s   what a request may take; nothing is changed for it any more after that
    """

    def __init__(
        self, settings: ApiSettings, v2: WSGIApplication, *, patience_s: float, waits: Waits | None = None
    ) -> None:
        self._settings, self._v2, self._patience_s, self._waits = settings, v2, patience_s, waits
        self._only_loopback = only_loopback(settings)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or one whose wait has ended. Never raises."""
        began: float = environ.setdefault(_BEGAN, time.perf_counter())
        request_id = environ.setdefault(REQUEST_ID, f"req-{uuid.uuid4()}")
        common = [("X-Openstack-Request-Id", request_id)]
        if self._settings.cors.allowed_origin:
            common += cors.headers(self._settings.cors, environ)
        answer, again = Answer(environ, start_response, common), ASKED_AGAIN in environ
        if WAIT in environ.get("QUERY_STRING", ""):
            self._let_wait(environ)
        found: Iterable[bytes]
        try:
            found = self._asked_again(environ, answer) if again else self._route(environ, answer)
        except Problem as problem:
            found = answer.fail(problem)
        except Exception as error:  # noqa: BLE001  # the last place where it can be logged with its request
            method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
            found = answer.fail(errors.unforeseen(error, request_id, method, path))
        if answer.held is not None:
            return self._park(environ, answer.held)
        # a client that polls for ACTIVE would drown the rest
        level = logging.DEBUG if environ["REQUEST_METHOD"] == "GET" and answer.status < 400 else logging.INFO
        theirs = environ.get("HTTP_X_OPENSTACK_REQUEST_ID")
        more = {"global_request_id": theirs[:_LOGGED]} if theirs else {}
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"][:_LOGGED],
            "status": answer.status,
            "ms": round((time.perf_counter() - began) * 1000),
            "project": environ.get(PROJECT),
            "request_id": request_id,
        }
        log.at(level, "request", fields | more)
        return found

    def _route(self, environ: WSGIEnvironment, answer: Answer) -> Iterable[bytes]:
        if self._settings.enable_proxy_headers_parsing:
            proxy.apply(environ)
        path = environ["PATH_INFO"] = _SLASHES.sub("/", environ.get("PATH_INFO", "")).rstrip("/") or "/"
        if environ["REQUEST_METHOD"] == "OPTIONS":
            return answer.send(200)
        if path == "/healthcheck":
            return self._health(answer)
        host = environ.get("HTTP_HOST")  # none: the request does not come from a browser
        if self._only_loopback and host and not is_loopback(host):
            raise BadInput(NO_LOGIN.format(host[:100]))
        part = path.split("/", 2)[1]
        if path == openapi.PATH or part not in {"v2", "admin"}:
            return self._public(environ, path, answer)
        if not (self._settings.enable_api_v2 if part == "v2" else self._settings.enable_api_admin):
            return answer.send(404)
        try:
            content: bytes | None = environ.get(BODY)  # our own server has read and measured it
            if content is None:
                _receive(environ, self._settings)
            else:
                environ["wsgi.input"] = io.BytesIO(content)
        except _TooLarge:
            return answer.send(413, b"Request is too large.")
        # nobody waits for the answer, and another may have been asked: a process that was stopped finds such requests
        # in its sockets when it goes on. Known of our own servers alone, and not over TLS
        connection = environ.get(CONNECTION) or environ.get("gunicorn.socket")
        if connection is not None and environ["REQUEST_METHOD"] not in ("GET", "HEAD") and closed(connection):
            raise Unavailable("The client closed the connection; nothing was changed.")
        ASKING.at = uptime() + self._patience_s
        try:
            found = self._v2(environ, answer.start)
        finally:
            ASKING.at = math.inf
            environ["wsgi.input"].close()
        return found if isinstance(found, list) else Streamed(found, self._patience_s, environ[REQUEST_ID])

    # -- answers that wait

    def _let_wait(self, environ: WSGIEnvironment) -> None:
        """Let the answer wait if the request asks for it and the server can."""
        waits, parks = self._waits, environ.get(PARKS)
        if waits is not None and parks is not None:
            room: Room = lambda project_id: parks() and waits.room(project_id)  # noqa: E731  # short
            environ[WAITS] = room

    def _park(self, environ: WSGIEnvironment, held: Headers) -> Iterable[bytes]:
        """The answer that is given once its wait has ended."""
        wait, subject = environ[WANTED], environ.pop(WAITING)
        assert self._waits is not None

        def finish(environ: WSGIEnvironment, start: StartResponse, end: End) -> Iterable[bytes]:
            environ[ASKED_AGAIN], environ[_HELD] = end, (held, subject.finish)
            return self(environ, start)

        def forgotten() -> None:
            log.info("a client left that waited", path=environ["PATH_INFO"][:_LOGGED], request_id=environ[REQUEST_ID])

        return Parked(self._waits, wait, subject, environ.get(PROJECT), finish, forgotten)

    def _asked_again(self, environ: WSGIEnvironment, answer: Answer) -> Iterable[bytes]:
        """A GET is carried out again, with all its checks. Of anything else, which was carried out, status and content
        are made anew."""
        held, finish = environ.pop(_HELD)
        if finish is None:
            environ["wsgi.input"] = io.BytesIO()
            with asking(Deadline.after(self._patience_s)):
                return self._v2(environ, answer.start)
        end: End = environ[ASKED_AGAIN]
        with asking(Deadline.after(self._patience_s)):
            status, content = finish(end)
        kept = [(name, value) for name, value in held if name.lower() not in ("content-type", "content-length")]
        return answer.send(status, content, JSON, [*kept, (HEADER, end.word)])

    def _health(self, answer: Answer) -> Iterable[bytes]:
        sign = self._settings.healthcheck_disable_file
        if sign and os.path.exists(sign):
            return answer.send(503, b"DISABLED BY FILE")
        return answer.send(200, b"OK")

    def _public(self, environ: WSGIEnvironment, path: str, answer: Answer) -> Iterable[bytes]:
        """The pages that need no login: what is there, for clients that look around before they have one."""
        if path not in ("/", openapi.PATH):
            return answer.fail(NotFound())
        if path == openapi.PATH and not self._settings.enable_api_v2:
            return answer.send(404)
        if self._settings.maintenance_mode:
            return answer.send(503, kind="text/html", headers=[("Retry-After", "60")])
        if environ["REQUEST_METHOD"] != "GET":
            return answer.fail(MethodNotAllowed(), Allow="GET, OPTIONS")
        base = link_base(environ) if self._settings.enable_host_header else self._settings.api_base_uri.rstrip("/")
        if path == openapi.PATH:
            return answer.send(200, openapi.served(base, routes(self._settings)), JSON)
        return answer.send(200, document(base, v2=self._settings.enable_api_v2), JSON)


# -- the body, and the connection it comes over


_DISCARDED = 32 * 2**20
"""Bytes that are read and discarded, since a client that is still sending would see a reset instead of our answer."""


class _TooLarge(Exception):
    """The body passes the limit. What the client has yet to send is discarded, unless it is too much."""


def _receive(environ: WSGIEnvironment, settings: ApiSettings) -> None:
    """Read the body. Raises as `_read`, and OSError where it does not fit on the disk."""
    if environ["PATH_INFO"].rstrip("/") == IMPORTS and environ["REQUEST_METHOD"] == "POST":
        _spool(environ, settings.max_import_size)
    else:
        environ[BODY] = _body(environ, settings.max_request_body_size)
        environ["wsgi.input"] = io.BytesIO(environ[BODY])


def _spool(environ: WSGIEnvironment, limit: int) -> None:
    """Leave a body that may be large in a file, `wsgi.input`, unless it is JSON. Raises as `_read`, and OSError."""
    if not environ.get(SPOOLED):
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed once the request is answered
        try:
            _read(environ, limit, file.write)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        environ["wsgi.input"] = file
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != ZONE_FILE:
        environ[BODY] = environ["wsgi.input"].read()


def _body(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body, whole. Raises as `_read`."""
    parts: list[bytes] = []
    _read(environ, limit, parts.append)
    return b"".join(parts)


def _read(environ: WSGIEnvironment, limit: int, keep: Callable[[bytes], object]) -> None:
    """Read the body, whole, and never beyond the limit, whatever its headers claim.

    Raises _TooLarge, BadInput (a length that is not a number; a body that ends before its length or within a chunk: an
    incomplete message, RFC 9112 §6.3, of which half may well be readable and mean something else).
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared and not (declared.isascii() and declared.isdigit()):
        raise BadInput("Content-Length is not a number")
    if declared and (len(declared) > 15 or int(declared) > limit):
        _discard(environ, int(declared[:16]))
        raise _TooLarge
    chunked = environ.get("wsgi.input_terminated") or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if not declared and not chunked:
        return  # without a length, reading could wait for ever
    left = int(declared) if declared else limit + 1
    try:
        while left > 0 and (part := environ["wsgi.input"].read(min(left, 2**20))):
            keep(part)
            left -= len(part)
    except OSError as error:  # what gunicorn and uWSGI raise for malformed chunks, and for a client that left
        raise BadInput(f"The body cannot be read to its end: {error}") from error
    if declared and left:
        raise BadInput(
            f"The body ended after {int(declared) - left} of the {int(declared)} octets that Content-Length names"
        )
    if not declared and not left:
        _discard(environ, _DISCARDED)
        raise _TooLarge


def _discard(environ: WSGIEnvironment, rest: int) -> None:
    if rest > _DISCARDED:
        return
    with contextlib.suppress(OSError):  # what does not come need not be discarded
        while rest > 0 and (part := environ["wsgi.input"].read(min(rest, 2**16))):
            rest -= len(part)


def closed(connection: Any) -> bool:
    """Whether the other end has closed a connection, of which nothing is read. Never waits."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
    except ConnectionError:  # the other end has reset it
        return True
    except (OSError, ValueError):  # it is open and silent, or TLS, whose sockets accept no flags
        return False
