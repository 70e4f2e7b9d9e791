# SPDX-License-Identifier: Apache-2.0
"""Zones that are abandoned, and zones that move to another pool: who lets go of them, and when."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.pools import DeletePool
from redesignate.commands.quotas import GetUsage
from redesignate.commands.upkeep import PurgeZones
from redesignate.commands.work import ReleaseWork
from redesignate.commands.zonetasks import AbandonZone, ContinueMoves, GetZoneMove, MoveStep, MoveZone, ZoneMove
from redesignate.config.settings import DEFAULT_POOL_ID
from redesignate.model import errors
from redesignate.model.pool import CatalogSpec, NSRecord, Pool
from redesignate.model.work import PeerOutcome, Role, Task
from redesignate.model.zone import Action, Status, Zone, ZoneType
from tests.central.conftest import Build
from tests.central.driver import OTHER_POOL, CentralDriver, admin, member
from tests.central.test_races import at_once, settle

OTHER_NS = (NSRecord("ns9.example.net.", 1),)
NOWHERE = str(uuid.UUID(int=7))


def second(central: CentralDriver, servers: int = 2, catalog: CatalogSpec | None = None) -> Pool:
    """A pool of servers of its own."""
    return central.second_pool(ns_records=OTHER_NS, net="198.51.100", servers=servers, targets=servers, catalog=catalog)


def move(central: CentralDriver, zone: Zone, pool_id: str | None = OTHER_POOL) -> Zone:
    return central.call(MoveZone(caller=admin(), zone_id=zone.id, pool_id=pool_id))


def on(central: CentralDriver) -> int:
    return central.call(ContinueMoves()).count


def state(central: CentralDriver, zone: Zone) -> ZoneMove:
    return central.call(GetZoneMove(caller=admin(), zone_id=zone.id))


def abandon(central: CentralDriver, zone: Zone) -> None:
    central.call(AbandonZone(caller=admin(), zone_id=zone.id))


def of(tasks: Sequence[Task], pool_id: str) -> Task:
    (found,) = [task for task in tasks if task.pool_id == pool_id]
    return found


@pytest.fixture
def moving(central: CentralDriver) -> tuple[CentralDriver, Zone]:
    """A zone that the default pool serves, and a second pool of two servers."""
    second(central)
    zone = central.zone()
    central.rrset(zone, "www")
    central.serve()
    return central, central.get(zone.id)


# -- abandon


def test_an_abandoned_zone_is_gone_and_no_server_is_asked_to_drop_it(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    abandon(central, zone)
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id)
    assert not central.rows("outbox")
    assert not central.hints
    assert central.call(GetUsage(caller=member(), project_id=None))["zones"] == 0
    assert central.zone().serial > zone.serial


def test_a_worker_that_has_an_abandoned_zone_in_hand_leaves_it_and_no_other_takes_it_up(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    central.serve()
    central.delete(zone)
    (task,) = central.begin()
    abandon(central, zone)
    central.said(task, [replace(each, ok=False, present=True) for each in central.as_wanted(task)])
    assert not central.rows("outbox")

    again = central.zone()
    (task,) = central.begin(again)
    abandon(central, again)
    central.call(ReleaseWork())  # the worker is killed
    (left,) = central.begin(again)
    known = {state.peer_id: state for state in left.peers}
    assert all(not one.present and one.revision >= left.revision for one in known.values())
    assert len(known) == 2
    central.said(left, [])
    assert not central.rows("outbox")


def test_a_nameserver_without_an_abandoned_zone_does_not_have_it_worked_on_again(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    abandon(central, zone)
    absent = [replace(each, ok=False, present=False, absent=True) for each in central.as_wanted(task)]
    central.said(task, [each for each in absent if each.role is Role.NAMESERVER])
    assert not central.rows("outbox")


def test_a_zone_that_others_need_or_that_is_a_catalog_is_not_abandoned(central: CentralDriver) -> None:
    central.pool(catalog=CatalogSpec(name="catalog.invalid."))
    top = central.zone()
    child = central.zone(name="a.example.org.")
    with pytest.raises(errors.ZoneHasSubZone):
        abandon(central, top)
    abandon(central, child)
    abandon(central, top)
    (row,) = central.rows("zones", type="CATALOG", deleted="")
    assert not [one for one in central.rows("rrsets", zone_id=row.id) if one.type == "PTR"]
    with pytest.raises(errors.Forbidden, match="catalog"):
        central.call(AbandonZone(caller=admin(all_projects=True), zone_id=row.id))


# -- moves


def test_the_former_servers_let_go_only_when_every_server_of_the_new_pool_serves(
    moving: tuple[CentralDriver, Zone],
) -> None:
    central, zone = moving
    after = move(central, zone)
    assert (after.pool_id, after.action, after.status) == (OTHER_POOL, Action.UPDATE, Status.PENDING)
    assert central.rrsets(zone)[zone.name, "NS"].records == ("ns9.example.net.",)
    assert after.mname == "ns9.example.net."
    (task,) = central.begin()
    assert (task.pool_id, task.present, task.peers) == (OTHER_POOL, True, ())
    outcomes = central.as_wanted(task)
    late = next(each for each in outcomes if each.role is Role.NAMESERVER)
    for said in ([each for each in outcomes if each is not late], [replace(late, ok=False, present=False, why="slow")]):
        central.said(task, said, final=False)
        assert on(central) == 0
        assert len(central.begin()) == 0
        (source,) = state(central, zone).sources
        assert (source.pool_id, source.step, source.servers_left) == (DEFAULT_POOL_ID, MoveStep.WAITING, 1)
    central.said(task, [late])
    assert central.get(zone.id).status is Status.ACTIVE
    assert on(central) == 1
    (source,) = state(central, zone).sources
    assert (source.step, source.servers_left) == (MoveStep.REMOVING, 2)
    (removal,) = central.begin()
    assert (removal.pool_id, removal.present, removal.name) == (DEFAULT_POOL_ID, False, zone.name)
    wanted = central.as_wanted(removal)
    central.said(removal, [wanted[0], replace(wanted[1], ok=False, present=True, why="still serves")])
    (source,) = state(central, zone).sources
    assert (source.servers_left, source.error) == (1, "still serves")
    central.said(removal, wanted)
    assert on(central) == 1
    assert state(central, zone) == ZoneMove(zone_id=zone.id, pool_id=OTHER_POOL, sources=())
    assert not central.rows("zone_moves")
    assert not central.rows("outbox")
    assert central.get(zone.id).status is Status.ACTIVE
    central.pass_time(10)
    everything = PurgeZones(first_shard=0, last_shard=4095, age_s=1, limit=10)
    assert central.call(everything) == 1


def test_edits_during_a_move_do_not_hold_it_up(moving: tuple[CentralDriver, Zone]) -> None:
    central, zone = moving
    move(central, zone)
    (task,) = central.begin()
    central.rrset(zone, "more")
    central.said(task, central.as_wanted(task), final=False)
    assert central.outbox(zone) is not None
    assert on(central) == 1


def test_records_are_the_same_and_stay_active_while_their_zone_moves(moving: tuple[CentralDriver, Zone]) -> None:
    central, zone = moving
    move(central, zone)
    held = central.rrsets(zone)
    assert held["www.example.org.", "A"].status is Status.ACTIVE
    assert held["example.org.", "NS"].status is Status.PENDING


def test_a_zone_that_moves_back_is_kept_by_those_that_it_comes_back_to(anywhere: Build) -> None:
    central = anywhere()
    second(central)
    zone = central.zone()
    central.serve()
    move(central, zone)
    move(central, zone, DEFAULT_POOL_ID)
    assert [one.pool_id for one in state(central, zone).sources] == [OTHER_POOL]
    move(central, zone)
    central.serve()
    on(central)
    removal = of(central.begin(), DEFAULT_POOL_ID)  # a worker is asking the servers to drop it at this moment
    move(central, zone, DEFAULT_POOL_ID)
    assert not central.begin(zone, worker="w2")  # until that worker's lease ends
    central.said(removal, central.as_wanted(removal))
    central.call(ReleaseWork())
    (task,) = central.begin(zone, worker="w2")
    assert (task.pool_id, task.present) == (DEFAULT_POOL_ID, True)
    central.said(task, central.as_wanted(task), worker="w2")
    finish(central)
    assert state(central, zone).sources == ()
    assert central.get(zone.id).pool_id == DEFAULT_POOL_ID


def finish(central: CentralDriver) -> None:
    """Work and look at moves until nothing is left to do."""
    for _ in range(10):
        settle(central)
        on(central)
    assert not central.rows("outbox")
    assert not central.rows("zone_moves")


def test_a_zone_of_the_name_that_is_made_in_the_former_pool_stays_there(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second(central)
    zone = central.zone()
    central.serve()
    move(central, zone)
    made = central.zone()
    assert made.pool_id == DEFAULT_POOL_ID
    with pytest.raises(errors.DuplicateZone):
        move(central, made)
    finish(central)
    assert not [row for row in central.rows("zones") if row.deleted]
    assert {central.get(each.id).status for each in (zone, made)} == {Status.ACTIVE}


def test_a_zone_that_is_deleted_while_it_moves_is_dropped_by_both_pools(moving: tuple[CentralDriver, Zone]) -> None:
    central, zone = moving
    move(central, zone)
    central.delete(zone)
    assert on(central) == 1
    assert {(task.pool_id, task.present) for task in central.begin()} == {(OTHER_POOL, False), (DEFAULT_POOL_ID, False)}
    finish(central)


def test_a_zone_that_is_abandoned_while_it_moves_is_dropped_by_none(moving: tuple[CentralDriver, Zone]) -> None:
    central, zone = moving
    move(central, zone)
    abandon(central, zone)
    assert on(central) == 0
    assert not central.rows("outbox")
    assert not central.rows("zone_moves")


def test_a_secondary_zone_moves_with_the_serial_of_its_primaries(central: CentralDriver) -> None:
    second(central)
    zone = central.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.200",))
    after = move(central, zone)
    assert (after.pool_id, after.serial, after.status) == (OTHER_POOL, zone.serial, zone.status)
    assert not central.rows("outbox")
    assert state(central, zone).sources == ()  # no server has it yet


def test_catalogs_list_a_zone_where_it_is_and_where_it_was_until_it_is_served(central: CentralDriver) -> None:
    central.pool(catalog=CatalogSpec(name="one.invalid."))
    second(central, catalog=CatalogSpec(name="two.invalid."))
    zone = central.zone()
    central.serve()
    catalogs = {row.name: row.id for row in central.rows("zones", type="CATALOG")}

    def listed() -> set[str]:
        return {
            name
            for name, catalog in catalogs.items()
            if any(zone.id in row.name for row in central.rows("rrsets", zone_id=catalog))
        }

    move(central, zone)
    assert listed() == {"one.invalid.", "two.invalid."}
    central.serve()
    assert on(central) == 1
    assert listed() == {"two.invalid."}


def test_a_parent_and_its_child_are_of_one_pool(central: CentralDriver) -> None:
    second(central)
    top = central.zone()
    middle = central.zone(name="b.example.org.")
    low = central.zone(name="a.b.example.org.")
    move(central, middle)
    assert central.get(low.id).parent_id == top.id
    assert central.get(middle.id).parent_id is None
    move(central, low)
    assert central.get(low.id).parent_id == middle.id
    move(central, top)
    assert central.get(middle.id).parent_id == top.id


def test_where_a_zone_cannot_go_it_stays(build: Build) -> None:
    central = build(scheduler_filters=("attribute", "in_doubt_default_pool"))
    zone = central.zone()
    refusals: tuple[tuple[str | None, str], ...] = (
        (DEFAULT_POOL_ID, "must be different"),
        (NOWHERE, "does not exist"),
        (None, "No valid pool selected"),
    )
    for pool_id, text in refusals:
        with pytest.raises(errors.BadInput, match=text):
            move(central, zone, pool_id)
    central.pool(id=OTHER_POOL, name="second", servers=0, targets=0)
    with pytest.raises(errors.BadInput, match="TSIG key"):
        move(central, zone)
    central.second_pool(servers=0, targets=0)
    with pytest.raises(errors.BadInput, match="has no nameservers"):
        move(central, zone)
    central.pool(id=OTHER_POOL, name="second")
    with pytest.raises(errors.BadInput, match=r"share the server 192\.0\.2\.1:53"):
        move(central, zone)
    central.delete(zone)
    with pytest.raises(errors.BadInput, match="deleting"):
        move(central, zone)
    with pytest.raises(errors.Forbidden):
        central.call(MoveZone(caller=member(), zone_id=zone.id, pool_id=OTHER_POOL))


def test_the_scheduler_chooses_where_no_pool_is_named(build: Build) -> None:
    central = build(scheduler_filters=("attribute", "in_doubt_default_pool"), pool=False)
    central.pool(attributes={"tier": "iron"})
    zone = central.zone(attributes={"tier": "iron"})
    central.patch(zone, attributes={"tier": "gold"})
    central.second_pool(attributes={"tier": "gold"}, net="198.51.100")
    assert move(central, zone, None).pool_id == OTHER_POOL


def test_a_pool_that_comes_to_share_a_server_keeps_its_zones_until_it_does_not(
    moving: tuple[CentralDriver, Zone],
) -> None:
    central, zone = moving
    move(central, zone)
    central.serve()
    central.pool(nameservers=({"host": "198.51.100.1", "port": 53},))
    assert on(central) == 0
    (source,) = state(central, zone).sources
    assert source.error == "both pools have the server 198.51.100.1:53; take it out of one of them"
    central.pool()
    assert on(central) == 1


def test_a_pool_that_zones_are_leaving_stays(moving: tuple[CentralDriver, Zone]) -> None:
    central, zone = moving
    move(central, zone)
    with pytest.raises(errors.InvalidOperation, match="still leaving"):
        central.call(DeletePool(caller=admin(), pool_id=DEFAULT_POOL_ID))
    finish(central)
    central.call(DeletePool(caller=admin(), pool_id=DEFAULT_POOL_ID))


def test_moves_are_looked_at_in_steps_that_pass_by_those_that_wait(central: CentralDriver) -> None:
    second(central)
    zones = sorted((central.zone(name=f"z{n}.org.") for n in range(5)), key=lambda zone: zone.id)
    central.serve()
    for zone in zones:
        move(central, zone)
    (task,) = central.begin(zones[4])
    central.said(task, central.as_wanted(task))
    after, counts = "", []
    for _ in range(3):
        step = central.call(ContinueMoves(after=after, limit=2))
        counts.append(step.count)
        after = step.after
    assert (counts, step.more) == ([0, 0, 1], False)
    with central.counted() as statements:
        central.call(ContinueMoves())
    assert len(statements) <= 4
    with central.counted() as statements:
        move(central, zones[0], DEFAULT_POOL_ID)
    assert len(statements) <= 24


def test_a_zone_moves_once_whoever_asks_at_once(anywhere: Build) -> None:
    central = anywhere()
    second(central)
    zone = central.zone()
    central.serve()
    ends = at_once(*(lambda: move(central, zone) for _ in range(4)), lambda: central.rrset(zone, "www"))
    assert ends == {"ok": 2, "BadInput": 3}
    central.serve()
    assert at_once(*(lambda: on(central) for _ in range(4))) == {"ok": 4}
    assert len([row for row in central.rows("zones") if row.deleted]) == 1
    finish(central)


Act = Callable[[CentralDriver, Zone], object]


def _step(central: CentralDriver, *, lose: bool, fail: bool) -> None:
    """A worker takes whatever is due, and is killed before its report, or some server fails."""
    central.pass_time(30)
    central.call(ReleaseWork())
    ids = [row.zone_id for row in central.rows("outbox")]
    with central.store.read() as reading:
        zones = list(reading.zones.many(ids).values())
    for n, task in enumerate(central.begin(*zones) if zones else ()):
        said: list[PeerOutcome] = [] if lose else central.as_wanted(task)
        if fail and n % 2 == 0:
            said = said[:1]
        central.said(task, said, final=not lose)


ACTS: dict[str, Act] = {
    "to the second": move,
    "to the first": lambda central, zone: move(central, zone, DEFAULT_POOL_ID),
    "edit": lambda central, zone: central.patch(zone, description="x"),
    "look": lambda central, _: on(central),
    "work": lambda central, _: _step(central, lose=False, fail=False),
    "killed": lambda central, _: _step(central, lose=True, fail=False),
    "fails": lambda central, _: _step(central, lose=False, fail=True),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(sorted(ACTS)), max_size=14))
def test_wherever_a_zone_goes_its_pool_serves_it_in_the_end_and_no_other(build: Build, acts: list[str]) -> None:
    """What the servers hold is played by their outcomes: a server has the zone if the last task said present."""
    central = build()
    second(central)
    zone = central.zone()
    central.serve()
    for act in acts:
        try:
            ACTS[act](central, zone)
        except errors.BadInput:
            continue
    finish(central)
    now = central.get(zone.id)
    assert now.status is Status.ACTIVE
    with central.store.read() as reading:
        pool = reading.pools.get(now.pool_id)
    assert pool is not None
    there = [row for row in central.rows("peer_states", zone_id=zone.id) if row.present]
    assert {row.peer_id for row in there} == pool.peers
