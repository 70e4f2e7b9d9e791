# SPDX-License-Identifier: Apache-2.0
"""The API as one WSGI application: routes, and what happens to a request before its door opens."""

from __future__ import annotations

from wsgiref.types import WSGIApplication

import falcon

from redesignate.api.door import Door
from redesignate.api.errors import on_http, on_problem, on_unforeseen
from redesignate.api.published import PUBLISHED, NotYet
from redesignate.api.request import PROJECT, Request, Resource, caller, link_base
from redesignate.api.routes import ROUTES
from redesignate.auth.identity import Authenticator
from redesignate.bus.port import Central
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import Problem

PATIENCE_S = 30.0
"""Half of the minute that load balancers and clients wait as a rule: the database may need the other half to end the
transaction of a process that was stopped right before its commit."""
_JSON_RANGES = ("*/*", "application/*", "application/json")


def build(
    central: Central, settings: ApiSettings, authenticate: Authenticator, *, patience_s: float = PATIENCE_S
) -> WSGIApplication:
    """The API. `central` answers every question; `authenticate` stands before everything under /v2.

    patience_s   what a request may take; nothing is changed for it any more after that
    """
    return Door(settings, authenticate.wrap(_v2(central, settings, authenticate)), patience_s=patience_s)


class Gate:
    """Falcon's middleware: the caller, the base of links, and whether the client accepts JSON."""

    def __init__(self, settings: ApiSettings, authenticate: Authenticator) -> None:
        self._settings, self._authenticate = settings, authenticate

    def process_request(self, req: Request, resp: falcon.Response) -> None:
        """Set the request's caller and base; refuse all but operators during maintenance."""
        if req.method not in falcon.HTTP_METHODS:
            req.method = "TRACE"  # no path takes it, so that an unknown verb is 405 as well
        identity = self._authenticate.identity(req.env)
        settings = self._settings
        if settings.maintenance_mode and settings.maintenance_mode_role.lower() not in identity.roles:
            resp.status = 503
            resp.content_type = "text/html"
            resp.set_header("Retry-After", "60")
            resp.complete = True
            return
        req.caller = caller(req, identity)
        req.env[PROJECT] = req.caller.project_id
        req.base = link_base(req.env) if settings.enable_host_header else settings.api_base_uri.rstrip("/")

    def process_resource(self, req: Request, resp: falcon.Response, _resource: object, _params: object) -> None:
        """Refuse a client that does not read JSON, in words that any client reads."""
        accept = req.env.get("HTTP_ACCEPT", "").lower()
        if not accept or any(name in accept for name in _JSON_RANGES):
            return
        resp.status = 406
        resp.content_type = "text/plain"
        resp.text = "This resource is available as application/json only.\n"
        resp.complete = True


def _v2(central: Central, settings: ApiSettings, authenticate: Authenticator) -> WSGIApplication:
    app = falcon.App(request_type=Request, middleware=[Gate(settings, authenticate)])
    app.add_error_handler(Exception, on_unforeseen)
    app.add_error_handler(falcon.HTTPError, on_http)
    app.add_error_handler(Problem, on_problem)
    made: dict[type[Resource], Resource] = {}
    for path, kind, suffix in ROUTES:
        resource = made.setdefault(kind, kind(central, settings, authenticate))
        app.add_route(path, resource, suffix=suffix)
    there = {route.path for route in ROUTES}
    for published in PUBLISHED:
        if published.path not in there:
            app.add_route(published.path, NotYet())
    return app
