# SPDX-License-Identifier: Apache-2.0
"""Leases: the database's clock is everybody's, and what a worker that lost one still says changes nothing. A pool's
change queues every zone of it, whatever is being changed at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from redesignate.model.clock import SECOND, now
from redesignate.model.paging import ListQuery
from redesignate.model.service import ServiceState
from redesignate.model.work import PeerState, Role
from redesignate.store import migrate
from redesignate.store.outbox import NEVER, Later
from redesignate.store.services import Said
from redesignate.store.unit import Retries, Store, Work
from redesignate.store.zones import Stale
from tests.store.databases import Database
from tests.store.makers import add, new_id, queued, zone
from tests.support.servers import until

AHEAD = 540 * SECOND


@pytest.fixture(params=[AHEAD, -AHEAD], ids=["ahead", "behind"])
def skewed(request: pytest.FixtureRequest, shared_url: str, database: Database) -> Iterator[Store]:
    """The store of a central whose clock is nine minutes off."""
    if database.kind == "sqlite":
        pytest.skip("SQLite is one host's, and has its clock")
    made = Store(shared_url, clock=lambda: now() + request.param)
    yield made
    made.close()


def lease(store: Store, worker: str, zone_id: str, seconds: float) -> bool:
    """As central takes rows: from its own clock's now on."""

    def do(work: Work) -> bool:
        return work.outbox.lease(worker, [zone_id], work.now, work.now + int(seconds * SECOND)) == 1

    return store.transact(do)


def test_a_lease_is_as_long_for_everybody_as_it_was_granted_for(store: Store, skewed: Store) -> None:
    short, long = zone(), zone()
    store.transact(lambda work: work.outbox.enqueue([short, long], work.now))
    assert lease(skewed, "w1", long.id, 60)
    assert not lease(store, "w2", long.id, 60)
    assert lease(skewed, "w1", short.id, 0.3)
    until(lambda: lease(store, "w2", short.id, 60), deadline_s=5, what="the lease's end")
    assert not lease(skewed, "w1", short.id, 60)


def test_work_is_due_at_once_whatever_the_clock_of_the_central_that_queued_it(store: Store, skewed: Store) -> None:
    queued_by_it, read_by_it = zone(pool_id=new_id()), zone(pool_id=new_id())
    skewed.transact(lambda work: work.outbox.enqueue([queued_by_it], work.now))
    store.transact(lambda work: work.outbox.enqueue([read_by_it], work.now))
    for by in (store, skewed):
        with by.read() as work:
            assert {queued_by_it.id, read_by_it.id} <= set(work.outbox.overdue(work.now, 0, 0, 4095, 10_000))
            assert not work.outbox.overdue(work.now, 60 * SECOND, 0, 4095, 10_000), "none has been due for a minute"
            assert not work.outbox.stranded(work.now, SECOND, 0, 4095, 10_000)
    skewed.transact(lambda work: work.outbox.enqueue([queued_by_it], work.now))
    skewed.transact(lambda work: work.outbox.enqueue_pool(read_by_it.pool_id, work.now))
    for row in queued(store, queued_by_it.id, read_by_it.id).values():
        assert abs(row.next_try - now()) < 60 * SECOND


def test_how_far_a_zone_has_come_is_read_with_the_databases_time(store: Store, skewed: Store) -> None:
    of = zone()
    add(store, of)
    with skewed.read() as work:
        found = work.peers.progress([of.id], work.now)[of.id]
    assert abs(found.now - now()) < 60 * SECOND


def test_a_service_is_not_down_because_two_centrals_clocks_differ(store: Store, skewed: Store) -> None:
    names = {store: f"own-{new_id()}", skewed: f"skewed-{new_id()}"}

    def beat(work: Work, host: str) -> None:
        work.services.beat("worker", host, Said("p", ServiceState.UP, 60 * SECOND, {}), work.now)

    def states() -> set[ServiceState]:
        with store.read() as work:
            found = work.services.listed(ListQuery(limit=1000)).items
        return {service.status for service in found if service.hostname in names.values()}

    for by, name in names.items():
        by.transact(lambda work, name=name: beat(work, name))  # type: ignore[misc]  # mypy infers no lambda defaults
    for by in (store, skewed):
        by.transact(lambda work: work.services.silence(60 * SECOND, work.now))
        assert states() == {ServiceState.UP}
        by.transact(lambda work: work.services.clean(60 * SECOND, work.now))
    until(lambda: store.transact(lambda work: work.services.silence(0, work.now)) >= 2, deadline_s=5, what="silence")
    for by in (store, skewed):
        by.transact(lambda work: work.services.clean(60 * SECOND, work.now))
        assert states() == {ServiceState.DOWN}
    skewed.transact(lambda work: work.services.clean(0, work.now))
    assert states() == set()


