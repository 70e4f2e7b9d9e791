# SPDX-License-Identifier: Apache-2.0
"""No authentication: every header is believed. For tests, and for a sandbox on the loopback interface."""

from __future__ import annotations

import ipaddress
from wsgiref.types import WSGIApplication, WSGIEnvironment

from redesignate.auth.identity import Identity, role_names
from redesignate.model.errors import Forbidden

REMEMBERED = 100
USER, PROJECT, ROLES = "noauth-user", "noauth-project", "admin"
_REFUSED = (
    "This API has no login and answers its own machine only; see [service:api] auth_strategy and "
    "allow_noauth_beyond_loopback."
)


class NoAuth:
    """Takes the sender from `X-Auth-User-ID`, `X-Auth-Project-ID` and `X-Roles`, with defaults that may do all."""

    def __init__(self, *, local: bool = False) -> None:
        """`local`: refuse requests from other machines, whatever address a WSGI server was told to listen on."""
        self._local = local

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application as it is."""
        return app

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Every project exists."""

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """What the headers claim. A header that is sent empty counts as not sent. Raises Forbidden where `local`."""
        peer = environ.get("REMOTE_ADDR", "")
        if self._local and peer not in _HERE and not _is_loopback(peer):
            raise Forbidden(_REFUSED)
        return Identity(
            user_id=environ.get("HTTP_X_AUTH_USER_ID") or USER,
            project_id=environ.get("HTTP_X_AUTH_PROJECT_ID") or PROJECT,
            roles=role_names(environ.get("HTTP_X_ROLES") or ROLES),
        )


_HERE = frozenset({"127.0.0.1", "::1", "localhost", ""})
"""The usual peers on this machine; a socket without addresses (a Unix domain socket) has none."""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
