# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones in central: when their primaries are asked, what is taken from them and what is not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
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
from redesignate.model.tsigkey import NewTSIGKey, Scope
from redesignate.model.work import PeerView, Role
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store.schema import inbound
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, CentralDriver, admin, member
from tests.central.primaries import BODY, PRIMARY, RRSIG, content, fetch, look, secondary, tell

DAY = 86400


def due(central: CentralDriver) -> tuple[str, ...]:
    return central.call(DueInbound())


def row(central: CentralDriver, zone: Zone) -> Any:
    return next(iter(central.rows("inbound", zone_id=zone.id)), None)


def primary(central: CentralDriver, zone: Zone) -> PeerView:
    first = central.call(ZonePeers(caller=member(), zone_id=zone.id))[0]
    assert first.role is Role.PRIMARY
    return first


def wished(central: CentralDriver, zone: Zone) -> None:
    central.call(TransferZone(caller=member(), zone_id=zone.id))


# -- coming in


def test_a_new_secondary_zone_is_due_at_once_and_no_server_hears_of_it(central: CentralDriver) -> None:
    zone = secondary(central)
    assert due(central) == (zone.id,)
    assert central.inbound_hints == [zone.id]
    assert (central.hints, central.outbox(zone)) == ([], None)
    assert primary(central, zone).state.value == "absent"


# -- who is heard


def test_a_zone_that_never_came_in_is_not_queued_whoever_writes_into_it(central: CentralDriver) -> None:
    zone = secondary(central)
    central.rrset(zone, "own", caller=admin())
    assert (central.hints, central.outbox(zone)) == ([], None)
    fetch(central, zone, 5)
    assert ("own.example.org.", "A") not in central.rrsets(zone)
    assert central.outbox(zone) is not None


def test_a_zone_has_one_worker_at_a_time_and_a_dead_ones_lease_ends(central: CentralDriver) -> None:
    zone = secondary(central)
    look(central, zone)
    assert due(central) == ()
    assert central.call(BeginInbound(worker="w2", zone_ids=(zone.id,))) == ()
    look(central, zone)  # the holder may ask again, and holds on
    central.pass_time(61)
    assert due(central) == (zone.id,)
    look(central, zone, worker="w2")


def test_a_start_beside_which_nobody_lives_frees_every_zone(central: CentralDriver) -> None:
    zone = secondary(central)
    look(central, zone)
    assert central.call(ReleaseWork()) == 1
    look(central, zone, worker="w2")


