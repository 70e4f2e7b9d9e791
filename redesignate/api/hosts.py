# SPDX-License-Identifier: Apache-2.0
"""What a client's Host header may say: it goes into links, and where there is no login it must name this machine.

Without a login, anyone who reaches the port may do anything, so a sandbox listens on loopback. A web page in a browser
can reach loopback too, under a host name of its own (DNS rebinding); the Host header shows that name.
"""

from __future__ import annotations

import re
from functools import lru_cache

from redesignate.config.settings import ApiSettings
from redesignate.model import addresses

NO_LOGIN = (
    "The Host {!r} is not this machine's loopback; "
    "without a login, the API answers to localhost, 127.0.0.1 and [::1] only"
)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")


@lru_cache(maxsize=256)
def is_sane(host: str) -> bool:
    """Whether a Host header is `host` or `host:port` (RFC 9110 §7.2), fit to stand in a link."""
    return _HOST.match(host) is not None


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine."""
    name = host
    if host.startswith("["):
        name = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        name = host.partition(":")[0]
    return addresses.is_loopback(name)


def only_loopback(settings: ApiSettings) -> bool:
    """Whether requests must name loopback: there is no login, every listener is loopback's, and no proxy before it."""
    return (
        settings.auth_strategy == "noauth"
        and not settings.enable_proxy_headers_parsing
        and all(addresses.is_loopback(host) for host, _ in settings.listen)
    )
