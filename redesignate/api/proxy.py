# SPDX-License-Identifier: Apache-2.0
"""What a reverse proxy says of the client's own request: RFC 7239's Forwarded, or the X-Forwarded-* family.

Believed only where the operator says that a proxy stands in front (`enable_proxy_headers_parsing`), because any
client can send these headers. The first entry of a list is the one nearest to the client.
"""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

from redesignate.auth.noauth import HOPS


def apply(environ: WSGIEnvironment) -> None:
    """Write scheme, host, address and path prefix as the client sees them into the WSGI environment."""
    forwarded, listed = environ.get("HTTP_FORWARDED", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    given = _forwarded(forwarded) or _x_forwarded(environ)
    hops = [_forwarded(element).get("for", "") for element in forwarded.split(",")] + listed.split(",")
    environ[HOPS] = (environ.get("REMOTE_ADDR", ""), *(hop.strip() for hop in hops))
    if given.get("proto") in ("http", "https"):
        environ["wsgi.url_scheme"] = given["proto"]
    if given.get("host"):
        environ["HTTP_HOST"] = given["host"]
    if given.get("for"):
        environ["REMOTE_ADDR"] = given["for"]
    prefix = environ.get("HTTP_X_FORWARDED_PREFIX", "").strip().rstrip("/")
    if prefix.startswith("/"):
        environ["SCRIPT_NAME"] = prefix


def _x_forwarded(environ: WSGIEnvironment) -> dict[str, str]:
    names = {"proto": "HTTP_X_FORWARDED_PROTO", "host": "HTTP_X_FORWARDED_HOST", "for": "HTTP_X_FORWARDED_FOR"}
    return {name: environ.get(header, "").partition(",")[0].strip() for name, header in names.items()}


def _forwarded(text: str) -> dict[str, str]:
    """The first element of a Forwarded header (RFC 7239 §4)."""
    pairs = (pair.partition("=") for pair in text.partition(",")[0].split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, equals, value in pairs if equals}
