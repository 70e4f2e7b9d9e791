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
    "This API has no login and answers only requests of its own machine, sent to its address; see [service:api] "
    "auth_strategy and allow_noauth_beyond_loopback."
)


class NoAuth:
    """Takes the sender from `X-Auth-User-ID`, `X-Auth-Project-ID` and `X-Roles`, with defaults that may do all."""

    def __init__(self, *, local: bool = False) -> None:
        """`local`: answer only requests that come over loopback, to an address or `localhost`.

        Any page in a browser on this machine can have a name of its own lead to 127.0.0.1 (DNS rebinding) and then
        read answers; the Host header tells such a request apart.
        """
        self._local = local
        self._fine: set[tuple[str, str]] = set()

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application as it is."""
        return app

    def _check(self, peer: str, host: str) -> None:
        """Remember a peer and Host that are fine. Raises Forbidden."""
        if not (_from_here(peer) and _names_an_address(host)):
            raise Forbidden(_REFUSED)
        if len(self._fine) < REMEMBERED:
            self._fine.add((peer, host))

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Every project exists."""

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """What the headers claim. A header that is sent empty counts as not sent. Raises Forbidden where `local`."""
        origin = (environ.get("REMOTE_ADDR", ""), environ.get("HTTP_HOST") or "localhost")
        if self._local and origin not in self._fine:
            self._check(*origin)
        return Identity(
            user_id=environ.get("HTTP_X_AUTH_USER_ID") or USER,
            project_id=environ.get("HTTP_X_AUTH_PROJECT_ID") or PROJECT,
            roles=role_names(environ.get("HTTP_X_ROLES") or ROLES),
        )


def _from_here(peer: str) -> bool:
    """Whether a request came over loopback, or over a socket without addresses."""
    return peer in ("", "localhost") or _is(peer, loopback=True)


def _names_an_address(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".") == "localhost" or _is(name)


def _is(address: str, *, loopback: bool = False) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback or not loopback
