# SPDX-License-Identifier: Apache-2.0
"""What an authenticated request says of its sender, and the shape that every way of authenticating has.

No rule lives here: what an identity may do is `auth/policy.py`'s, the switches of a request are the API's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment


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
