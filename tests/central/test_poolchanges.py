# SPDX-License-Identifier: Apache-2.0
"""A change of a pool's servers reaches every zone, batch by batch, whatever comes between."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from redesignate.commands.pools import ApplyPool, DeletePool, QueuedZones, QueuePoolZones
from redesignate.model.pool import Pool, PoolSpec, TargetSpec
from redesignate.model.work import Task
from redesignate.model.zone import Zone
from redesignate.store import poolchanges
from redesignate.store.zones import Stale
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, OTHER_POOL, CentralDriver, admin
from tests.support.servers import until


def made(central: CentralDriver, count: int) -> list[Zone]:
    """Zones that every server has, in the order of their ids."""
    zones = [central.zone(name=f"z{n}.org.") for n in range(count)]
    central.serve()
    return sorted(zones, key=lambda zone: zone.id)


def change(central: CentralDriver, number: int, limit: int) -> Pool:
    """Give the pool's target another primary: what it has of every zone is of no use any more."""
    target = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 1000 + number),))
    return central.call(ApplyPool(caller=OPERATOR, spec=PoolSpec(name="default", targets=(target,)), limit=limit))


def queued(central: CentralDriver) -> set[str]:
    return {row.zone_id for row in central.rows("outbox")}


def test_what_one_batch_leaves_the_next_one_does(anywhere: Build) -> None:
    central = anywhere()
    zones = made(central, 25)
    pool = change(central, 1, limit=10)
    assert queued(central) == {zone.id for zone in zones[:10]}
    assert central.call(QueuePoolZones(limit=10)) == QueuedZones(queued=10, left=5, more=True)
    assert queued(central) == {zone.id for zone in zones[:20]}
    assert central.call(QueuePoolZones(limit=10)) == QueuedZones(queued=5, left=0, more=False)
    assert queued(central) == {zone.id for zone in zones}
    assert not central.rows("peer_states", peer_id=pool.targets[0].id)
    assert central.call(QueuePoolZones()) == QueuedZones(queued=0, left=0, more=False)


def test_a_pool_of_one_batch_needs_no_second_one(central: CentralDriver) -> None:
    zones = made(central, 3)
    change(central, 1, limit=1000)
    assert queued(central) == {zone.id for zone in zones}
    assert not central.rows("pool_changes")


def test_a_last_batch_that_is_full_is_followed_by_an_empty_one(central: CentralDriver) -> None:
    made(central, 4)
    change(central, 1, limit=2)
    assert central.call(QueuePoolZones(limit=2)) == QueuedZones(queued=2, left=0, more=True)
    assert central.call(QueuePoolZones(limit=2)) == QueuedZones(queued=0, left=0, more=False)


