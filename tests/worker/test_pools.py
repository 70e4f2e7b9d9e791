# SPDX-License-Identifier: Apache-2.0
"""Copies of pools: fetched once, kept while they are new enough, and named where they cannot be used."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from redesignate.backends.fake import Fake, FakeOptions
from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.model.errors import PoolNotFound, Unavailable
from redesignate.model.pool import Pool, Target
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.worker import pools
from redesignate.worker.pools import PoolCache, PoolConnections, Unusable

TARGET = Target(id="t", type="fake", options={"port": "1053"})
POOL = Pool(id="p", name="gold", version=1, created_at=0, targets=(TARGET,))
KEY = TSIGKey(id="k", name="key", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.POOL, resource_id="p")


class Asked:
    """Central's side: hands out one pool, and counts."""

    def __init__(self, pool: Pool | None, *keys: TSIGKey) -> None:
        self.pool = pool
        self.keys = keys
        self.count = 0

    async def __call__(self, question: PoolForWork) -> WorkPool:
        self.count += 1
        await asyncio.sleep(0)
        if self.pool is None:
            raise PoolNotFound("Could not find Pool")
        return WorkPool(pool=self.pool, keys=self.keys)


def test_many_zones_ask_for_a_pool_once_and_again_when_it_changed() -> None:
    async def run() -> None:
        asked = Asked(POOL)
        cache = PoolCache(asked)
        first, *others = await asyncio.gather(*(cache.connections("p", 1) for _ in range(50)))
        assert asked.count == 1
        assert all(other is first for other in others)
        asked.pool = replace(POOL, version=2, description="new")
        second = await cache.connections("p", 2)
        assert asked.count == 2
        assert await cache.connections("p", 1) is second
        assert second.targets[0].backend is first.targets[0].backend  # unchanged: its connection is kept
        asked.pool = replace(POOL, version=3, targets=(replace(TARGET, options={"port": "2053"}),))
        third = await cache.connections("p", 3)
        assert third.targets[0].backend is not first.targets[0].backend
        assert str(third.targets[0].notify) == "127.0.0.1:2053"
        await cache.close()

    asyncio.run(run())


def test_an_older_pool_than_the_task_names_is_not_used() -> None:
    async def run() -> None:
        asked = Asked(POOL)
        cache = PoolCache(asked)
        with pytest.raises(Unavailable, match="version 1, not 2"):
            await cache.connections("p", 2)
        asked.pool = replace(POOL, version=2)
        assert (await cache.connections("p", 2)).pool.version == 2

    asyncio.run(run())


class Closing(Fake):
    """Counts how often it was closed, and fails at it."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1
        raise OSError


def test_the_end_closes_every_backend_once_and_those_that_were_replaced_too() -> None:
    made: list[Closing] = []

    def build(_pool: Pool, target: Target) -> Closing:
        made.append(Closing(target, FakeOptions()))
        return made[-1]

    async def run() -> None:
        asked = Asked(replace(POOL, targets=(TARGET, replace(TARGET, id="u"))))
        cache = PoolCache(asked, build=build)
        await cache.connections("p", 1)
        asked.pool = replace(POOL, version=2, targets=(replace(TARGET, options={"port": "2053"}),))
        await cache.connections("p", 2)
        assert [backend.closed for backend in made] == [0, 0, 0]
        await cache.close()
        assert [backend.closed for backend in made] == [1, 1, 1]

    asyncio.run(run())


def test_a_replaced_backend_is_closed_and_forgotten_once_its_work_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "CLOSE_AFTER_S", 0.0)

    async def run() -> None:
        asked = Asked(POOL)
        cache = PoolCache(asked, build=lambda _pool, target: Closing(target, FakeOptions()))
        first = (await cache.connections("p", 1)).targets[0].backend
        asked.pool = replace(POOL, version=2, targets=())
        await cache.connections("p", 2)
        while cache._closing:
            await asyncio.sleep(0)
        assert isinstance(first, Closing)
        assert first.closed == 1

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_target_that_cannot_be_used_says_why_and_leaves_the_others() -> None:
    async def run() -> None:
        bad = Target(id="b", type="bind10")
        pool = await PoolCache(Asked(replace(POOL, targets=(bad, TARGET)))).connections("p", 1)
        assert "bind10" in str(pool.targets[0].wrong)
        assert pool.targets[1].backend is not None

    asyncio.run(run())


def test_a_builtin_target_gets_no_notify() -> None:
    async def run() -> None:
        pool = await PoolCache(Asked(replace(POOL, targets=(Target(id="b", type="builtin"),)))).connections("p", 1)
        assert pool.targets[0].notify is None

    asyncio.run(run())


def test_keys_that_are_missing_or_broken_are_named() -> None:
    async def run() -> None:
        pool = await PoolCache(Asked(POOL, KEY, replace(KEY, id="odd", name="odd", secret="?"))).connections("p", 1)
        assert pool.key(None) is None
        assert pool.key("k") == KEY
        with pytest.raises(Unusable, match=r"'gold'.*nokey"):
            pool.key("nokey")
        with pytest.raises(Unusable, match="'odd' cannot be used"):
            pool.key("odd")

    asyncio.run(run())


def test_a_deleted_pool_is_forgotten_with_its_peers_and_its_backends_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "CLOSE_AFTER_S", 0.0)
    copies: list[PoolConnections] = []

    async def run() -> None:
        asked = Asked(POOL)
        cache = PoolCache(asked, build=lambda _pool, target: Closing(target, FakeOptions()), changed=copies.append)
        backend = (await cache.connections("p", 1)).targets[0].backend
        await cache.refresh()
        assert [pool.targets[0].backend for pool in cache.every()] == [backend]  # unchanged: it is kept
        asked.pool = None
        await cache.refresh()
        assert (cache.every(), cache.known("p")) == ((), None)
        assert (copies[-1].pool.id, copies[-1].pool.peers) == ("p", frozenset())
        while cache._closing:
            await asyncio.sleep(0)
        assert isinstance(backend, Closing)
        assert backend.closed == 1

    asyncio.run(asyncio.wait_for(run(), 5))
