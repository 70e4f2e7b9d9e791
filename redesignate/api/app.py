# SPDX-License-Identifier: Apache-2.0
"""The API as one WSGI application: its routes, with authentication before them."""

from __future__ import annotations

from collections.abc import Iterator
from wsgiref.types import WSGIApplication

import falcon

from redesignate.api.answers import said_of
from redesignate.api.door import Door
from redesignate.api.errors import on_http, on_problem, on_unforeseen
from redesignate.api.parked import Waits
from redesignate.api.published import PUBLISHED, NotYet
from redesignate.api.request import Gate, Request, Resource
from redesignate.api.routes import ROUTES, routes
from redesignate.api.waiting import reader
from redesignate.auth.identity import Authenticator
from redesignate.bus.port import Central
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import Problem

PATIENCE_S = 30.0
"""Half of the minute that load balancers and clients wait as a rule: the database may need the other half to end the
transaction of a process that was stopped right before its commit."""


def build(
    central: Central,
    settings: ApiSettings,
    authenticate: Authenticator,
    *,
    patience_s: float = PATIENCE_S,
    waits: Waits | None = None,
) -> WSGIApplication:
    """The API. `central` answers every question; `authenticate` stands before everything under /v2.

    patience_s   what a request may take; nothing is changed for it any more after that
    waits        where answers wait for nameservers; None: none does
    """
    return Door(settings, authenticate.wrap(_v2(central, settings, authenticate)), patience_s=patience_s, waits=waits)


def _v2(central: Central, settings: ApiSettings, authenticate: Authenticator) -> WSGIApplication:
    app = falcon.App(request_type=Request, middleware=[Gate(settings, authenticate, reader(_waiting()))])
    app.add_error_handler(Exception, on_unforeseen)
    app.add_error_handler(falcon.HTTPError, on_http)
    app.add_error_handler(Problem, on_problem)
    made: dict[type[Resource], Resource] = {}
    for path, kind, suffix in routes(settings):
        resource = made.setdefault(kind, kind(central, settings, authenticate))
        app.add_route(path, resource, suffix=suffix)
    there = {route.path for route in routes(settings)}
    for published in PUBLISHED:
        if published.path not in there:
            app.add_route(published.path, NotYet())
    return app


def _waiting() -> Iterator[tuple[str, str]]:
    """The paths and verbs whose answers may wait."""
    for route in ROUTES:
        for verb in route.verbs:
            said = said_of(getattr(route.resource, route.method(verb)))
            if said is not None and said.waits:
                yield route.path, verb
