# SPDX-License-Identifier: Apache-2.0
"""Checks ports before a service listens: a port in use gives a one-line error, and port 0 finds a free one."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from redesignate.model.errors import Misconfigured

ATTEMPTS = 20


def free_port(hosts: Sequence[str], *, udp: bool = False) -> int:
    """A port that is free now at each of our addresses; for UDP as well as TCP if requested.

    Raises Misconfigured if an address is not ours.
    """
    for left in range(ATTEMPTS, 0, -1):
        try:
            with ExitStack() as held:
                port = held.enter_context(_bound(hosts[0], 0, socket.SOCK_STREAM)).getsockname()[1]
                for host in hosts[1:]:
                    held.enter_context(_bound(host, port, socket.SOCK_STREAM))
                for host in hosts if udp else ():
                    held.enter_context(_bound(host, port, socket.SOCK_DGRAM))
                return int(port)
        except OSError as error:
            if left == 1 or error.errno != errno.EADDRINUSE:
                raise Misconfigured(f"Cannot listen on {', '.join(hosts)}: {error.strerror}.") from error
    raise AssertionError("unreachable")


@contextmanager
def explained(what: str, listen: Sequence[tuple[str, int]], fix: str) -> Iterator[None]:
    """Turn the OSError of a server that cannot listen into one line: the server, the address, the cause and the fix.

    Raises Misconfigured.
    """
    try:
        yield
    except OSError as error:
        places = ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in listen)
        raise Misconfigured(f"{what} cannot listen on {places}: {error.strerror or error}; {fix}.") from error


def check_free(what: str, listen: Sequence[tuple[str, int]], fix: str) -> None:
    """Raise Misconfigured if a TCP port is in use, or an address is not ours: for servers that only log it."""
    for place in listen:
        with explained(what, [place], fix), ExitStack() as held:
            held.enter_context(_bound(*place, socket.SOCK_STREAM))


def listener(host: str, port: int, backlog: int) -> socket.socket:
    """A TCP socket that listens, and never waits. Raises OSError."""
    made = _bound(host, port, socket.SOCK_STREAM)
    made.listen(backlog)
    made.setblocking(False)
    return made


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    made = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
