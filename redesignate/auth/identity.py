# SPDX-License-Identifier: Apache-2.0
"""Describes the sender of an authenticated request, and the interface of every kind of authentication.

It holds no rules: `auth/policy.py` decides what an identity may do, the API reads the switches of a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The sender of a request, before any switch. Roles are lower case; a token may have no project."""

    user_id: str | None
    project_id: str | None
    roles: tuple[str, ...]
    user_domain_id: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None


class Authenticator(Protocol):
    """One kind of authentication. `wrap` may answer instead of the application; after it `identity` can be read."""

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application with this authentication in front of it."""
        ...

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """The sender of a request that came through `wrap`.

        Raises Problem if the request is unauthenticated.
        """
        ...

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Return if a project of this id exists, as far as the sender's own token can show.

        Raises InvalidProject, IdentityUnavailable.
        """
        ...


@lru_cache(maxsize=1024)
def role_names(text: str) -> tuple[str, ...]:
    """The roles of an `X-Roles` header: separated by commas, lower case, none empty."""
    return tuple(name for part in text.split(",") if (name := part.strip().lower()))
