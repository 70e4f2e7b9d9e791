# SPDX-License-Identifier: Apache-2.0
"""Which way of authenticating the operator asked for."""

from __future__ import annotations

from typing import Any

from redesignate.auth.identity import Authenticator
from redesignate.model.errors import Misconfigured


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
