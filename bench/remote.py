# SPDX-License-Identifier: Apache-2.0
"""Another deployment of the v2 API, beside ours on the same machine: the same work, measured through the same client.

Its zones have names that nobody else has, and are deleted at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from bench.client import Address, run
from bench.figures import Figure, say
from bench.meter import Roots
from bench.running import Running
from tests.support.api import Answer, Api

SHARED = {"database", "broker", "named"}
"""Kinds of processes that are not a deployment's own."""


@dataclass(frozen=True, slots=True)
class Other:
    """Where another deployment is.

    url      of its API
    dns      host and port of each of its nameservers
    headers  lines of every request, such as "X-Auth-Token: …"
    processes  its processes by kind, so that their processor time is known
    """

    url: str
    dns: tuple[tuple[str, int], ...] = ()
    headers: tuple[str, ...] = ()
    processes: Roots | None = None


@contextmanager
def other(of: Other) -> Iterator[Running]:
    """The other deployment; what was made in it is deleted afterwards. Raises ValueError, OSError."""
    address = Address.of(of.url, of.headers)
    api = _Api(address)
    processes = of.processes or {}
    where = Running(address, api, of.dns, None, lambda: processes, frozenset(processes) - SHARED)
    try:
        yield where
    finally:
        with suppress(OSError):  # it is down, and that has been said
            _remove(where)
        api.close()


def as_far_as_it_goes(figures: Iterable[Figure]) -> Iterator[Figure]:
    """The figures until it fails, so that those which were measured are kept, ours too."""
    try:
        yield from figures
    except (AssertionError, OSError, RuntimeError) as error:
        say(f"the other deployment failed, and is measured no further: {type(error).__name__}: {error}")


def check(of: Other) -> None:
    """Whether it answers. Raises ValueError with the reason."""
    address = Address.of(of.url, of.headers)
    try:
        status, body = _Api(address).ask("GET", "/v2/zones?limit=1")
    except OSError as error:
        raise ValueError(f"{of.url} cannot be reached: {error}") from None
    if status != 200:
        raise ValueError(f"{of.url} answers {status} to a list of zones: {str(body)[:300]}")


class _Api(Api):
    """A client for single requests, at an address that may have a path."""

    def __init__(self, address: Address) -> None:
        pairs = (line.partition(":") for line in address.headers)
        super().__init__(
            f"http://{address.host}:{address.port}", {name.strip(): text.strip() for name, _, text in pairs}
        )
        self._prefix = address.prefix

    def ask(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Status and decoded body."""
        return super().ask(method, self._prefix + path, body, headers=headers)


def _remove(where: Running) -> None:
    """Delete the zones of this run, newest first, so that none is above another."""
    say("deleting the other deployment's zones")
    while True:
        zones = where.api.get(f"/v2/zones?name=*-{where.label}*&limit=500&sort_dir=desc")["zones"]
        left = [zone["id"] for zone in zones if zone["action"] != "DELETE"]
        if not left:
            return
        run(where.address, [("DELETE", f"/v2/zones/{ident}", None) for ident in left], connections=4)


def parsed(arguments: argparse.Namespace) -> Other | None:
    """The other deployment that the command line names. Raises ValueError."""
    if arguments.compare is None:
        return None
    processes: dict[str, list[int]] = {}
    for word in arguments.compare_process or ():
        name, _, pid = word.partition("=")
        processes.setdefault(name, []).append(int(pid))
    dns = tuple(_host_port(word) for word in arguments.compare_dns or ())
    return Other(arguments.compare, dns, tuple(arguments.compare_header or ()), processes)


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


OPTIONS: Sequence[tuple[str, str, str]] = (
    ("--compare-dns", "HOST:PORT", "one of its nameservers; may be repeated"),
    ("--compare-header", "LINE", "a header line of every request, such as 'X-Auth-Token: …'; may be repeated"),
    ("--compare-process", "KIND=PID", "one of its processes, for its processor time; may be repeated"),
)
