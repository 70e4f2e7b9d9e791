# SPDX-License-Identifier: Apache-2.0
"""No authentication: every header is believed. For tests, and for a sandbox on the loopback interface."""

from __future__ import annotations

from wsgiref.types import WSGIApplication, WSGIEnvironment

from redesignate.auth.identity import Identity, role_names

USER, PROJECT, ROLES = "noauth-user", "noauth-project", "admin"


class NoAuth:
    """Takes the sender from `X-Auth-User-ID`, `X-Auth-Project-ID` and `X-Roles`, with defaults that may do all."""

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application as it is."""
        return app

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Every project exists."""

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """What the headers claim. A header that is sent empty counts as not sent."""
        return Identity(
            user_id=environ.get("HTTP_X_AUTH_USER_ID") or USER,
            project_id=environ.get("HTTP_X_AUTH_PROJECT_ID") or PROJECT,
            roles=role_names(environ.get("HTTP_X_ROLES") or ROLES),
        )