def test_zones_of_other_pools_and_deleted_ones_are_passed_over(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    zones = made(central, 6)
    central.second_pool()
    central.zone(name="other.org.", caller=admin(), attributes={"pool_id": OTHER_POOL})
    central.serve()
    gone = zones.pop(2)
    central.delete(gone)
    central.serve()
    change(central, 1, limit=1)
    while central.call(QueuePoolZones(limit=1)).more:
        pass
    assert queued(central) == {zone.id for zone in zones}


def test_a_worker_that_holds_a_zone_of_a_later_batch_loses_it_then(central: CentralDriver) -> None:
    zones = made(central, 4)
    central.rrset(zones[3], "www")
    (task,) = central.begin(zones[3])
    change(central, 1, limit=2)
    assert central.outbox(zones[3]).lease_owner == "w1"
    assert not central.call(QueuePoolZones(limit=2)).left
    row = central.outbox(zones[3])
    assert row.lease_owner is None
    central.said(task, central.as_wanted(task))
    assert central.outbox(zones[3]) is not None
    assert not central.begin(zones[3], worker="w2"), "nobody may begin before the lease ends"


def test_a_zone_that_is_finished_before_its_batch_comes_is_queued_by_it(central: CentralDriver) -> None:
    zones = made(central, 4)
    pool = change(central, 1, limit=2)
    central.rrset(zones[3], "www")
    (task,) = central.begin(zones[3])
    assert pool.targets[0].id in {state.peer_id for state in task.peers}, "the target is believed to have it still"
    central.said(task, central.as_wanted(task))
    assert central.outbox(zones[3]) is None
    central.call(QueuePoolZones(limit=2))
    (task,) = central.begin(zones[3])
    assert pool.targets[0].id not in {state.peer_id for state in task.peers}


def test_a_change_during_a_change_begins_anew_and_forgets_the_peers_of_both(central: CentralDriver) -> None:
    central.pool(servers=2)
    zones = made(central, 4)
    left = central.pool(servers=2).nameservers[1].id
    fewer = PoolSpec(name="default", nameservers=({"host": "192.0.2.1", "port": 53},))
    central.call(ApplyPool(caller=OPERATOR, spec=fewer, limit=2))
    pool = change(central, 1, limit=2)
    (row,) = central.rows("pool_changes")
    assert (row.up_to, row.version, row.queued) == (zones[1].id, pool.version, 2)
    while central.call(QueuePoolZones(limit=2)).more:
        pass
    assert not central.rows("peer_states", peer_id=left)
    assert not central.rows("peer_states", peer_id=pool.targets[0].id)


def test_a_batch_that_another_has_done_meanwhile_is_begun_again(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two transactions on two nodes of a Galera cluster both hold the lock."""
    made(central, 6)
    change(central, 1, limit=2)
    with central.store.read() as work:
        changes = poolchanges.PoolChanges(work.conn)
        before = changes.next()
        assert before is not None
        window = changes.window(before, 2)
    central.call(QueuePoolZones(limit=2))
    with central.store.read() as work, pytest.raises(Stale):
        poolchanges.PoolChanges(work.conn).advance(before, window)


def test_a_pool_that_is_deleted_leaves_no_change(central: CentralDriver) -> None:
    zones = made(central, 4)
    pool = change(central, 1, limit=1)
    for zone in zones:
        central.delete(zone)
    central.serve()
    assert central.rows("pool_changes")
    central.call(DeletePool(caller=OPERATOR, pool_id=pool.id))
    assert not central.rows("pool_changes")


def test_a_batch_costs_the_same_however_large_the_pool(central: CentralDriver) -> None:
    made(central, 12)
    change(central, 1, limit=3)
    with central.counted() as statements:
        central.call(QueuePoolZones(limit=3))
    assert len(statements) <= 8, statements


# -- whatever comes between

STEPS = st.one_of(
    st.tuples(st.just("change"), st.integers(1, 4)),
    st.tuples(st.just("batch"), st.integers(1, 4)),
    st.tuples(st.just("edit"), st.integers(0, 5)),
    st.tuples(st.just("begin"), st.integers(0, 5)),
    st.tuples(st.just("report"), st.integers(0, 5)),
    st.tuples(st.just("create"), st.just(0)),
)


class World:
    """Zones with one target, and workers that may be late. `told`: the pool's version by which the target has each."""

    def __init__(self, central: CentralDriver) -> None:
        self.central = central
        self.zones = made(central, 6)
        self.told: dict[str, int] = {}
        self.held: dict[str, Task] = {}
        self.wanted = 0

    def step(self, what: str, number: int) -> None:
        zone = self.zones[number % len(self.zones)]
        match what:
            case "change":
                self.wanted = change(self.central, self.wanted + 1, limit=number).version
            case "batch":
                self.central.call(QueuePoolZones(limit=number))
            case "create":
                self.zones.append(self.central.zone(name=f"new{len(self.zones)}.org."))
                self.told[self.zones[-1].id] = -1
            case "edit":
                self.central.rrset(zone, f"r{len(self.central.rows('rrsets'))}")
            case "begin":
                self.begin(zone)
            case "report" if zone.id in self.held:
                self.report(zone)

    def begin(self, zone: Zone) -> None:
        """A worker takes the zone, and configures it on a target that is not known to have it."""
        for task in self.central.begin(zone, worker=f"w{zone.id}"):
            self.held[zone.id] = task
            if not any(state.role.value == "target" and state.present for state in task.peers):
                self.told[zone.id] = task.pool_version

    def report(self, zone: Zone) -> None:
        task = self.held.pop(zone.id)
        self.central.said(task, self.central.as_wanted(task), worker=f"w{zone.id}")

    def finish(self) -> None:
        """The producer does what is left of the change, and workers what is queued."""
        while self.central.call(QueuePoolZones(limit=3)).more:
            pass
        for zone in self.zones * 3:
            self.central.pass_time(11)
            self.begin(zone)
            if zone.id in self.held:
                self.report(zone)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30))
