# SPDX-License-Identifier: Apache-2.0
"""A request's body, read once and never beyond the limit, whatever its headers claim."""

from __future__ import annotations

import contextlib
import socket
from typing import Any
from wsgiref.types import WSGIEnvironment

from redesignate.model.errors import BadInput

DISCARDED = 32 * 2**20
"""Bytes that are read and discarded, since a client that is still sending would see a reset instead of our answer."""


class TooLarge(Exception):
    """The body passes the limit. What the client has yet to send is discarded, unless it is too much."""


def read(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body, whole.

    Raises TooLarge, BadInput (a length that is not a number; a body that ends before its length or within a chunk: an
    incomplete message, RFC 9112 §6.3, of which half may well be readable and mean something else).
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared and not (declared.isascii() and declared.isdigit()):
        raise BadInput("Content-Length is not a number")
    if declared and (len(declared) > 15 or int(declared) > limit):
        _discard(environ, int(declared[:16]))
        raise TooLarge
    chunked = environ.get("wsgi.input_terminated") or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if not declared and not chunked:
        return b""  # without a length, reading could wait for ever
    left = int(declared) if declared else limit + 1
    parts: list[bytes] = []
    try:
        while left > 0 and (part := environ["wsgi.input"].read(left)):
            parts.append(part)
            left -= len(part)
    except OSError as error:  # what gunicorn and uWSGI raise for malformed chunks, and for a client that left
        raise BadInput(f"The body cannot be read to its end: {error}") from error
    if declared and left:
        raise BadInput(
            f"The body ended after {int(declared) - left} of the {int(declared)} octets that Content-Length names"
        )
    if not declared and not left:
        _discard(environ, DISCARDED)
        raise TooLarge
    return b"".join(parts)


def _discard(environ: WSGIEnvironment, rest: int) -> None:
    if rest > DISCARDED:
        return
    with contextlib.suppress(OSError):  # what does not come need not be discarded
        while rest > 0 and (part := environ["wsgi.input"].read(min(rest, 2**16))):
            rest -= len(part)


def abandoned(environ: WSGIEnvironment) -> bool:
    """Whether the client has closed its connection: nobody waits for the answer, and another may have been asked.

    A process that was stopped finds such requests in its sockets when it goes on. Known of our own servers alone, and
    not over TLS.
    """
    asks = environ.get("waitress.client_disconnected")
    if asks is not None:
        return bool(asks())
    connection = environ.get("gunicorn.socket")
    return connection is not None and closed(connection)


def closed(connection: Any) -> bool:
    """Whether the other end has closed a connection, of which nothing is read. Never waits."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"")
    except (OSError, ValueError):  # it is open and silent, or TLS, whose sockets accept no flags
        return False
