# SPDX-License-Identifier: Apache-2.0
"""Parses addresses as operators write them into the forms used here. Errors never quote a URL."""

from __future__ import annotations

import ipaddress
import re

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "sqlite": "sqlite",
}
_NEXT_LOGIN = re.compile(r"(?<=[^,]),(?=[^,@]*:[^,@]*@)")
"""The comma before a further "user:password@host"."""
_URL = re.compile(r"(?P<dialect>[a-z]+)(\+[a-z0-9_]+)?://(?P<rest>.*)", re.DOTALL)


def database_urls(text: str, parameters: str = "") -> tuple[str, ...]:
    """SQLAlchemy URLs with the drivers that we ship, one a host: "mysql://u:p@a,b/d" names two.

    Whatever driver was written (mysqldb, mysqlconnector, psycopg2, pg8000, …), ours of the same dialect is used.
    Raises ValueError, without the URL in its text.
    """
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a URL such as mysql+pymysql://user:password@host/designate")
    driver = _DRIVERS.get(match["dialect"])
    if driver is None:
        raise ValueError(f"no database called {match['dialect']} is supported: sqlite, postgresql, mysql or mariadb")
    rest = match["rest"]
    if parameters:
        rest += ("&" if "?" in rest else "?") + parameters.lstrip("?&")
    if driver == "sqlite":
        return (f"sqlite://{rest}",)
    return tuple(f"{driver}://{one}" for one in _each_host(rest))


def _each_host(rest: str) -> list[str]:
    """The part after `//`, once for each of its comma-separated hosts."""
    authority, slash, path = rest.partition("/")
    found = []
    for part in _NEXT_LOGIN.split(authority):
        user, at, hosts = part.rpartition("@")
        found += [f"{user}{at}{host}{slash}{path}" for host in hosts.split(",")]
    return found


def endpoint(text: str, default_port: int) -> tuple[str, int]:
    """A host and a port: "0.0.0.0:9001", "[::]:9001", "::1" or "dns1".

    Raises ValueError.
    """
    text = text.strip()
    if text.startswith("["):
        host, _, tail = text[1:].partition("]")
        port = tail.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if ":" in host and not _is_ipv6(host):
        host = ""
    if not host or (port and not (port.isascii() and port.isdecimal() and 0 <= int(port) < 65536)):
        raise ValueError("expected host:port, such as 127.0.0.1:9001 or [::1]:9001")
    return host, int(port) if port else default_port


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
