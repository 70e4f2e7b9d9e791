# SPDX-License-Identifier: Apache-2.0
"""Pools with the connections to their servers, each kept until a task names a newer version."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

from redesignate.backends import registry
from redesignate.backends.port import Backend
from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.model.errors import Misconfigured, PoolNotFound, Unavailable
from redesignate.model.pool import Endpoint, Nameserver, Pool, Target, catalog_key
from redesignate.model.tsigkey import TSIGKey
from redesignate.observe.log import events
from redesignate.wire import tsig

BACKEND_CALLS = 2
"""How many zones may use the backend of one target at a time; the rest queue and hold nothing."""
MAKING, MAKING_S = 16, 0.5
"""How many zones a target may be making at a time that fetches each by itself, and the longest that one counts. named
stops all its threads for each new zone: given all at once, it makes them all before it fetches, and answers no more."""
CLOSE_AFTER_S = 30.0
REBUILD_AFTER_S = 5.0
"""How often a target that could not be used is set up again: a missing key file may exist by then."""

Build = Callable[[Pool, Target], Backend]
log = events(__name__)


class Unusable(Exception):
    """A peer cannot be worked with as the pool is configured; the text is one line."""


@dataclass(slots=True)
class TargetConnection:
    """A target with its backend, or with the reason why there is none.

    silence   the error of a zone whose NOTIFY is not answered, the same for each zone
    """

    target: Target
    notify: Endpoint | None = None
    backend: Backend | None = None
    wrong: str | None = None
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BACKEND_CALLS))
    making: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAKING))
    silence: str = field(init=False)

    def __post_init__(self) -> None:
        """Write the error once."""
        self.silence = f"no answer to NOTIFY from {self.notify}"


@dataclass(slots=True)
class PoolConnections:
    """A pool, its keys by id, and its targets.

    built       when (loop seconds) its targets were last set up
    unusable    whether some target cannot be used
    zone_keys   zones whose messages are signed with a key of their own: the pool's catalog zone
    """

    pool: Pool
    keys: dict[str, TSIGKey]
    targets: list[TargetConnection] = field(default_factory=list)
    built: float = 0.0
    unusable: bool = False
    zone_keys: dict[str, TSIGKey] = field(init=False)

    def __post_init__(self) -> None:
        """Look up the catalog zone's key."""
        catalog, key = self.pool.catalog, catalog_key(self.pool)
        self.zone_keys = {catalog.name: key} if catalog is not None and key is not None else {}

    def replace_targets(self, targets: list[TargetConnection], now: float) -> None:
        """The targets as they were set up at `now`."""
        self.targets, self.built = targets, now
        self.unusable = any(each.wrong is not None for each in targets)

    def key(self, key_id: str | None) -> TSIGKey | None:
        """A peer's TSIG key. Raises Unusable where the pool names one that does not exist, or that cannot sign."""
        if key_id is None:
            return None
        if key_id not in self.keys:
            raise Unusable(f"pool {self.pool.name!r} names TSIG key {key_id}, which does not exist")
        return _checked(self.keys[key_id])

    def key_for(self, zone_name: str, key_id: str | None) -> TSIGKey | None:
        """The key that signs a NOTIFY of a zone: the zone's own if it has one, else the peer's. Raises Unusable."""
        own = self.zone_keys.get(zone_name)
        return self.key(key_id) if own is None else _checked(own)

    def nameserver(self, peer_id: str) -> Nameserver | None:
        """The nameserver of this peer id."""
        return next((server for server in self.pool.nameservers if server.id == peer_id), None)

    def target(self, peer_id: str) -> TargetConnection | None:
        """The target of this peer id."""
        return next((each for each in self.targets if each.target.id == peer_id), None)


def _checked(key: TSIGKey) -> TSIGKey:
    """The key, if it can sign. Raises Unusable."""
    try:
        tsig.prepare(key)
    except ValueError as error:
        raise Unusable(str(error)) from None
    return key