def test_a_lease_of_inbound_zones_is_as_long_for_everybody(store: Store, skewed: Store) -> None:
    ident = new_id()
    store.transact(lambda work: work.inbound.add(ident, 0))

    def taken(by: Store, worker: str, seconds: float) -> bool:
        def do(work: Work) -> bool:
            return ident in work.inbound.lease(worker, [ident], work.now, work.now + int(seconds * SECOND))

        return by.transact(do)

    assert taken(skewed, "w1", 0.3)
    until(lambda: taken(store, "w2", 60), deadline_s=5, what="the lease's end")
    assert not taken(skewed, "w1", 60)
    with skewed.read() as work:
        assert ident not in work.inbound.due(work.now, 10_000)


def test_primaries_are_asked_when_they_should_be_whatever_a_centrals_clock_shows(store: Store, skewed: Store) -> None:
    new, wished, later = new_id(), new_id(), new_id()
    for ident in (new, wished, later):
        skewed.transact(lambda work, ident=ident: work.inbound.add(ident, work.now))  # type: ignore[misc]
    skewed.transact(lambda work: work.inbound.wish([wished], work.now))
    skewed.transact(lambda work: work.inbound.wish([later], work.now, wait=120 * SECOND))
    for by in (store, skewed):
        with by.read() as work:
            due = set(work.inbound.due(work.now, 10_000))
            assert {new, wished} <= due
            assert later not in due
            row = work.inbound.get(later, work.now)
        assert row is not None
        assert abs(row.read_at - now()) < 60 * SECOND


def test_a_copy_expires_by_the_databases_clock(store: Store, skewed: Store) -> None:
    ident = new_id()
    skewed.transact(lambda work: work.inbound.add(ident, work.now))

    def expires(seconds: int) -> bool:
        def do(work: Work) -> None:
            row = work.inbound.get(ident, work.now)
            assert row is not None
            work.inbound.save(row, replace(row, loaded=True, expires_at=row.read_at + seconds * SECOND))

        skewed.transact(do)
        with skewed.read() as work:
            return ident in work.inbound.expired(work.now, 0, 4095, 10_000)

    assert not expires(60)
    assert expires(-60)


def test_members_with_clocks_of_their_own_see_each_other(store: Store, skewed: Store) -> None:
    group = new_id()

    def hold(by: Store, member: str) -> tuple[str, ...]:
        return by.transact(lambda work: work.members.hold(group, member, work.now, work.now + 10 * SECOND))

    assert hold(store, "a") == ("a",)
    assert hold(skewed, "b") == ("a", "b")
    assert hold(store, "a") == ("a", "b")


def test_times_are_whole_microseconds_of_the_databases_clock(shared_url: str, store: Store) -> None:
    of = zone()
    store.transact(lambda work: work.outbox.enqueue([of], work.now))
    assert lease(store, "w", of.id, 7)
    row = current(store, of.id)
    # PostgreSQL reads its clock once for each of the two
    assert abs(row.lease_until - row.leased_at - 7 * SECOND) < 10_000
    assert abs(row.leased_at - now()) < 60 * SECOND


def held(store: Store, owner: str = "w1") -> Any:
    """A row that a worker holds, as its report has read it."""
    of = zone(pool_id=new_id(), revision=5)
    store.transact(lambda work: work.outbox.enqueue([of], work.now))
    assert lease(store, owner, of.id, 60)
    return current(store, of.id)


def current(store: Store, zone_id: str) -> Any:
    return queued(store, zone_id)[zone_id]


def once(store: Store) -> Store:
    return Store(store.url, retries=Retries(attempts=1))


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_late_report_leaves_the_next_workers_lease_alone(store: Store, goes_on: bool) -> None:
    before = held(store)
    store.transact(lambda work: work.outbox.release())
    assert lease(store, "w2", before.zone_id, 60)
    after = current(store, before.zone_id)

    def late(work: Work) -> None:
        rows = [Later(before, work.now, 1)]
        with pytest.raises(Stale):
            work.outbox.keep(rows, work.now, work.now + SECOND) if goes_on else work.outbox.let_go(rows)

    store.transact(late)
    assert current(store, before.zone_id) == after


