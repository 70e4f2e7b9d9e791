# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones in central: when their primaries are asked, what is taken from them and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redesignate.commands.inbound import BeginInbound, DueInbound, NotifiedInbound, SweepInbound, TransferZone
from redesignate.commands.tsigkeys import CreateTSIGKey
from redesignate.commands.work import ReleaseWork
from redesignate.commands.zones import ZonePeers
from redesignate.model import errors
from redesignate.model.clock import SECOND
from redesignate.model.inbound import Result
from redesignate.model.tsig import Scope
from redesignate.model.work import PeerView, Role
from redesignate.model.zone import Action, Status, Zone, ZoneType
from tests.central.conftest import Build
from tests.central.customer import BODY, PRIMARY, RRSIG, content, fetch, look, secondary, tell
from tests.central.house import OPERATOR, House, admin, member

DAY = 86400


def due(house: House) -> tuple[str, ...]:
    return house.call(DueInbound())


def row(house: House, zone: Zone) -> Any:
    return next(iter(house.rows("inbound", zone_id=zone.id)), None)


def primary(house: House, zone: Zone) -> PeerView:
    first = house.call(ZonePeers(caller=member(), zone_id=zone.id))[0]
    assert first.role is Role.PRIMARY
    return first


def wished(house: House, zone: Zone) -> None:
    house.call(TransferZone(caller=member(), zone_id=zone.id))


# -- coming in


def test_a_new_secondary_zone_is_due_at_once_and_no_server_hears_of_it(house: House) -> None:
    zone = secondary(house)
    assert due(house) == (zone.id,)
    assert house.inbound_hints == [zone.id]
    assert (house.hints, house.outbox(zone)) == ([], None)
    assert primary(house, zone).state == "absent"


# -- who is heard


def test_a_zone_that_never_came_in_is_not_queued_whoever_writes_into_it(house: House) -> None:
    zone = secondary(house)
    house.rrset(zone, "own", caller=admin())
    assert (house.hints, house.outbox(zone)) == ([], None)
    fetch(house, zone, 5)
    assert ("own.example.org.", "A") not in house.rrsets(zone)
    assert house.outbox(zone) is not None


def test_a_zone_has_one_worker_at_a_time_and_a_dead_ones_lease_ends(house: House) -> None:
    zone = secondary(house)
    look(house, zone)
    assert due(house) == ()
    assert house.call(BeginInbound(worker="w2", zone_ids=(zone.id,))) == ()
    look(house, zone)  # the holder may ask again, and holds on
    house.pass_time(61)
    assert due(house) == (zone.id,)
    look(house, zone, worker="w2")


def test_a_start_beside_which_nobody_lives_frees_every_zone(house: House) -> None:
    zone = secondary(house)
    look(house, zone)
    assert house.call(ReleaseWork()) == 1
    look(house, zone, worker="w2")


def test_nothing_is_taken_from_a_worker_that_lost_the_zone(house: House) -> None:
    zone = secondary(house)
    late = look(house, zone)
    house.pass_time(61)
    fetch_by = look(house, zone, worker="w2")
    tell(house, late, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).transferred_at is None
    tell(house, fetch_by, Result.FETCHED, worker="w2", serial=2, content=content(zone.name, 2))
    tell(house, late, Result.FAILED, why="late")
    assert (house.get(zone.id).serial, primary(house, zone).error) == (2, None)


def test_nothing_is_taken_from_a_former_primary(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    house.patch(zone, primaries=("192.0.2.10",))
    tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).transferred_at is None
    again = look(house, zone, worker="w2")
    assert (again.primaries, again.forced) == (("192.0.2.10",), True)


