# SPDX-License-Identifier: Apache-2.0
"""Where tenants' primaries are: names resolved beside everything else, and addresses that may not be asked refused.

A tenant writes the primaries of a SECONDARY zone. Their names are resolved by threads of their own, so that slow DNS
of a tenant does not delay any pool. An address is checked at the moment of use, after the name was resolved, for UDP
and TCP alike, so that a name cannot lead to a server inside that trusts the worker's address.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from redesignate.config.settings import WorkerSettings
from redesignate.model.addresses import address, address_list
from redesignate.model.pool import Endpoint

THREADS = 8
"""Names that are resolved at once; the rest wait for their turn, and no longer than their look may take."""
MOST_KEPT = 1000
KEPT_S = 60.0
FAILURE_KEPT_S = 10.0

Resolve = Callable[[str], Sequence[str]]


class MasterRefused(Exception):
    """A primary that cannot be asked: unknown, or not allowed. The text is one line for a person."""


def resolved(host: str) -> list[str]:
    """Every address of a host name, best first, by the system's resolver. Raises OSError."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)))


class Masters:
    """Finds and checks primaries. For one event loop; `resolve` is called from threads."""

    def __init__(self, settings: WorkerSettings, *, resolve: Resolve = resolved) -> None:
        """Raises ValueError for lists that cannot be read."""
        self._allowed = address_list(settings.allowed_masters)
        self._denied = address_list(settings.denied_masters)
        self._patience = settings.xfr_timeout
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(THREADS, "masters-names")
        self._kept: OrderedDict[str, tuple[float, Sequence[str]]] = OrderedDict()
        self._asking: dict[str, asyncio.Future[Sequence[str]]] = {}

    def close(self) -> None:
        """Stop resolving; a name that is being resolved is left to its thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, at: Endpoint) -> Endpoint:
        """A primary by the address at which it is asked: the first that is allowed. Raises MasterRefused."""
        if address(at.host) is not None:
            found: Sequence[str] = (at.host,)
        else:
            found = await self._addresses(at.host)
        for one in found:
            if self._may_ask(one):
                return Endpoint(one, at.port)
        which = f"{at.host} is {found[0]}, which" if found and found[0] != at.host else at.host
        raise MasterRefused(f"{which} is not allowed as a master ([service:worker] allowed_masters, denied_masters)")

    def _may_ask(self, text: str) -> bool:
        found = address(text)
        return found is not None and self._allowed.holds(found) and not self._denied.holds(found)

    async def _addresses(self, host: str) -> Sequence[str]:
        """What a name resolves to; asked once, however many wait. Raises MasterRefused."""
        loop = asyncio.get_running_loop()
        until, found = self._kept.get(host, (0.0, ()))
        if until <= loop.time():
            asking = self._asking.get(host)
            if asking is None:
                asking = self._asking[host] = asyncio.ensure_future(self._look_up(host))
                asking.add_done_callback(lambda _: self._asking.pop(host, None))
            try:
                async with asyncio.timeout(self._patience):
                    found = await asyncio.shield(asking)
            except TimeoutError as error:
                raise MasterRefused(f"{host} was not resolved within {self._patience} s") from error
        if not found:
            raise MasterRefused(f"{host} has no address")
        return found

    async def _look_up(self, host: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._resolve, host)
        except (OSError, UnicodeError):  # a name that the resolver cannot even ask for is one
            found = ()
        self._kept[host] = loop.time() + (KEPT_S if found else FAILURE_KEPT_S), found
        self._kept.move_to_end(host)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return found
