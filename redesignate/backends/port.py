# SPDX-License-Identifier: Apache-2.0
"""The contract of a backend: it creates a zone on one target of a pool, and deletes it there.

Backends move no data (that is mdns by AXFR and IXFR), send no NOTIFY, poll nothing and retry nothing: the worker does.
Every method is idempotent. Everything runs on the worker's event loop and never blocks it.
A zone that the target's own data does not prove to be ours (a file name, a template, an account) is neither changed
nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from redesignate.model.pool import Endpoint, Target


class BackendError(Exception):
    """The target could not be reached or did not do it; the text is one line for people and names the server."""


class BackendRefused(BackendError):
    """The server was reached and refused: the problem is the zone's, not the server's."""


class NotOurs(BackendRefused):
    """The server has a zone of this name that we did not create, so it was left unchanged.

    what   the server's word for the zone's kind ("primary"); empty if it does not say
    """

    def __init__(self, server: object, zone: BackendZone, what: str = "") -> None:
        kind = f" ({what})" if what else ""
        super().__init__(
            f"{server} has a zone {zone.name}{kind} that was not created by this service; it is left unchanged. "
            "Remove it from that server's configuration, or use another name"
        )


@dataclass(frozen=True, slots=True)
class BackendZone:
    """The parts of a zone that a backend needs. `name` is absolute: "example.org."."""

    id: str
    name: str


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that every target has: the address of its NOTIFY. A backend's own options are a subclass."""

    host: str = "127.0.0.1"
    port: int = 53

    @property
    def notify(self) -> Endpoint:
        """The address that the NOTIFY is sent to."""
        return Endpoint(self.host, self.port)


class Backend(Protocol):
    """One target, for as long as its pool does not change."""

    async def create(self, zone: BackendZone) -> bool | None:
        """Make the target hold the zone as a secondary of the target's primaries.

        A zone that we created earlier is corrected, also one of another id (the name was deleted and made again). Any
        other zone of this name stays unchanged. Return whether the target is fetching the zone by itself now, so that
        a NOTIFY is sent only where it does not serve the zone soon. Raises NotOurs, BackendError.
        """
        ...

    async def update(self, zone: BackendZone) -> None:
        """The zone's content changed. For servers that need more than the NOTIFY; most do not. Raises BackendError."""
        ...

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """Delete the zone from the target, if it exists; with `hard`, all its data on disk too.

        A zone of this name that is not provably ours stays unchanged. Raises NotOurs, BackendError.
        """
        ...

    async def ping(self) -> str | None:
        """Check that the target accepts commands, without any change. Raises BackendError.

        Return a text that stays the same until the server is restarted, whatever is done with its zones, such as the
        time of its start; None if the server does not say, or is not ready yet.
        """
        ...

    async def close(self) -> None:
        """Close the connections. The backend may be used again afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class BackendKind:
    """The backend that a target's `type` names: its options, and how to make one. `build` raises Misconfigured.

    notified   whether the target gets a NOTIFY for every change

    Third parties register one of these under the entry point group `redesignate.backend`.
    """

    name: str
    options: type[TargetOptions]
    build: Callable[[Target, Any], Backend]
    notified: bool = True
