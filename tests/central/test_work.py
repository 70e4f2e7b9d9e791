# SPDX-License-Identifier: Apache-2.0
"""Workers: leases, reports, and that nothing stale wins and nothing accepted is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from redesignate.commands.work import BeginWork, Overdue, PeerReturned, PoolForWork, Report
from redesignate.commands.zones import ZonePeers
from redesignate.model import errors
from redesignate.model.clock import SECOND
from redesignate.model.ids import shard_of
from redesignate.model.serial import newer
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.model.zone import Action, Status
from tests.central.conftest import Build
from tests.central.house import House, admin, member


def failing(well: Sequence[PeerOutcome], *at: int, why: str = "no answer") -> list[PeerOutcome]:
    """The outcomes, those at these places failed; a silent nameserver keeps what was known of it (nothing)."""
    return [
        replace(said, ok=False, present=not said.present, serial=None, why=why) if n in at else said
        for n, said in enumerate(well)
    ]


def peers_of(house: House, zone_id: str) -> dict[str, object]:
    return {row.peer_id: row for row in house.rows("peer_states", zone_id=zone_id)}


# -- leases


def test_a_task_says_what_the_zone_is_to_look_like(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone)
    assert (task.zone_id, task.name, task.present, task.superseded) == (zone.id, zone.name, True, False)
    assert (task.revision, task.serial, task.pool_id) == (zone.revision, zone.serial, zone.pool_id)
    assert task.lease_until == house.time + 10 * SECOND


def test_a_leased_zone_is_nobody_elses_until_the_lease_runs_out(house: House) -> None:
    zone = house.zone()
    assert house.begin(zone, worker="w1")
    assert not house.begin(zone, worker="w2")
    assert house.begin(zone, worker="w1")
    house.pass_time(10)
    assert house.begin(zone, worker="w2")
    assert not house.begin(zone, worker="w1")


def test_zones_with_nothing_to_do_are_left_out(house: House) -> None:
    zone = house.zone()
    house.serve()
    assert not house.begin(zone)
    assert not house.call(BeginWork(worker="w", zone_ids=("00000000-0000-0000-0000-000000000000",)))


def test_a_change_of_a_held_zone_hints_nobody(house: House) -> None:
    zone = house.zone()
    house.begin(zone)
    house.hints.clear()
    house.rrset(zone, "www")
    assert not house.hints
    house.pass_time(11)
    house.rrset(zone, "www2")
    assert house.hints == [zone.id]


@pytest.mark.parametrize("lease_s", [1.0, 10.0, 300.0])
def test_a_lease_of_any_length_spares_hints_while_it_is_new(house: House, lease_s: float) -> None:
    zone = house.zone()
    house.begin(zone, lease_s=lease_s)
    house.hints.clear()
    house.rrset(zone, "at-once")
    assert not house.hints
    house.pass_time(0.4)
    house.rrset(zone, "later")
    assert house.hints == [zone.id]


def test_a_change_of_a_zone_that_waits_for_a_slow_server_hints_at_once(house: House) -> None:
    house.pool(servers=2)
    zone = house.zone()
    (task,) = house.begin(zone)
    house.hints.clear()
    house.said(task, house.well(task)[:2], final=False)
    house.rrset(zone, "www")
    assert house.hints == [zone.id]


# -- reports


def test_an_agreed_zone_leaves_the_outbox(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone)
    assert house.said(task, house.well(task)) == ()
    assert house.outbox(zone) is None
    now = house.get(zone.id)
    assert (now.status, now.action, now.confirmed) == (Status.ACTIVE, Action.NONE, zone.revision)


def test_a_hundred_edits_make_one_task(house: House) -> None:
    zone = house.zone()
    for n in range(20):
        house.rrset(zone, f"n{n}")
    (task,) = house.begin()
    assert task.revision == 21
    house.said(task, house.well(task))
    assert house.get(zone.id).status is Status.ACTIVE


def test_a_zone_that_moved_on_comes_back_in_the_answer(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone)
    www = house.rrset(zone, "www")
    (more,) = house.said(task, house.well(task))
    assert (more.revision, more.serial) == (zone.revision + 1, house.get(zone.id).serial)
    now = house.get(zone.id)
    assert (now.status, now.confirmed) == (Status.PENDING, zone.revision)
    assert house.look(www).status is Status.PENDING
    assert not house.begin(zone, worker="w2")
    assert house.said(more, house.well(more)) == ()
    assert house.look(www).status is Status.ACTIVE


def test_the_threshold_makes_active_while_the_row_stays_for_who_lags(build: Build) -> None:
    house = build(threshold_percentage=50)
    house.pool(servers=2)
    zone = house.zone()
    (task,) = house.begin()
    house.said(task, failing(house.well(task), 2))
    assert house.get(zone.id).status is Status.ACTIVE
    row = house.outbox(zone)
    assert (row.attempts, row.lease_owner) == (1, None)
    assert row.next_try > house.time
    house.pass_time(1)
    (task,) = house.begin(zone)
    assert {state.attempts for state in task.peers} == {0, 1}
    house.said(task, house.well(task))
    assert house.outbox(zone) is None


def test_back_off_grows_to_the_retry_interval_and_no_further(build: Build) -> None:
    house = build(poll_retry_interval=15, poll_max_retries=3)
    zone = house.zone()
    waits = []
    for _ in range(9):
        (task,) = house.begin(zone)
        house.said(task, failing(house.well(task), 0, 1))
        waits.append((house.outbox(zone).next_try - house.time) / SECOND)
        house.pass_time(20)
    for at, wait in enumerate(waits):
        assert 0.75 * min(15, 0.5 * 2**at) - 0.001 <= wait <= 1.25 * min(15, 0.5 * 2**at)
    assert house.outbox(zone).attempts == 9


def test_error_comes_after_so_many_retries_and_goes_with_success(build: Build) -> None:
    house = build(poll_max_retries=3)
    zone = house.zone()
    seen = []
    for _ in range(4):
        (task,) = house.begin(zone)
        house.said(task, failing(house.well(task), 1))
        seen.append(house.get(zone.id).status)
        house.pass_time(20)
    assert seen == [Status.PENDING, Status.PENDING, Status.ERROR, Status.ERROR]
    assert house.rrsets(zone)[zone.name, "NS"].status is Status.ERROR
    assert house.patch(zone, description="x").status is Status.PENDING
    (task,) = house.begin(zone)
    house.said(task, house.well(task))
    assert house.get(zone.id).status is Status.ACTIVE


def test_a_first_word_keeps_the_lease(build: Build) -> None:
    house = build(threshold_percentage=50)
    house.pool(servers=2)
    zone = house.zone()
    (task,) = house.begin()
    house.pass_time(8)
    house.said(task, house.well(task)[:2], final=False)
    assert house.get(zone.id).status is Status.ACTIVE
    house.pass_time(8)
    assert not house.begin(zone, worker="w2")
    house.said(task, house.well(task))
    assert house.outbox(zone) is None


def test_a_late_report_of_an_older_revision_takes_nothing_back(house: House) -> None:
    zone = house.zone()
    (old,) = house.begin(zone, worker="slow")
    house.pass_time(60)
    house.rrset(zone, "www")
    (new,) = house.begin(zone, worker="w1")
    house.said(new, house.well(new))
    before = (house.get(zone.id), peers_of(house, zone.id))
    assert house.said(old, house.well(old), worker="slow") == ()
    assert house.said(old, failing(house.well(old), 0, 1), worker="slow") == ()
    assert (house.get(zone.id), peers_of(house, zone.id)) == before
    assert house.outbox(zone) is None


def test_what_a_target_was_told_counts_from_the_leases_holder_alone(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone, worker="slow")
    house.pass_time(11)
    assert house.begin(zone, worker="w2")
    assert house.said(task, house.well(task), worker="slow") == ()
    now = house.get(zone.id)
    assert now.status is Status.ACTIVE  # the nameserver does serve it, whoever saw it
    row = house.outbox(zone)
    assert row.lease_owner == "w2"
    assert {state.role for state in house.rows("peer_states", zone_id=zone.id)} == {"nameserver"}
    house.said(task, house.well(task), worker="w2")
    assert house.outbox(zone) is None


def test_a_late_word_of_failure_does_not_undo_what_another_worker_has_finished(build: Build) -> None:
    house = build()
    house.pool(servers=2)
    zone = house.zone()
    (slow,) = house.begin(zone, worker="slow")
    house.pass_time(11)
    (task,) = house.begin(zone, worker="w2")
    house.said(task, house.well(task), worker="w2")
    before = peers_of(house, zone.id)
    target, one, other = house.well(slow)
    lost = replace(other, ok=False, present=False, serial=None, why="REFUSED", absent=True)
    house.said(slow, [replace(target, ok=False, why="no answer"), one, lost], worker="slow")
    assert house.outbox(zone) is None
    assert peers_of(house, zone.id) == before


def test_a_lease_that_ran_out_is_still_ones_own_while_nobody_took_it(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone, worker="slow")
    house.pass_time(11)
    house.said(task, failing(house.well(task), 0, 1), worker="slow")
    assert house.call(Overdue()) == ()
    house.pass_time(1)
    assert house.call(Overdue()) == (zone.id,)
    assert house.begin(zone, worker="w2")


def test_a_report_after_the_zone_is_gone_changes_nothing(house: House) -> None:
    zone = house.zone()
    (created,) = house.begin(zone)
    house.delete(zone)
    (task,) = house.said(created, house.well(created))
    assert not task.present
    house.said(task, house.well(task))
    before = (house.rows("zones", id=zone.id), peers_of(house, zone.id))
    for late in (created, task):
        assert house.said(late, house.well(late)) == ()
    assert (house.rows("zones", id=zone.id), peers_of(house, zone.id)) == before
    assert house.rows("project_usage")[0].zones == 0


def test_a_report_of_an_unknown_zone_or_peer_is_not_heard(house: House) -> None:
    zone = house.zone()
    (task,) = house.begin(zone)
    stranger = PeerOutcome(peer_id="00000000-0000-0000-0000-000000000000", role=Role.TARGET, ok=True, present=True)
    house.said(task, [stranger])
    assert not peers_of(house, zone.id)
    lost = Outcome(zone_id=stranger.peer_id, revision=1, present=True, peers=(stranger,))
    assert house.call(Report(worker="w1", outcomes=(lost,))) == ()


def test_targets_are_told_again_when_a_server_lacks_the_zone_not_when_it_is_silent(build: Build) -> None:
    house = build()
    house.pool(servers=2)
    zone = house.zone()
    (task,) = house.begin()
    target, one, other = house.well(task)
    silent = replace(other, ok=False, present=False, serial=None, why="no answer")
    house.said(task, [target, one, silent])
    assert peers_of(house, zone.id)[target.peer_id].present  # type: ignore[attr-defined]
    house.pass_time(20)
    (task,) = house.begin(zone)
    house.said(task, [replace(silent, why="REFUSED", absent=True)])
    told = peers_of(house, zone.id)[target.peer_id]
    assert (told.present, told.revision) == (False, 0)  # type: ignore[attr-defined]
    house.pass_time(20)
    (task,) = house.begin(zone)
    house.said(task, house.well(task))
    assert house.outbox(zone) is None


# -- deletions


def test_a_deletion_is_asked_for_until_every_target_has_heard_it(build: Build) -> None:
    house = build()
    house.pool(targets=2)
    zone = house.zone()
    house.serve()
    house.delete(zone)
    (task,) = house.begin()
    house.said(task, failing(house.well(task), 1))
    with pytest.raises(errors.ZoneNotFound):
        house.get(zone.id)
    for _ in range(3):
        house.pass_time(20)
        (task,) = house.begin(zone)
        assert (task.present, task.superseded) == (False, False)
        house.said(task, failing(house.well(task), 1))
    house.pass_time(20)
    (task,) = house.begin(zone)
    house.said(task, house.well(task))
    assert house.outbox(zone) is None


def lagging_deletion(house: House) -> Task:
    """A zone that is deleted, but for one target that owes it still; the task in which that failed."""
    house.pool(targets=2)
    zone = house.zone(caller=admin())
    house.serve()
    house.delete(zone)
    (task,) = house.begin()
    return task


def test_an_earlier_zone_of_the_name_never_deletes_the_new_one(house: House) -> None:
    task = lagging_deletion(house)
    house.said(task, failing(house.well(task), 1))
    house.pass_time(20)
    new = house.zone()
    assert house.call(Overdue()) == (new.id,)
    assert not house.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    house.serve()
    assert house.get(new.id).status is Status.ACTIVE
    assert house.said(task, failing(house.well(task), 1)) == ()


def test_a_worker_in_the_middle_of_deleting_does_not_hit_the_new_zone(house: House) -> None:
    task = lagging_deletion(house)
    house.said(task, house.well(task)[2:], final=False)  # the server has dropped it, the targets are being told
    new = house.zone()
    assert not house.begin(new, worker="w2")
    house.rrset(new, "www")
    assert not house.begin(new, worker="w2")
    assert house.said(task, house.well(task)) == ()
    house.pass_time(10)
    assert house.call(Overdue()) == (new.id,)
    (fresh,) = house.begin(new, worker="w2")
    assert fresh.present
    house.said(fresh, house.well(fresh), worker="w2")
    assert house.get(new.id).status is Status.ACTIVE


def test_a_zone_made_anew_has_a_newer_serial_than_any_copy_that_is_left(house: House) -> None:
    first = house.zone()
    for n in range(30):
        house.rrset(first, f"n{n}")
    old = house.get(first.id).serial
    house.serve()
    house.delete(first)
    house.serve()
    again = house.zone()
    assert newer(again.serial, old)
    house.pass_time(-3600)
    house.delete(again)
    house.serve()
    assert newer(house.zone().serial, again.serial)


def test_a_row_that_is_left_of_an_earlier_zone_touches_nothing(build: Build) -> None:
    house = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second = house.second_pool()
    task = lagging_deletion(house)
    house.said(task, failing(house.well(task), 1))
    names = [house.zone(caller=admin()), house.zone(caller=admin(), attributes={"pool_id": second.id})]
    house.store.transact(lambda work: work.outbox.enqueue(task.zone_id, task.pool_id, task.revision, house.time))
    (left,) = house.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    assert (left.present, left.superseded) == (False, True)
    house.said(left, house.well(left), worker="w")
    assert not house.rows("outbox", zone_id=task.zone_id)
    assert all(not found.superseded for found in house.begin(*names))


def test_superseding_is_a_matter_of_one_pool(build: Build) -> None:
    house = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second = house.second_pool()
    task = lagging_deletion(house)
    house.said(task, failing(house.well(task), 1))
    house.zone(caller=admin(), attributes={"pool_id": second.id})
    house.pass_time(20)
    (again,) = house.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    assert (again.present, again.superseded) == (False, False)


# -- sweeps


def test_overdue_is_what_is_due_and_held_by_nobody_oldest_first(house: House) -> None:
    first = house.zone(name="a.org.")
    house.pass_time(5)
    second, third = house.zone(name="b.org."), house.zone(name="c.org.")
    house.begin(third)
    assert house.call(Overdue()) == (first.id, second.id)
    assert house.call(Overdue(limit=1)) == (first.id,)
    assert house.call(Overdue(grace_s=5)) == (first.id,)
    house.hints.clear()
    house.pass_time(11)
    assert house.call(Overdue(wake=True)) == tuple(house.hints)
    assert set(house.hints) == {first.id, second.id, third.id}
    shard = shard_of(first.id)
    assert first.id in house.call(Overdue(first_shard=shard, last_shard=shard))
    assert first.id not in house.call(Overdue(first_shard=shard + 1)) + house.call(Overdue(last_shard=shard - 1))


def test_a_server_that_returns_has_its_zones_looked_at_at_once(build: Build) -> None:
    house = build()
    house.pool(servers=2)
    waiting, well = house.zone(), house.zone(name="well.org.")
    (task, other) = sorted(house.begin(waiting, well), key=lambda task: task.zone_id != waiting.id)
    house.said(other, house.well(other))
    for _ in range(6):
        house.said(task, failing(house.well(task), 2))
        house.pass_time(20)
        (task,) = house.begin(waiting)
    house.said(task, failing(house.well(task), 2))
    house.hints.clear()
    assert house.call(Overdue()) == ()
    peer = house.well(task)[2].peer_id
    assert house.call(PeerReturned(pool_id=task.pool_id, peer_id=peer)) == 1
    assert house.call(Overdue()) == (waiting.id,)
    assert house.hints == [waiting.id]
    (task,) = house.begin(waiting)
    assert all(state.next_try <= house.time for state in task.peers)
    assert house.call(PeerReturned(pool_id=task.pool_id, peer_id="nobody")) == 0


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_strands_no_zone(house: House, jump: int) -> None:
    held, late = house.zone(name="a.org."), house.zone(name="b.org.")
    house.begin(held, worker="dead")
    (task,) = house.begin(late, worker="w1")
    house.said(task, failing(house.well(task), 0, 1))
    house.pass_time(jump)
    house.hints.clear()
    house.call(Overdue(wake=True))
    assert set(house.hints) == {held.id, late.id}
    for task in house.begin(held, late, worker="w2"):
        house.said(task, house.well(task), worker="w2")
    assert {house.get(zone.id).status for zone in (held, late)} == {Status.ACTIVE}


# -- what is told of it


def test_a_zone_says_on_which_server_it_is_and_why_not(build: Build) -> None:
    house = build()
    house.pool(servers=3)
    zone = house.zone()
    views = house.call(ZonePeers(caller=member(), zone_id=zone.id))
    assert {view.state for view in views} == {"unknown"}
    house.serve()
    house.rrset(zone, "www")
    (task,) = house.begin()
    target, one, two, three = house.well(task)
    stale = replace(two, ok=False, serial=zone.serial, why="still serves the old serial")
    lost = replace(three, ok=False, present=False, serial=None, why="REFUSED", absent=True)
    house.said(task, [target, one, stale, lost], final=False)
    found = {view.peer_id: view for view in house.call(ZonePeers(caller=member(), zone_id=zone.id))}
    assert [found[said.peer_id].state for said in (target, one, two, three)] == [
        "current",
        "current",
        "behind",
        "absent",
    ]
    assert found[two.peer_id].error == "still serves the old serial"
    assert found[one.peer_id].address == "192.0.2.1:53"


def test_a_pool_comes_with_the_keys_that_its_peers_need(house: House) -> None:
    with pytest.raises(errors.PoolNotFound):
        house.call(PoolForWork(pool_id="nowhere"))
    pool = house.pool()
    work = house.call(PoolForWork(pool_id=pool.id))
    assert (work.pool, work.keys) == (pool, ())
