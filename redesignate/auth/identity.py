# SPDX-License-Identifier: Apache-2.0
"""What an authenticated request says of its sender, and the shape that every way of authenticating has.

No rule lives here: what an identity may do is `auth/policy.py`'s, the switches of a request are the API's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from redesignate.model.errors import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who sent a request, before any switch. Roles are lower case; a token may be without project."""

    user_id: str | None
    project_id: str | None
    roles: tuple[str, ...]
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None


class Authenticator(Protocol):
    """One way to authenticate. `wrap` may answer in the application's place; behind it `identity` can be read."""

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application behind this authentication."""
        ...

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """The sender of a request that came through `wrap`.

        Raises Problem when the request came through unauthenticated.
        """
        ...

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Return if a project of this id exists, as far as can be told with the sender's own token.

        Raises InvalidProject, IdentityAway.
        """
        ...


def role_names(text: str) -> tuple[str, ...]:
    """The roles of an `X-Roles` header: separated by commas, lower case, none empty."""
    return tuple(name for part in text.split(",") if (name := part.strip().lower()))


def authenticator(strategy: str, conf: Any) -> Authenticator:
    """The way that `[service:api] auth_strategy` names. `conf` is the oslo.config object of keystone's options.

    Raises Misconfigured. The identity libraries are imported only where keystone is chosen.
    """
    if strategy == "noauth":
        from redesignate.auth.noauth import NoAuth

        return NoAuth()
    if strategy == "keystone":
        from redesignate.auth.keystone import Keystone

        return Keystone(conf)
    raise Misconfigured(f"[service:api] auth_strategy: {strategy!r} is neither keystone nor noauth")