def test_nothing_is_taken_from_a_worker_that_lost_the_zone(central: CentralDriver) -> None:
    zone = secondary(central)
    late = look(central, zone)
    central.pass_time(61)
    fetch_by = look(central, zone, worker="w2")
    tell(central, late, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert central.get(zone.id).transferred_at is None
    tell(central, fetch_by, Result.FETCHED, worker="w2", serial=2, content=content(zone.name, 2))
    tell(central, late, Result.FAILED, why="late")
    assert (central.get(zone.id).serial, primary(central, zone).error) == (2, None)


def test_nothing_is_taken_from_a_former_primary(central: CentralDriver) -> None:
    zone = secondary(central)
    task = look(central, zone)
    central.patch(zone, primaries=("192.0.2.10",))
    tell(central, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert central.get(zone.id).transferred_at is None
    again = look(central, zone, worker="w2")
    assert (again.primaries, again.forced) == (("192.0.2.10",), True)


def test_nothing_is_taken_that_set_out_from_another_serial(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    wished(central, zone)
    task = replace(look(central, zone), serial=4)
    tell(central, task, Result.FETCHED, serial=6, content=content(zone.name, 6))
    assert central.get(zone.id).serial == 5
    assert due(central) == (zone.id,)


def test_a_report_that_came_twice_counts_once(central: CentralDriver) -> None:
    zone = secondary(central)
    task = look(central, zone)
    for _ in range(2):
        tell(central, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert central.get(zone.id).revision == 2


def test_a_deleted_zone_takes_nothing_and_is_asked_for_no_more(central: CentralDriver) -> None:
    zone = secondary(central)
    task = look(central, zone)
    central.delete(zone)
    assert (due(central), row(central, zone)) == ((), None)
    tell(central, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    central.serve()
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id)


def test_work_given_back_is_due_again_and_counts_as_no_failure(central: CentralDriver) -> None:
    zone = secondary(central)
    tell(central, look(central, zone), Result.UNTOUCHED)
    assert due(central) == (zone.id,)
    assert row(central, zone).attempts == 0


# -- when


def test_a_zone_is_asked_for_at_its_refresh_time_and_after_a_failure_at_its_retry_time(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    central.pass_time(1079)
    assert due(central) == ()
    central.pass_time(122)
    task = look(central, zone)
    assert (task.serial, task.forced) == (5, False)
    tell(central, task, Result.FAILED, why="silence")
    central.pass_time(160)
    assert due(central) == ()
    central.pass_time(40)
    tell(central, look(central, zone), Result.CURRENT, serial=5)
    assert row(central, zone).attempts == 0
    central.pass_time(1079)
    assert due(central) == ()


@pytest.mark.parametrize(("refresh", "lowest", "highest"), [(0, 54, 60), (2**31 - 1, 25 * DAY, 28 * DAY)])
def test_a_primarys_refresh_time_is_kept_within_reason(
    central: CentralDriver, refresh: int, lowest: int, highest: int
) -> None:
    zone = secondary(central)
    fetch(central, zone, 5, refresh=refresh)
    assert lowest <= (row(central, zone).due_at - central.time) / SECOND <= highest


def test_a_zone_that_never_came_is_tried_soon_then_less_often_and_fails_visibly(central: CentralDriver) -> None:
    zone, pauses = secondary(central), []
    for _ in range(central.settings.poll_max_retries):
        assert central.get(zone.id).status is Status.PENDING
        tell(central, look(central, zone), Result.FAILED, why="nobody\nthere")
        pauses.append((row(central, zone).due_at - central.time) / SECOND)
        central.time = row(central, zone).due_at
    assert pauses[0] < 1.2
    assert 50 < pauses[-1] < 70
    assert central.get(zone.id).status is Status.ERROR
    assert primary(central, zone).error == "nobody?there"
    fetch(central, zone, 1)
    central.serve()
    assert central.get(zone.id).status is Status.ACTIVE


def test_a_notify_makes_the_zone_due_also_while_somebody_looks(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    assert central.call(NotifiedInbound(zones=((zone.id, PRIMARY),))) == 1
    task = look(central, zone)
    assert (task.notified_by, task.forced) == (PRIMARY, False)
    central.call(NotifiedInbound(zones=((zone.id, PRIMARY), ("gone", PRIMARY))))
    central.inbound_hints.clear()
    tell(central, task, Result.CURRENT, serial=5)
    assert (due(central), central.inbound_hints) == ((), [])
    central.pass_time(2)
    assert due(central) == (zone.id,)
    tell(central, look(central, zone), Result.CURRENT, serial=5)
    assert due(central) == ()


def notified_for(central: CentralDriver, zone: Zone, seconds: int, serial: Callable[[], int]) -> list[int]:
    """A primary sends NOTIFY each second. When (in seconds) it was asked; it says `serial` then."""
    asked, began = [], central.time
    while central.time < began + seconds * SECOND:
        central.call(NotifiedInbound(zones=((zone.id, PRIMARY),)))
        if zone.id in due(central):
            asked.append((central.time - began) // SECOND)
            task, now = look(central, zone), serial()
            if now == task.serial:
                tell(central, task, Result.CURRENT, serial=now)
            else:
                tell(central, task, Result.FETCHED, serial=now, content=content(zone.name, now))
        central.pass_time(1)
    return asked


def test_notifies_that_bring_nothing_new_are_followed_less_and_less_often(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    assert notified_for(central, zone, 600, lambda: 5)[:8] == [0, 2, 6, 14, 30, 62, 122, 182]
    late = notified_for(central, zone, 130, lambda: 6)
    assert late[0] <= 60
    assert central.get(zone.id).serial == 6, "a new serial is found within the longest rest"
    central.pass_time(300)
    assert notified_for(central, zone, 3, lambda: 7) == [0, 1], "rested"


def test_each_notify_that_brings_something_new_is_followed_within_a_second(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    serials = itertools.count(6)
    assert notified_for(central, zone, 10, lambda: next(serials)) == list(range(10))


def test_a_wish_is_forced_until_it_is_fulfilled(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    wished(central, zone)
    task = look(central, zone)
    assert task.forced
    tell(central, task, Result.FAILED, why="silence")
    central.pass_time(300)
    assert look(central, zone).forced
    fetch(central, zone, 5)
    central.pass_time(1300)
    assert not look(central, zone).forced


@pytest.mark.parametrize(("kind", "problem"), [(ZoneType.PRIMARY, errors.BadInput), (None, errors.ZoneNotFound)])
def test_only_a_secondary_zone_of_ones_own_can_be_fetched(
    central: CentralDriver, kind: ZoneType | None, problem: Any
) -> None:
    zone = central.zone() if kind else secondary(central)
    with pytest.raises(problem):
        central.call(TransferZone(caller=member() if kind else member("p2"), zone_id=zone.id))


def test_a_primary_that_went_back_is_contact_and_says_so(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    central.pass_time(1300)
    tell(central, look(central, zone), Result.CURRENT, serial=4, why="the primary's serial 4 does not come after 5")
    assert (primary(central, zone).state.value, "serial 4" in (primary(central, zone).error or "")) == ("current", True)


def test_a_zones_own_key_goes_with_its_task(central: CentralDriver) -> None:
    zone = secondary(central)
    central.call(
        CreateTSIGKey(
            caller=OPERATOR,
            new=NewTSIGKey(name="k", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.ZONE, resource_id=zone.id),
        )
    )
    key = look(central, zone).key
    assert key is not None
    assert key.name == "k"


# -- expiry


def expired(central: CentralDriver) -> Zone:
    zone = secondary(central)
    fetch(central, zone, 5, expire=3600)
    central.serve()
    while central.get(zone.id).status is not Status.ERROR:
        central.time = row(central, zone).due_at
        tell(central, look(central, zone), Result.FAILED, why="silence")
    return zone


def test_a_copy_expires_when_no_primary_answered_for_so_long(central: CentralDriver) -> None:
    began = central.time
    zone = expired(central)
    assert 3600 <= (central.time - began) / SECOND < 3800
    assert (central.get(zone.id).action, row(central, zone).loaded) == (Action.NONE, False)
    view = primary(central, zone)
    assert (view.state.value, view.error) == ("expired", "silence")


def test_what_servers_say_makes_an_expired_copy_no_younger(central: CentralDriver) -> None:
    zone = expired(central)
    central.pool()  # applied again: every zone is looked at anew
    central.pool(servers=2)
    central.hints.append(zone.id)
    central.serve()
    assert central.get(zone.id).status is Status.ERROR


def test_an_expired_copy_lives_again_with_its_primary_and_servers_are_told(central: CentralDriver) -> None:
    zone = expired(central)
    before = central.get(zone.id)
    central.time = row(central, zone).due_at
    tell(central, look(central, zone), Result.CURRENT, serial=5)
    after = central.get(zone.id)
    assert (after.status, after.serial, after.revision) == (Status.PENDING, 5, before.revision + 1)
    central.serve()
    assert central.get(zone.id).status is Status.ACTIVE
    assert primary(central, zone).state.value == "current"


def test_contact_keeps_a_copy_from_expiring(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5, expire=3600)
    central.serve()
    for _ in range(5):
        central.time = row(central, zone).due_at
        tell(central, look(central, zone), Result.CURRENT, serial=5)
    assert central.get(zone.id).status is Status.ACTIVE


def test_the_sweep_lets_copies_expire_that_no_worker_looked_after(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5, expire=3600)
    central.serve()
    sweep = SweepInbound(first_shard=0, last_shard=4095, limit=100)
    assert central.call(sweep) == 0
    central.pass_time(4000)
    central.inbound_hints.clear()
    assert central.call(sweep) == 2
    assert central.get(zone.id).status is Status.ERROR
    assert central.inbound_hints == [zone.id]
    assert central.call(sweep) == 1


# -- neighbours in time


def test_an_earlier_zone_of_the_name_is_dropped_by_stragglers_until_the_first_content(central: CentralDriver) -> None:
    old = central.zone()
    central.serve()
    central.delete(old)
    (task,) = central.begin()
    central.said(task, [one for one in central.as_wanted(task) if one.role is Role.NAMESERVER])
    new = secondary(central)
    assert central.outbox(old) is not None
    (again,) = central.begin(old)
    assert not again.superseded, "nothing of the new zone is there that a deletion could hit"
    fetch(central, new, 5)
    assert central.outbox(old) is None
    assert central.outbox(new) is not None


@pytest.mark.external
def test_it_is_the_same_on_every_database(anywhere: Build) -> None:
    central = anywhere()
    zone = secondary(central)
    fetch(central, zone, 1, raw=RRSIG)
    central.serve()
    wished(central, zone)
    body = dict(BODY) | {(f"n{n}", "TXT"): (5, [f'"{n}"']) for n in range(1200)}
    del body["mail", "MX"]
    fetch(central, zone, 2, body, raw=RRSIG)
    assert len(central.content(zone)) == 1204
    central.serve()
    assert (central.get(zone.id).status, central.get(zone.id).serial) == (Status.ACTIVE, 2)
    central.call(NotifiedInbound(zones=((zone.id, PRIMARY),)))
    assert due(central) == (zone.id,)
    tell(central, look(central, zone), Result.CURRENT, serial=2)
    with central.store.engine.begin() as connection:  # only SQLite's clock is moved by a test
        connection.execute(inbound.update().values(due_at=1, expires_at=1))
    assert central.call(SweepInbound(first_shard=0, last_shard=4095, limit=10)) == 2
    central.delete(central.get(zone.id))
    assert row(central, zone) is None


def test_a_worker_that_begins_again_cannot_finish_with_what_it_fetched_before(central: CentralDriver) -> None:
    """The primaries were changed between the two, and its name is in the row again."""
    zone = secondary(central)
    before = look(central, zone)
    central.patch(zone, primaries=("192.0.2.10",))
    assert not central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60, renew=True))
    again = look(central, zone)
    tell(central, before, Result.FETCHED, serial=7, content=content(zone.name, 7, BODY))
    assert central.get(zone.id).transferred_at is None, "the former primary's zone is not taken"
    tell(central, before, Result.FAILED, why="no answer")
    found = row(central, zone)
    assert (found.lease_owner, found.attempts) == ("w1", 0), "the second attempt goes on"
    tell(central, again, Result.FETCHED, serial=9, content=content(zone.name, 9, BODY))
    assert row(central, zone).serial == 9


def test_a_renewed_lease_is_the_same_attempts(central: CentralDriver) -> None:
    zone = secondary(central)
    task = look(central, zone)
    central.pass_time(50)
    (renewed,) = central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60, renew=True))
    assert renewed.generation == task.generation
    assert not central.call(BeginInbound(worker="w2", zone_ids=(zone.id,), lease_s=60, renew=True))
    central.pass_time(50)
    tell(central, task, Result.FETCHED, serial=7, content=content(zone.name, 7, BODY))
    assert row(central, zone).serial == 7
