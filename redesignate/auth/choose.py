# SPDX-License-Identifier: Apache-2.0
"""Chooses the authentication that the operator configured, and checks where a login is optional."""

from __future__ import annotations

from typing import Any

from redesignate.auth.identity import Authenticator
from redesignate.auth.noauth import NoAuth
from redesignate.auth.tokens import Asks, TokenLogin
from redesignate.config.settings import ApiSettings
from redesignate.model.addresses import is_loopback
from redesignate.model.errors import Misconfigured


def authenticator(settings: ApiSettings, conf: Any, central: Asks) -> Authenticator:
    """The authentication that `[service:api] auth_strategy` names. `conf` is the oslo.config of keystone's options.

    Raises Misconfigured. The identity libraries are imported only where keystone is chosen.
    """
    match settings.auth_strategy:
        case "noauth":
            return NoAuth(local=not settings.allow_noauth_beyond_loopback)
        case "token":
            return TokenLogin(central)
        case "keystone":
            from redesignate.auth.keystone import Keystone

            return Keystone(conf)
        case other:
            raise Misconfigured(f"[service:api] auth_strategy: {other!r} is not one of keystone, token and noauth")


def check_login(settings: ApiSettings, conf: Any) -> None:
    """Raise Misconfigured if the login cannot work: keystone is chosen, but its address is not configured."""
    if settings.auth_strategy == "keystone":
        from redesignate.auth.keystone import check

        check(conf)


def check_listeners(settings: ApiSettings) -> None:
    """Raise Misconfigured if the API would serve other machines without a login."""
    if settings.auth_strategy == "noauth" and not settings.allow_noauth_beyond_loopback:
        open_ones = [f"{host}:{port}" for host, port in settings.listen if not is_loopback(host)]
        if open_ones:
            raise Misconfigured(
                f"auth_strategy = noauth lets anybody who can reach {', '.join(open_ones)} do everything: set "
                "[service:api] auth_strategy = token or keystone, listen = 127.0.0.1:9001, or, if nobody else "
                "can reach that address, allow_noauth_beyond_loopback = true."
            )
