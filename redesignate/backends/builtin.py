# SPDX-License-Identifier: Apache-2.0
"""The built-in nameserver: mdns serves every zone of the database by itself, so there is nothing to set up.

Nor can it hold a zone that is not ours: what it serves is what the database has.
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

    async def ping(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""


KIND = BackendKind("builtin", TargetOptions, Builtin, notified=False)
