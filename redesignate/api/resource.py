# SPDX-License-Identifier: Apache-2.0
"""What the doors share: where central is, and how an answer is written. A door is decode, call, encode."""

from __future__ import annotations

from typing import Any

import falcon
import msgspec

from redesignate.auth.identity import Authenticator
from redesignate.bus.port import Central
from redesignate.commands.access import CheckAccess
from redesignate.config.settings import ApiSettings
from redesignate.model.errors import Problem
from redesignate.model.zone import Status

_ENCODER = msgspec.json.Encoder()


class Resource:
    """One noun of the API; a method a verb, with falcon's suffix telling a collection from a member."""

    def __init__(self, central: Central, settings: ApiSettings, authenticate: Authenticator) -> None:
        self.central, self.settings, self.authenticate = central, settings, authenticate

    def bad_body(self, fault: Problem, asked: CheckAccess) -> Problem:
        """A fault of the body, for a caller who may do what it was sent for.

        Raises what central raises for any other caller, who cannot tell a good body from a bad one.
        A good body costs no further question: central checks access when it carries out the command.
        """
        self.central.call(asked)
        return fault


def send(
    resp: falcon.Response, content: Any, status: int = 200, *, of: Status | None = None, location: str | None = None
) -> None:
    """Write an answer as JSON.

    of   the status of what is shown: where that is PENDING, the answer is 202, for nameservers have yet to follow
    """
    resp.status = 202 if of is Status.PENDING else status
    resp.data = _ENCODER.encode(content)
    if location is not None:
        resp.set_header("Location", location)
