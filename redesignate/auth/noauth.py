# SPDX-License-Identifier: Apache-2.0
"""No authentication: every header is trusted. For tests, and for a sandbox on the loopback interface."""

from __future__ import annotations

from wsgiref.types import WSGIApplication, WSGIEnvironment

from redesignate.auth.identity import Identity, role_names
from redesignate.model.addresses import is_loopback
from redesignate.model.errors import Forbidden

HOPS = "redesignate.hops"
"""Key of a WSGI environment: every address that a request came through, where a proxy is believed."""
USER, PROJECT, ROLES = "noauth-user", "noauth-project", "admin"
_REFUSED = (
    "This API has no login and answers its own machine only; see [service:api] auth_strategy and "
    "allow_noauth_beyond_loopback."
)


class NoAuth:
    """Reads the sender from `X-Auth-User-ID`, `X-Auth-Project-ID` and `X-Roles`, by default one that may do all."""

    def __init__(self, *, local: bool = False) -> None:
        """`local`: refuse requests from other machines, whatever address a WSGI server listens on, and those that a
        proxy passes on: a client may write any address into the proxy's header, but not take its own out."""
        self._local = local

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application, unchanged."""
        return app

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Every project exists."""

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """The identity in the headers. An empty id counts as missing; an empty `X-Roles` is
        one without roles. Raises Forbidden if `local`."""
        if self._local:
            for peer in environ.get(HOPS) or (environ.get("REMOTE_ADDR", ""),):
                if peer not in _HERE and not is_loopback(peer):
                    raise Forbidden(_REFUSED)
        return Identity(
            user_id=environ.get("HTTP_X_AUTH_USER_ID") or USER,
            project_id=environ.get("HTTP_X_AUTH_PROJECT_ID") or PROJECT,
            roles=role_names(environ.get("HTTP_X_ROLES", ROLES)),
        )


_HERE = frozenset({"127.0.0.1", "::1", "localhost", ""})
"""The usual peers on this machine; a socket without addresses (a Unix domain socket) has none."""
