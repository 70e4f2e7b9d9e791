# SPDX-License-Identifier: Apache-2.0
"""The contract of a backend: how a zone is put on one target of a pool, and taken off it.

Backends move no data (that is mdns by AXFR and IXFR), send no NOTIFY, poll nothing and retry nothing: the worker does.
Every method is idempotent. Everything runs on the worker's event loop and never blocks it.
A zone that the target's own word does not prove to be ours (a file name, a template, an account) is neither changed
nor deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from redesignate.model.pool import Endpoint, Target


class BackendError(Exception):
    """The target could not be reached or did not do it; the text is one line for a person and names the server."""


class BackendRefused(BackendError):
    """The server was reached and said no: this zone's trouble, not the server's."""


class NotOurs(BackendRefused):
    """The server has a zone of this name that we did not put there, so it was left as it is.

    what   the server's word for the zone's kind ("primary"); empty where it does not say
    """

    def __init__(self, server: object, zone: BackendZone, what: str = "") -> None:
        kind = f" ({what})" if what else ""
        super().__init__(
            f"{server} has a zone {zone.name}{kind} that was not created by this service; it is left unchanged. "
            "Remove it from that server's configuration, or use another name"
        )


@dataclass(frozen=True, slots=True)
class BackendZone:
    """A zone, as far as a backend needs to know it. `name` is absolute: "example.org."."""

    id: str
    name: str


class TargetOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options that every target has: where its NOTIFY goes. A backend's own options are a subclass."""

    host: str = "127.0.0.1"
    port: int = 53

    @property
    def notify(self) -> Endpoint:
        """Where the NOTIFY goes."""
        return Endpoint(self.host, self.port)


class Backend(Protocol):
    """One target, for as long as its pool stays as it is."""

    async def create(self, zone: BackendZone) -> None:
        """Bring about that the target has the zone as a secondary of the target's primaries.

        A zone that we put there earlier is corrected, also one of another id (the name was deleted and made again). Any
        other zone of this name stays as it is. Raises NotOurs, BackendError.
        """
        ...

    async def update(self, zone: BackendZone) -> None:
        """The zone's content changed. For servers that need more than the NOTIFY; most do not. Raises BackendError."""
        ...

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """Bring about that the target has no such zone; with `hard`, nothing of its data on disk either.

        A zone of this name that is not provably ours stays as it is. Raises NotOurs, BackendError.
        """
        ...

    async def ping(self) -> None:
        """Find out whether the target can be told at all, changing nothing. Raises BackendError."""
        ...

    async def close(self) -> None:
        """Let go of connections. The backend may be used again afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class BackendKind:
    """What a target's `type` names: its options, and how to make one. `build` raises Misconfigured.

    notified   whether the target gets a NOTIFY for every change

    Third parties give one of these under the entry point group `redesignate.backend`.
    """

    name: str
    options: type[TargetOptions]
    build: Callable[[Target, Any], Backend]
    notified: bool = True
