# SPDX-License-Identifier: Apache-2.0
"""Cross-origin requests: which headers let a browser's page from another origin use the API (WHATWG Fetch §3.2)."""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

from redesignate.config.settings import CorsSettings

_ALWAYS = ("Accept", "Accept-Language", "Content-Type", "Cache-Control", "Content-Language", "Expires", "Last-Modified")


def headers(settings: CorsSettings, environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """The headers for the answer to this request, where CORS is on; none but Vary if the origin is not allowed."""
    origin = environ.get("HTTP_ORIGIN")
    found = [("Vary", "Origin")]
    if origin is None or not _allowed(settings, origin):
        return found
    any_origin = "*" in settings.allowed_origin and not settings.allow_credentials
    found.append(("Access-Control-Allow-Origin", "*" if any_origin else origin))
    if settings.allow_credentials:
        found.append(("Access-Control-Allow-Credentials", "true"))
    if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
        return found + _preflight(settings)
    found.append(("Access-Control-Expose-Headers", ",".join(settings.expose_headers)))
    return found


def _preflight(settings: CorsSettings) -> list[tuple[str, str]]:
    return [
        ("Access-Control-Allow-Methods", ",".join(settings.allow_methods)),
        ("Access-Control-Allow-Headers", ",".join((*settings.allow_headers, *_ALWAYS))),
        ("Access-Control-Max-Age", str(settings.max_age)),
    ]


def _allowed(settings: CorsSettings, origin: str) -> bool:
    return "*" in settings.allowed_origin or origin in settings.allowed_origin
