# SPDX-License-Identifier: Apache-2.0
"""What is done at one target, and what counts as its outcome."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from redesignate.commands.work import WorkPool
from redesignate.model.pool import Catalog, Endpoint
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.model.work import PeerOutcome, PeerState, Role
from redesignate.model.zone import ZoneType
from redesignate.observe.log import Seldom
from redesignate.wire import message, tsig
from redesignate.worker import apply as applying
from redesignate.worker.apply import apply, notify_once, notify_only
from redesignate.worker.attempt import Attempt
from redesignate.worker.poll import poll
from redesignate.worker.pools import PoolConnections
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import SERVED, TASK, try_with


def at(attempt: Attempt) -> Endpoint:
    found = attempt.pool.targets[0].notify
    assert found is not None
    return found


async def first_target(attempt: Attempt) -> PeerOutcome:
    return await apply(attempt, attempt.pool.targets[0])


def test_a_new_zone_is_created_and_notified() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server)
        outcome = try_with(first_target, server, backends=[backend])
        assert (outcome.ok, outcome.present, outcome.role) == (True, True, Role.TARGET)
        assert backend.calls == [("create", TASK.name)]
        assert server.zones == {TASK.name: TASK.serial}


async def target_and_server(attempt: Attempt) -> PeerOutcome:
    polled = asyncio.create_task(poll(attempt, attempt.pool.pool.nameservers[0]))
    outcome = await first_target(attempt)
    assert (await polled).ok
    return outcome


def test_a_target_that_fetches_what_is_created_is_not_notified() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server, fetching=TASK.serial)
        outcome = try_with(target_and_server, server, backends=[backend])
        assert (outcome.ok, outcome.present) == (True, True)
        assert server.questions("NOTIFY") == []


def test_a_target_whose_own_fetch_fails_is_notified_after_all() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server, fetching=0)
        assert try_with(target_and_server, server, backends=[backend]).ok
        assert len(server.questions("NOTIFY")) == 1


def test_a_target_that_has_lost_the_zone_is_given_it_back() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server)
        outcome = try_with(first_target, server, task=replace(TASK, peers=(SERVED,)), backends=[backend])
        assert outcome.ok
        assert ("create", TASK.name) in backend.calls
        assert server.zones == {TASK.name: TASK.serial}


def test_a_refusal_is_told_and_what_was_there_is_still_there() -> None:
    with SmallServer(zones={TASK.name: 1}) as server:
        backend = SmallBackend(server, failing="rndc: permission denied")
        outcome = try_with(first_target, server, task=replace(TASK, peers=(SERVED,)), backends=[backend])
        assert (outcome.ok, outcome.present, outcome.why) == (False, True, "rndc: permission denied")


def test_a_target_that_hangs_fails_when_its_window_ends() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server)
        backend.hangs.set()
        outcome = try_with(first_target, server, backends=[backend], window=0.2)
        assert (outcome.ok, outcome.why) == (False, "fake: no answer within 0.2 s")


def test_a_silent_target_fails_for_want_of_an_answer_to_its_notify() -> None:
    async def as_polled(attempt: Attempt) -> PeerOutcome:
        attempt.signals.mark_polled(at(attempt), ok=False)
        return await first_target(attempt)

    with SmallServer(silent=True) as server:
        outcome = try_with(as_polled, server, window=0.4)
        assert outcome.why == f"no answer to NOTIFY from 127.0.0.1:{server.port}"


def test_nothing_is_called_once_the_lease_has_run_out() -> None:
    with SmallServer() as server:
        backend = SmallBackend(server)
        outcome = try_with(first_target, server, backends=[backend], lease_s=0.0)
        assert (outcome.ok, outcome.tried, outcome.why) == (False, False, "the lease ran out")
        assert backend.calls == []


def test_a_backend_that_is_down_is_not_called() -> None:
    async def down(attempt: Attempt) -> PeerOutcome:
        for sent in range(4):
            attempt.health["t0"].silent(sent, sent + 1.0, "rndc: cannot connect")
        return await first_target(attempt)

    with SmallServer() as server:
        backend = SmallBackend(server)
        outcome = try_with(down, server, backends=[backend])
        assert outcome.why == "rndc: cannot connect"
        assert backend.calls == []


def test_a_deleted_zone_is_deleted_and_nothing_is_notified() -> None:
    gone = replace(TASK, present=False, hard_delete=True, peers=(SERVED,))
    with SmallServer(zones={TASK.name: 107}) as server:
        backend = SmallBackend(server)
        outcome = try_with(first_target, server, task=gone, backends=[backend])
        assert (outcome.ok, outcome.present) == (True, False)
        assert backend.calls == [("delete hard", TASK.name)]
        assert server.asked == []


def test_a_success_after_failures_makes_the_target_well() -> None:
    returned: list[float | None] = []

    async def watched(attempt: Attempt) -> PeerOutcome:
        outcome = await first_target(attempt)
        returned.append(attempt.health["t0"].returned)
        return outcome

    failed = PeerState(peer_id="t0", role=Role.TARGET, attempts=2, error="no answer")
    with SmallServer() as server:
        assert try_with(watched, server, task=replace(TASK, peers=(failed,))).ok
        assert returned != [None]


def test_notifies_alone_go_on_until_the_zone_is_served() -> None:
    async def remind(attempt: Attempt) -> None:
        reminder = asyncio.create_task(notify_only(attempt, attempt.pool.targets[0]))
        await asyncio.to_thread(server.wait_asked, "NOTIFY", 3)
        attempt.signals.mark_polled(at(attempt), ok=True)
        await asyncio.wait_for(reminder, 5)

    with SmallServer(zones={TASK.name: 107}) as server:
        try_with(remind, server)


def test_the_notify_of_a_catalog_is_signed_with_the_catalogs_key() -> None:
    """The key is named like the zone, whatever key the target has."""
    catalog = Catalog(name="catalog.example.", secret="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ==")

    async def run(attempt: Attempt) -> PeerOutcome:
        pool = PoolConnections(replace(attempt.pool.pool, catalog=catalog), {}, attempt.pool.targets)
        attempt.signals.mark_polled(at(attempt), ok=False)
        return await first_target(replace(attempt, pool=pool))

    with SmallServer() as server:
        try_with(run, server, task=replace(TASK, catalog=(catalog.name, 9)), window=0.3)
        asked = [message.read(packet) for packet in server.packets]
    notifies = [each for each in asked if each.opcode == message.NOTIFY]
    key = tsig.prepare(TSIGKey(id="", name="catalog.example", algorithm="hmac-sha256", secret=catalog.secret or "",
                               scope=Scope.POOL, resource_id=""))  # fmt: skip
    assert notifies
    for each in notifies:
        found = tsig.signature(each)
        assert found is not None
        tsig.verify(each, found, key, found.time)


SEALED = Catalog(name="catalog.example.", secret="sealed:x")
"""A catalog zone whose key was sealed with a secret.key that is lost."""


def with_sealed_catalog(attempt: Attempt) -> Attempt:
    pool = WorkPool(pool=replace(attempt.pool.pool, catalog=SEALED))
    return replace(attempt, pool=PoolConnections(pool.pool, {}, attempt.pool.targets))


def test_a_catalog_whose_key_cannot_be_opened_fails_the_target_with_that_reason() -> None:
    async def run(attempt: Attempt) -> PeerOutcome:
        attempt.signals.mark_polled(at(attempt), ok=False)
        return await first_target(with_sealed_catalog(attempt))

    with SmallServer() as server:
        outcome = try_with(run, server, task=replace(TASK, catalog=(SEALED.name, 9)), window=0.4)
        assert outcome.why is not None
        assert outcome.why.startswith("TSIG key 'catalog.example' cannot be used: its secret is not base64, or sealed")
        assert server.packets == []


def test_reminders_of_a_catalog_whose_key_cannot_be_opened_are_not_sent_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(applying, "_unsigned", Seldom(300.0))

    async def run(attempt: Attempt) -> None:
        sealed = with_sealed_catalog(attempt)
        await notify_only(sealed, sealed.pool.targets[0])
        await notify_once(sealed, at(sealed))
        await notify_once(sealed, at(sealed))

    with SmallServer() as server:
        try_with(run, server, task=replace(TASK, name=SEALED.name, type=ZoneType.CATALOG))
        assert server.packets == []
    (line,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "catalog.example" in str(line.__dict__["fields"])


def test_a_target_that_fetches_by_itself_makes_a_new_zone_until_it_serves_it() -> None:
    async def test(attempt: Attempt) -> PeerOutcome:
        target = attempt.pool.targets[0]
        target.making = asyncio.Semaphore(1)
        made = asyncio.create_task(apply(attempt, target))
        while not backend.calls:
            await asyncio.sleep(0)
        assert target.making.locked()
        assert (await poll(attempt, attempt.pool.pool.nameservers[0])).ok
        outcome = await made
        assert not target.making.locked()
        return outcome

    with SmallServer() as server:
        backend = SmallBackend(server, fetching=TASK.serial)
        assert try_with(test, server, backends=[backend]).ok


def test_a_target_that_is_making_enough_zones_is_given_no_other_and_nobody_is_blamed() -> None:
    async def test(attempt: Attempt) -> PeerOutcome:
        attempt.pool.targets[0].making = asyncio.Semaphore(0)
        return await first_target(attempt)

    with SmallServer() as server:
        backend = SmallBackend(server, fetching=TASK.serial)
        outcome = try_with(test, server, backends=[backend], window=0.2)
        assert (outcome.ok, outcome.tried, backend.calls) == (False, False, [])


def test_a_new_zone_that_is_not_served_counts_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MAKING_S", 0.05)

    async def test(attempt: Attempt) -> PeerOutcome:
        target = attempt.pool.targets[0]
        target.making = asyncio.Semaphore(1)
        made = asyncio.create_task(apply(attempt, target))
        while not backend.calls:
            await asyncio.sleep(0)
        async with asyncio.timeout(1):
            await target.making.acquire()
        return await made

    with SmallServer(silent=True) as server:
        backend = SmallBackend(server, fetching=0)
        assert not try_with(test, server, backends=[backend], window=2.0).ok
