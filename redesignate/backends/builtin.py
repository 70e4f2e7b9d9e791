# SPDX-License-Identifier: Apache-2.0
"""The built-in nameserver: mdns serves every zone of the database, so there is nothing to set up.

It cannot hold a zone that is not ours: it serves the zones of the database only.
"""

from __future__ import annotations

from redesignate.backends.port import BackendKind, BackendZone, TargetOptions
from redesignate.model.pool import Target


class Builtin:
    """Our own mdns as the pool's nameserver."""

    def __init__(self, target: Target, options: TargetOptions) -> None:
        self._told = (target, options)

    async def create(self, zone: BackendZone) -> None:
        """Nothing to do."""

    async def update(self, zone: BackendZone) -> None:
        """Nothing to do."""

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """Nothing to do."""

    async def ping(self) -> str | None:
        """Nothing to do: it reads the database, and has no zones to lose."""
        return None

    async def close(self) -> None:
        """Nothing to do."""


KIND = BackendKind("builtin", TargetOptions, Builtin, notified=False)