class PoolCache:
    """The pools that this worker has used.

    `ask` puts a question to central; `build` makes a backend; `changed` is called with every new copy.
    """

    def __init__(
        self,
        ask: Callable[[PoolForWork], Awaitable[WorkPool]],
        *,
        build: Build = registry.build,
        changed: Callable[[PoolConnections], None] = lambda _: None,
    ) -> None:
        self._ask = ask
        self._build = build
        self._changed = changed
        self._pools: dict[str, PoolConnections] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[PoolConnections]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def connections(self, pool_id: str, version: int) -> PoolConnections:
        """The pool at this version or a newer one. Asks central once, however many wait.

        Raises what `ask` raises; Unavailable where the answer is older, since it was read where the change has not
        arrived yet (another node of Galera, a replica): servers would be made by a definition that no longer holds.
        """
        known = self._pools.get(pool_id)
        if known is not None and known.pool.version >= version:
            if known.unusable and asyncio.get_running_loop().time() - known.built >= REBUILD_AFTER_S:
                self._rebuild(known)
            return known
        slot = (pool_id, version)
        if slot not in self._asking:
            self._asking[slot] = asyncio.create_task(self._fetch(pool_id, version))
            self._asking[slot].add_done_callback(lambda _: self._asking.pop(slot, None))
        return await asyncio.shield(self._asking[slot])

    def known(self, pool_id: str) -> PoolConnections | None:
        """The copy at hand, if there is one."""
        return self._pools.get(pool_id)

    def every(self) -> tuple[PoolConnections, ...]:
        """Every copy at hand."""
        return tuple(self._pools.values())

    def servers(self) -> int:
        """How many nameservers a zone has, of the pools at hand the most; at least one."""
        return max((len(each.pool.nameservers) for each in self._pools.values()), default=0) or 1

    async def refresh(self) -> None:
        """Read every copy at hand anew, and forget the pools that are deleted. Raises what `ask` raises, else.

        A pool without work is named by no task, so that nobody would notice its change.

        Cost   one question to central for each pool
        """
        for pool_id in tuple(self._pools):
            try:
                await self._fetch(pool_id, 0)
            except PoolNotFound:
                self._forget(pool_id)

    async def close(self) -> None:
        """Close every backend, those of replaced targets too."""
        self._ending.set()
        await asyncio.gather(*self._closing, *(_close(pool.targets) for pool in self._pools.values()))

    def _rebuild(self, pool: PoolConnections) -> None:
        """Try once more to use what could not be used."""
        targets = [self._target(pool.pool, each.target, each) for each in pool.targets]
        pool.replace_targets(targets, asyncio.get_running_loop().time())

    async def _fetch(self, pool_id: str, version: int) -> PoolConnections:
        found = await self._ask(PoolForWork(pool_id=pool_id))
        if found.pool.version < version:
            raise Unavailable(f"Pool {found.pool.name} was read at version {found.pool.version}, not {version}; retry.")
        old = self._pools.get(pool_id)
        if old is not None and old.pool.version > found.pool.version:
            return old
        kept = {each.target.id: each for each in old.targets} if old else {}
        pool = PoolConnections(found.pool, {key.id: key for key in found.keys})
        targets = [self._target(found.pool, target, kept.get(target.id)) for target in found.pool.targets]
        pool.replace_targets(targets, asyncio.get_running_loop().time())
        self._pools[pool_id] = pool
        self._retire([target for target in kept.values() if target not in pool.targets])
        self._changed(pool)
        return pool

    def _forget(self, pool_id: str) -> None:
        """A pool was deleted: it has no peers any more."""
        gone = self._pools.pop(pool_id, None)
        if gone is not None:
            self._retire(gone.targets)
            self._changed(PoolConnections(replace(gone.pool, targets=(), nameservers=()), {}))

    def _retire(self, targets: list[TargetConnection]) -> None:
        """Close these targets once the attempts that use them have ended."""
        if targets:
            closing = asyncio.create_task(self._close_later(targets))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _target(self, pool: Pool, target: Target, old: TargetConnection | None) -> TargetConnection:
        """A target that did not change keeps its backend, and with it its connection."""
        if old is not None and old.target == target and old.wrong is None:
            return old
        try:
            options = registry.parse_options(pool, target)
            kind = registry.kind(target.type)
            notified = kind is None or kind.notified
            return TargetConnection(target, options.notify if notified else None, self._build(pool, target))
        except Misconfigured as error:
            log.error("a target of a pool cannot be used", pool=pool.name, target=target.id, why=error.message)
            return TargetConnection(target, wrong=error.message)

    async def _close_later(self, targets: list[TargetConnection]) -> None:
        """Attempts that began with the old pool end first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_AFTER_S):
                await self._ending.wait()
        await _close(targets)


async def _close(targets: Iterable[TargetConnection]) -> None:
    """Close each target's backend; a failure does not stop the others."""
    for each in targets:
        try:
            if each.backend is not None:
                await each.backend.close()
        except Exception:  # the loop of a service
            log.exception("a backend did not close", target=each.target.id)
