# SPDX-License-Identifier: Apache-2.0
"""A request's body, read once and never beyond the limit, whatever its headers claim."""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

from redesignate.model.errors import BadInput

DISCARDED = 32 * 2**20
"""Bytes read in vain: a client that is still sending would see its connection reset instead of our answer."""


class TooLarge(Exception):
    """The body passes the limit. What the client had still to send is thrown away, if it is not too much."""


def read(environ: WSGIEnvironment, limit: int) -> bytes:
    """The body. Where it ends before its declared length, what came is all there is.

    Raises TooLarge, BadInput (a length that is no number).
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared:
        if not (declared.isascii() and declared.isdigit()):
            raise BadInput("Content-Length is not a number")
        if len(declared) > 15 or int(declared) > limit:
            _discard(environ, int(declared[:16]))
            raise TooLarge
        return _up_to(environ, int(declared))
    if environ.get("wsgi.input_terminated") or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        body = _up_to(environ, limit + 1)
        if len(body) > limit:
            _discard(environ, DISCARDED)
            raise TooLarge
        return body
    return b""  # without a length, reading could wait for ever


def _up_to(environ: WSGIEnvironment, wanted: int) -> bytes:
    parts: list[bytes] = []
    while wanted > 0:
        part = environ["wsgi.input"].read(wanted)
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts)


def _discard(environ: WSGIEnvironment, rest: int) -> None:
    if rest > DISCARDED:
        return
    while rest > 0 and (part := environ["wsgi.input"].read(min(rest, 2**16))):
        rest -= len(part)