def test_every_zone_is_configured_on_the_target_as_the_last_change_says(
    build: Build, steps: list[tuple[Any, int]]
) -> None:
    world = World(build())
    for what, number in steps:
        world.step(what, number)
    world.finish()
    late = [zone.name for zone in world.zones if world.told.get(zone.id, 0) < world.wanted]
    assert not late
    assert not world.central.rows("outbox")
    world.central.close()


def test_a_first_report_that_a_change_overtakes_does_not_outlive_it(anywhere: Build) -> None:
    """What the worker did on the target was by the old pool, and its state is new: no batch can have forgotten it."""
    central = anywhere()
    if central.store.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    other = CentralDriver(central.store.url)
    zone = central.zone()
    (task,) = central.begin(zone)
    pools: list[Pool] = []

    def overtake(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("DELETE FROM outbox") and not pools:
            pools.append(change(other, 1, limit=1000))

    event.listen(central.store.engine, "before_cursor_execute", overtake)
    central.said(task, central.as_wanted(task))
    other.close()
    assert not central.rows("peer_states", peer_id=pools[0].targets[0].id)
    assert central.outbox(zone) is not None


def test_a_change_waits_for_a_report_that_is_being_stored_and_neither_is_undone(anywhere: Build) -> None:
    """Both write the outbox first, then what is known of the peers."""
    central = anywhere()
    if central.store.engine.dialect.name == "sqlite":
        pytest.skip("one writer at a time")
    other = CentralDriver(central.store.url)
    (zone,) = made(central, 1)
    central.rrset(zone, "www")
    (task,) = central.begin(zone)
    pools: list[Pool] = []
    undone: list[object] = []
    thread = threading.Thread(target=lambda: pools.append(change(other, 1, limit=1000)))

    def meet(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        written.extend(word for word in statement.split()[1:3] if word in ("outbox", "peer_states"))
        if {"outbox", "peer_states"} <= set(written) and not thread.ident:
            thread.start()
            until(lambda: waits(central) or not thread.is_alive(), deadline_s=10, what="the change to wait")

    written: list[str] = []
    for one in (central, other):
        event.listen(one.store.engine, "handle_error", undone.append)
    event.listen(central.store.engine, "before_cursor_execute", meet)
    central.said(task, central.as_wanted(task))
    thread.join(10)
    other.close()
    assert not undone
    assert not central.rows("peer_states", peer_id=pools[0].targets[0].id)
    assert central.outbox(zone) is not None


def waits(central: CentralDriver) -> bool:
    """Whether a transaction waits for a row that another has locked."""
    if central.store.engine.dialect.name == "postgresql":
        asked = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    else:
        of = "information_schema.global_status WHERE variable_name = 'Innodb_row_lock_current_waits'"
        asked = f"SELECT CAST(variable_value AS SIGNED) FROM {of}"  # innodb_trx is not renewed while one looks
    with central.store.read() as work:
        return bool(work.conn.execute(text(asked)).scalar_one())
