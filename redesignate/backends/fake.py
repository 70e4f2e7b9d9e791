# SPDX-License-Identifier: Apache-2.0
"""A backend that remembers its calls and fails on demand: for tests, and for trying out a pool."""

from __future__ import annotations

from collections import deque

from redesignate.backends.port import BackendError, BackendKind, BackendZone, NotOurs, TargetOptions
from redesignate.model.pool import Target

KEPT = 10_000


class FakeOptions(TargetOptions, frozen=True, kw_only=True):
    """The options of a target of type fake. `fail`: every call fails with this text."""

    fail: str | None = None


class Fake:
    """Remembers its zones (by name), and its last calls as (what, zone name). `failing` may be set at any time.

    foreign   names of zones that were not created by us
    """

    def __init__(self, target: Target, options: FakeOptions) -> None:
        self.target = target
        self.failing = options.fail
        self.began: str | None = None
        self.zones: dict[str, str] = {}
        self.foreign: set[str] = set()
        self.calls: deque[tuple[str, str]] = deque(maxlen=KEPT)

    async def create(self, zone: BackendZone) -> None:
        """Remember the zone."""
        self._note("create", zone)
        self._refuse_foreign(zone)
        self.zones[zone.name] = zone.id

    async def update(self, zone: BackendZone) -> None:
        """Remember the call."""
        self._note("update", zone)

    async def delete(self, zone: BackendZone, hard: bool) -> None:
        """Forget the zone."""
        self._note("delete hard" if hard else "delete", zone)
        self._refuse_foreign(zone)
        self.zones.pop(zone.name, None)

    async def ping(self) -> str | None:
        """Fails if the other calls do; returns `began`."""
        if self.failing is not None:
            raise BackendError(self.failing)
        return self.began

    async def close(self) -> None:
        """Does nothing: there are no connections."""

    def _refuse_foreign(self, zone: BackendZone) -> None:
        if zone.name in self.foreign:
            raise NotOurs("fake", zone)

    def _note(self, what: str, zone: BackendZone) -> None:
        self.calls.append((what, zone.name))
        if self.failing is not None:
            raise BackendError(self.failing)


KIND = BackendKind("fake", FakeOptions, Fake)