def test_nothing_is_taken_that_set_out_from_another_serial(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    wished(house, zone)
    task = replace(look(house, zone), serial=4)
    tell(house, task, Result.FETCHED, serial=6, content=content(zone.name, 6))
    assert house.get(zone.id).serial == 5
    assert due(house) == (zone.id,)


def test_a_report_that_came_twice_counts_once(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    for _ in range(2):
        tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).revision == 2


def test_a_deleted_zone_takes_nothing_and_is_asked_for_no_more(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    house.delete(zone)
    assert (due(house), row(house, zone)) == ((), None)
    tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    house.serve()
    with pytest.raises(errors.ZoneNotFound):
        house.get(zone.id)


def test_work_given_back_is_due_again_and_counts_as_no_failure(house: House) -> None:
    zone = secondary(house)
    tell(house, look(house, zone), Result.UNTOUCHED)
    assert due(house) == (zone.id,)
    assert row(house, zone).attempts == 0


# -- when


def test_a_zone_is_asked_for_at_its_refresh_time_and_after_a_failure_at_its_retry_time(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    house.pass_time(1079)
    assert due(house) == ()
    house.pass_time(122)
    task = look(house, zone)
    assert (task.serial, task.forced) == (5, False)
    tell(house, task, Result.FAILED, why="silence")
    house.pass_time(160)
    assert due(house) == ()
    house.pass_time(40)
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert row(house, zone).attempts == 0
    house.pass_time(1079)
    assert due(house) == ()


@pytest.mark.parametrize(("refresh", "lowest", "highest"), [(0, 54, 60), (2**31 - 1, 25 * DAY, 28 * DAY)])
def test_a_primarys_refresh_time_is_kept_within_reason(house: House, refresh: int, lowest: int, highest: int) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, refresh=refresh)
    assert lowest <= (row(house, zone).due_at - house.time) / SECOND <= highest


def test_a_zone_that_never_came_is_tried_soon_then_less_often_and_fails_visibly(house: House) -> None:
    zone, pauses = secondary(house), []
    for _ in range(house.settings.poll_max_retries):
        assert house.get(zone.id).status is Status.PENDING
        tell(house, look(house, zone), Result.FAILED, why="nobody\nthere")
        pauses.append((row(house, zone).due_at - house.time) / SECOND)
        house.time = row(house, zone).due_at
    assert pauses[0] < 1.2
    assert 50 < pauses[-1] < 70
    assert house.get(zone.id).status is Status.ERROR
    assert primary(house, zone).error == "nobody?there"
    fetch(house, zone, 1)
    house.serve()
    assert house.get(zone.id).status is Status.ACTIVE


def test_a_notify_makes_the_zone_due_also_while_somebody_looks(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    assert house.call(NotifiedInbound(zones=((zone.id, PRIMARY),))) == 1
    task = look(house, zone)
    assert (task.notified_by, task.forced) == (PRIMARY, False)
    house.call(NotifiedInbound(zones=((zone.id, PRIMARY), ("gone", PRIMARY))))
    house.inbound_hints.clear()
    tell(house, task, Result.CURRENT, serial=5)
    assert (due(house), house.inbound_hints) == ((zone.id,), [zone.id])
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert due(house) == ()


def test_a_wish_is_forced_until_it_is_fulfilled(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    wished(house, zone)
    task = look(house, zone)
    assert task.forced
    tell(house, task, Result.FAILED, why="silence")
    house.pass_time(300)
    assert look(house, zone).forced
    fetch(house, zone, 5)
    house.pass_time(1300)
    assert not look(house, zone).forced


@pytest.mark.parametrize(("kind", "problem"), [(ZoneType.PRIMARY, errors.BadInput), (None, errors.ZoneNotFound)])
def test_only_a_secondary_zone_of_ones_own_can_be_fetched(house: House, kind: ZoneType | None, problem: Any) -> None:
    zone = house.zone() if kind else secondary(house)
    with pytest.raises(problem):
        house.call(TransferZone(caller=member() if kind else member("p2"), zone_id=zone.id))


def test_a_primary_that_went_back_is_contact_and_says_so(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    house.pass_time(1300)
    tell(house, look(house, zone), Result.CURRENT, serial=4, why="the primary's serial 4 does not come after 5")
    assert (primary(house, zone).state, "serial 4" in (primary(house, zone).error or "")) == ("current", True)


def test_a_zones_own_key_goes_with_its_task(house: House) -> None:
    zone = secondary(house)
    house.call(
        CreateTSIGKey(
            caller=OPERATOR, name="k", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.ZONE, resource_id=zone.id
        )
    )
    key = look(house, zone).key
    assert key is not None
    assert key.name == "k"


# -- expiry


def expired(house: House) -> Zone:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    while house.get(zone.id).status is not Status.ERROR:
        house.time = row(house, zone).due_at
        tell(house, look(house, zone), Result.FAILED, why="silence")
    return zone


def test_a_copy_expires_when_no_primary_answered_for_so_long(house: House) -> None:
    began = house.time
    zone = expired(house)
    assert 3600 <= (house.time - began) / SECOND < 3800
    assert (house.get(zone.id).action, row(house, zone).loaded) == (Action.NONE, False)
    view = primary(house, zone)
    assert (view.state, view.error) == ("expired", "silence")


def test_what_servers_say_makes_an_expired_copy_no_younger(house: House) -> None:
    zone = expired(house)
    house.pool()  # applied again: every zone is looked at anew
    house.pool(servers=2)
    house.hints.append(zone.id)
    house.serve()
    assert house.get(zone.id).status is Status.ERROR


def test_an_expired_copy_lives_again_with_its_primary_and_servers_are_told(house: House) -> None:
    zone = expired(house)
    before = house.get(zone.id)
    house.time = row(house, zone).due_at
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    after = house.get(zone.id)
    assert (after.status, after.serial, after.revision) == (Status.PENDING, 5, before.revision + 1)
    house.serve()
    assert house.get(zone.id).status is Status.ACTIVE
    assert primary(house, zone).state == "current"


def test_contact_keeps_a_copy_from_expiring(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    for _ in range(5):
        house.time = row(house, zone).due_at
        tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert house.get(zone.id).status is Status.ACTIVE


def test_the_sweep_lets_copies_expire_that_no_worker_looked_after(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    sweep = SweepInbound(first_shard=0, last_shard=4095, limit=100)
    assert house.call(sweep) == 0
    house.pass_time(4000)
    house.inbound_hints.clear()
    assert house.call(sweep) == 2
    assert house.get(zone.id).status is Status.ERROR
    assert house.inbound_hints == [zone.id]
    assert house.call(sweep) == 1


# -- neighbours in time


def test_an_earlier_zone_of_the_name_is_dropped_by_stragglers_until_the_first_content(house: House) -> None:
    old = house.zone()
    house.serve()
    house.delete(old)
    (task,) = house.begin()
    house.said(task, [one for one in house.well(task) if one.role is Role.NAMESERVER])
    new = secondary(house)
    assert house.outbox(old) is not None
    (again,) = house.begin(old)
    assert not again.superseded, "nothing of the new zone is there that a deletion could hit"
    fetch(house, new, 5)
    assert house.outbox(old) is None
    assert house.outbox(new) is not None


@pytest.mark.external
def test_it_is_the_same_on_every_database(anywhere: Build) -> None:
    house = anywhere()
    zone = secondary(house)
    fetch(house, zone, 1, raw=RRSIG)
    house.serve()
    wished(house, zone)
    body = dict(BODY) | {(f"n{n}", "TXT"): (5, [f'"{n}"']) for n in range(1200)}
    del body["mail", "MX"]
    fetch(house, zone, 2, body, raw=RRSIG)
    assert len(house.content(zone)) == 1204
    house.serve()
    assert (house.get(zone.id).status, house.get(zone.id).serial) == (Status.ACTIVE, 2)
    house.call(NotifiedInbound(zones=((zone.id, PRIMARY),)))
    assert due(house) == (zone.id,)
    tell(house, look(house, zone), Result.CURRENT, serial=2)
    house.pass_time(2 * DAY)
    assert house.call(SweepInbound(first_shard=0, last_shard=4095, limit=10)) == 2
    house.delete(house.get(zone.id))
    assert row(house, zone) is None
