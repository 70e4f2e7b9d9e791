# SPDX-License-Identifier: Apache-2.0
"""Authentication by the API's own tokens (`redesignate manage token create`): no identity service is needed.

A token is sent as `X-Auth-Token`, or as `Authorization: Bearer` (RFC 6750 §2.1). Central looks up its digest, and
the answer is kept for FRESH_S: after that a revoked token is refused.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from redesignate.auth.identity import Identity
from redesignate.commands.base import Command
from redesignate.commands.tokens import FindToken, NoteTokenUse
from redesignate.model.clock import SECOND, Clock, now
from redesignate.model.errors import Problem, Unauthorized
from redesignate.model.token import Token, digest, implied
from redesignate.observe.log import events

FRESH_S = 3.0
"""Seconds for which central's answer about a token is kept."""
NOTE_EVERY_S = 3600.0
"""Seconds after which the use of a token is reported to central again."""
MOST = 10_000
_HOLDER = "redesignate.token"
R = TypeVar("R")
log = events(__name__)


class Asks(Protocol):
    """Central, as far as a login needs it."""

    def call(self, command: Command[R]) -> R:
        """Call central; returns the answer or raises its Problem."""
        ...


class TokenLogin:
    """Tokens that central knows. Safe from any thread.

    clock      wall clock, microseconds: for the expiry
    monotonic  seconds: for the age of the cached answers
    """

    def __init__(self, central: Asks, *, clock: Clock = now, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._central, self._clock, self._monotonic = central, clock, monotonic
        self._known: OrderedDict[str, tuple[float, Token]] = OrderedDict()
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """The application with the login in front of it.

        Cost    one request to central for a token that was not seen for FRESH_S.
        Raises  Unauthorized and Unavailable, from the returned application.
        """

        def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ[_HOLDER] = self._holder(_presented(environ))
            return app(environ, start_response)

        return guarded

    def identity(self, environ: WSGIEnvironment) -> Identity:
        """The token's project and roles; its id is the user. Raises Unauthorized if there is none."""
        token = environ.get(_HOLDER)
        if not isinstance(token, Token):
            raise Unauthorized("The request carries no token.")
        return Identity(user_id=token.id, project_id=token.project_id, roles=implied(token.roles))

    def check_project(self, environ: WSGIEnvironment, project_id: str) -> None:
        """Every project exists: only tokens name projects."""

    def _holder(self, secret: str | None) -> Token:
        if not secret:
            raise Unauthorized("This API needs a token: send it as X-Auth-Token, or as Authorization: Bearer.")
        key = digest(secret)
        token = self._found(key) if key is not None else None
        if token is None:
            raise Unauthorized("The token is unknown or was revoked.")
        if token.expires_at is not None and token.expires_at <= self._clock():
            raise Unauthorized("The token has expired.")
        self._note(token)
        return token

    def _found(self, key: str) -> Token | None:
        """The token of a digest, from memory or from central. Unknown ones are not cached."""
        at = self._monotonic()
        held = self._known.get(key)
        if held is not None and at - held[0] < FRESH_S:
            return held[1]
        token = self._central.call(FindToken(digest=key))
        with self._lock:
            self._known.pop(key, None)
            if token is not None:
                self._known[key] = (at, token)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
        return token

    def _note(self, token: Token) -> None:
        """Report the token's use to central, if the last report is old. A failure loses only this report."""
        at = self._monotonic()
        with self._lock:
            if at - self._noted.get(token.id, -NOTE_EVERY_S) < NOTE_EVERY_S:
                return
            if len(self._noted) >= MOST:
                self._noted.clear()
            self._noted[token.id] = at
        if token.last_used_at is not None and self._clock() - token.last_used_at < NOTE_EVERY_S * SECOND:
            return
        try:
            self._central.call(NoteTokenUse(token_id=token.id))
        except Problem as problem:
            log.debug("use of a token not noted", id=token.id, why=problem.message)


def _presented(environ: WSGIEnvironment) -> str | None:
    """The token that a request carries."""
    if token := environ.get("HTTP_X_AUTH_TOKEN"):
        return str(token).strip()
    scheme, _, credentials = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None