def test_a_report_that_a_change_of_the_pool_overtook_writes_nothing(store: Store) -> None:
    before = held(store)
    store.transact(lambda work: work.outbox.enqueue_pool(before.pool_id, work.now))
    assert lease(store, "w1", before.zone_id, 60) is False, "nobody may begin before the lease ends"

    def late(work: Work) -> None:
        with pytest.raises(Stale):
            work.outbox.let_go([Later(before, work.now, 1)])
        with pytest.raises(Stale):
            work.outbox.finish([(before.zone_id, before.revision, before.generation)])

    store.transact(late)
    assert current(store, before.zone_id).generation == before.generation + 1


def test_who_waits_for_a_slow_server_is_woken_and_who_has_just_begun_is_not(store: Store) -> None:
    before = held(store)
    of = zone(id=before.zone_id, pool_id=before.pool_id, revision=6)
    assert store.transact(lambda work: work.outbox.enqueue([of], work.now)) == []
    row = Later(before, before.next_try, 0, waiting=True)
    store.transact(lambda work: work.outbox.keep([row], work.now, work.now + 60 * SECOND))
    assert store.transact(lambda work: work.outbox.enqueue([of], work.now)) == [of.id]
    store.transact(lambda work: work.outbox.let_go([Later(before, 7, 3)]))
    after = current(store, of.id)
    assert (after.lease_owner, after.lease_until, after.next_try, after.attempts) == (None, NEVER, 7, 3)


# -- a pool's change


def test_a_zone_that_is_queued_meanwhile_does_not_stop_a_pools_change(store: Store) -> None:
    if store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    pool, tries = new_id(), []
    zones = [zone(pool_id=pool) for _ in range(20)]
    add(store, *zones)
    written, go = threading.Event(), threading.Event()

    def traffic(work: Work) -> None:
        work.outbox.enqueue(zones[:3], work.now)
        written.set()
        assert go.wait(10)

    def change(work: Work) -> None:
        tries.append(1)
        threading.Timer(0.2, go.set).start()  # while the statement waits for the row
        work.outbox.enqueue_pool(pool, work.now)

    thread = threading.Thread(target=store.transact, args=(traffic,))
    thread.start()
    assert written.wait(10)
    store.transact(change)
    thread.join(10)
    assert tries == [1]
    assert queued(store, *[one.id for one in zones]).keys() == {one.id for one in zones}


def test_a_pool_of_2000_zones_is_queued_while_they_are_written(database: Database) -> None:
    url = database.new()
    migrate.upgrade(url)
    store, pool = Store(url), new_id()
    zones = [zone(pool_id=pool) for _ in range(2000)]
    add(store, *zones)
    stop, errors = threading.Event(), []

    def writer(part: list[Any]) -> None:
        """Queue zones, and have them finished by who read them."""
        while not stop.is_set():
            for one in part:
                if stop.is_set():
                    return
                try:
                    store.transact(lambda work, one=one: work.outbox.enqueue([one], work.now))  # type: ignore[misc]
                except Exception as error:  # noqa: BLE001  # what the writers hear is what the test looks at
                    errors.append(error)

    threads = [threading.Thread(target=writer, args=(zones[at::2],)) for at in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        store.transact(lambda work: work.outbox.enqueue_pool(pool, work.now))
    stop.set()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert len(queued(store, *[one.id for one in zones])) == 2000
    assert store.transact(lambda work: work.outbox.release()) == 0
    store.close()
    database.drop(url)


def test_a_state_that_a_change_of_the_pool_removed_is_not_written_back(store: Store, shared_url: str) -> None:
    """The report has read it before, and writes it after: the target would never be configured anew."""
    if store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    before = held(store)
    of = zone(id=before.zone_id, pool_id=before.pool_id, revision=5)
    add(store, of)
    target = PeerState(peer_id=new_id(), role=Role.TARGET, present=True, revision=4)
    store.transact(lambda work: work.peers.save({of.id: {}}, {of.id: {target.peer_id: target}}))
    other, seen = Store(shared_url), []

    def change(work: Work) -> None:
        work.peers.forget_peers([target.peer_id])
        work.outbox.enqueue_pool(of.pool_id, work.now)

    def report(work: Work) -> None:
        work.zones.hold([of.id])
        one = work.peers.progress([of.id], work.now)[of.id]
        seen.append(dict(one.states))
        if len(seen) == 1:
            other.transact(change)
        if one.states and one.row is not None:
            work.peers.save({of.id: one.states}, {of.id: {target.peer_id: replace(target, revision=5)}})
            work.outbox.finish([(of.id, 5, one.row.generation)])

    store.transact(report)
    other.close()
    assert seen == [{target.peer_id: target}, {}]
    with store.read() as work:
        assert work.peers.progress([of.id], work.now)[of.id].states == {}
    assert current(store, of.id).generation > before.generation
