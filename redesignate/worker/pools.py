# SPDX-License-Identifier: Apache-2.0
"""Copies of pools, each kept until a task names a newer version, with their backends ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from redesignate.backends import registry
from redesignate.backends.port import Backend
from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.model.errors import Misconfigured
from redesignate.model.pool import Endpoint, Nameserver, Pool, Target
from redesignate.model.tsigkey import TSIGKey
from redesignate.observe.log import events
from redesignate.wire import tsig

BACKEND_CALLS = 2
"""How many zones of one target are in its backend at a time; the rest wait in line without holding anything."""
CLOSE_AFTER_S = 30.0
REBUILD_AFTER_S = 5.0
"""How often a target that could not be used is looked at again: a key file may have come."""

Build = Callable[[Pool, Target], Backend]
log = events(__name__)


class Unusable(Exception):
    """A peer cannot be worked with as the pool is configured; the text is one line."""


@dataclass(slots=True)
class TargetRig:
    """A target with its backend, or with the reason why there is none."""

    target: Target
    notify: Endpoint | None = None
    backend: Backend | None = None
    wrong: str | None = None
    line: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BACKEND_CALLS))


@dataclass(slots=True)
class PoolRig:
    """A pool, its keys and its targets."""

    pool: Pool
    keys: dict[str, TSIGKey]
    targets: list[TargetRig]
    built: float = 0.0

    def key(self, key_id: str | None) -> TSIGKey | None:
        """A peer's TSIG key. Raises Unusable where the pool names one that is not there, or that cannot sign."""
        if key_id is None:
            return None
        if key_id not in self.keys:
            raise Unusable(f"pool {self.pool.name!r} names TSIG key {key_id}, which is not there")
        found = self.keys[key_id]
        try:
            tsig.prepare(found)
        except ValueError as error:
            raise Unusable(f"TSIG key {found.name!r} cannot be used: {error}") from None
        return found

    def nameserver(self, peer_id: str) -> Nameserver | None:
        """The nameserver of this peer id."""
        return next((server for server in self.pool.nameservers if server.id == peer_id), None)

    def target(self, peer_id: str) -> TargetRig | None:
        """The target of this peer id."""
        return next((rig for rig in self.targets if rig.target.id == peer_id), None)


class PoolBook:
    """The pools that this worker has met.

    `ask` puts a question to central; `build` makes a backend; `changed` hears of every new copy.
    """

    def __init__(
        self,
        ask: Callable[[PoolForWork], Awaitable[WorkPool]],
        *,
        build: Build = registry.build,
        changed: Callable[[PoolRig], None] = lambda _: None,
    ) -> None:
        self._ask = ask
        self._build = build
        self._changed = changed
        self._rigs: dict[str, PoolRig] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[PoolRig]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def rig(self, pool_id: str, version: int) -> PoolRig:
        """The pool at this version or a newer one. Asks central once, however many wait. Raises what `ask` raises."""
        known = self._rigs.get(pool_id)
        if known is not None and known.pool.version >= version:
            self._rebuild(known)
            return known
        slot = (pool_id, version)
        if slot not in self._asking:
            self._asking[slot] = asyncio.create_task(self._fetch(pool_id))
            self._asking[slot].add_done_callback(lambda _: self._asking.pop(slot, None))
        return await asyncio.shield(self._asking[slot])

    def known(self, pool_id: str) -> PoolRig | None:
        """The copy at hand, if there is one."""
        return self._rigs.get(pool_id)

    async def close(self) -> None:
        """Let go of every backend, those of replaced targets too."""
        self._ending.set()
        await asyncio.gather(*self._leaving, *(_close(rig.targets) for rig in self._rigs.values()))

    def _rebuild(self, rig: PoolRig) -> None:
        now = asyncio.get_running_loop().time()
        if now - rig.built < REBUILD_AFTER_S or not any(target.wrong for target in rig.targets):
            return
        rig.targets = [self._target(rig.pool, target.target, target) for target in rig.targets]
        rig.built = now

    async def _fetch(self, pool_id: str) -> PoolRig:
        found = await self._ask(PoolForWork(pool_id=pool_id))
        old = self._rigs.get(pool_id)
        if old is not None and old.pool.version > found.pool.version:
            return old
        kept = {rig.target.id: rig for rig in old.targets} if old else {}
        targets = [self._target(found.pool, target, kept.get(target.id)) for target in found.pool.targets]
        rig = PoolRig(found.pool, {key.id: key for key in found.keys}, targets, asyncio.get_running_loop().time())
        self._rigs[pool_id] = rig
        left = [target for target in kept.values() if target not in targets]
        if left:
            leaving = asyncio.create_task(self._close_later(left))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        self._changed(rig)
        return rig

    def _target(self, pool: Pool, target: Target, old: TargetRig | None) -> TargetRig:
        """A target that did not change keeps its backend, and with it its connection."""
        if old is not None and old.target == target and old.wrong is None:
            return old
        try:
            options = registry.parse_options(pool, target)
            kind = registry.kind(target.type)
            notified = kind is None or kind.notified
            return TargetRig(target, options.notify if notified else None, self._build(pool, target))
        except Misconfigured as error:
            log.error("a target of a pool cannot be used", pool=pool.name, target=target.id, why=error.message)
            return TargetRig(target, wrong=error.message)

    async def _close_later(self, rigs: list[TargetRig]) -> None:
        """Work that began under the old pool ends first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), CLOSE_AFTER_S)
        await _close(rigs)


async def _close(rigs: Iterable[TargetRig]) -> None:
    """Close each target's backend, whatever comes of the others'."""
    for rig in rigs:
        try:
            if rig.backend is not None:
                await rig.backend.close()
        except Exception:  # the loop of a service
            log.exception("a backend did not close", target=rig.target.id)
