# SPDX-License-Identifier: Apache-2.0
"""Workers: leases, reports, and that nothing stale wins and nothing accepted is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from redesignate.commands.work import BeginWork, Overdue, PeerReturned, PoolForWork, Report
from redesignate.commands.zones import ZonePeers
from redesignate.model import errors
from redesignate.model.clock import SECOND, shard_of
from redesignate.model.serial import newer
from redesignate.model.work import Outcome, PeerOutcome, Role, Task
from redesignate.model.zone import Action, Status
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, admin, member


def failing(well: Sequence[PeerOutcome], *at: int, why: str = "no answer") -> list[PeerOutcome]:
    """The outcomes, those at these places failed; a silent nameserver keeps what was known of it (nothing)."""
    return [
        replace(said, ok=False, present=not said.present, serial=None, why=why) if n in at else said
        for n, said in enumerate(well)
    ]


def peers_of(central: CentralDriver, zone_id: str) -> dict[str, object]:
    return {row.peer_id: row for row in central.rows("peer_states", zone_id=zone_id)}


# -- leases


def test_a_task_says_what_the_zone_is_to_look_like(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    assert (task.zone_id, task.name, task.present, task.superseded) == (zone.id, zone.name, True, False)
    assert (task.revision, task.serial, task.pool_id) == (zone.revision, zone.serial, zone.pool_id)
    assert task.read_at == central.time


def test_a_leased_zone_is_nobody_elses_until_the_lease_runs_out(central: CentralDriver) -> None:
    zone = central.zone()
    assert central.begin(zone, worker="w1")
    assert not central.begin(zone, worker="w2")
    assert central.begin(zone, worker="w1")
    central.pass_time(10)
    assert central.begin(zone, worker="w2")
    assert not central.begin(zone, worker="w1")


def test_zones_with_nothing_to_do_are_left_out(central: CentralDriver) -> None:
    zone = central.zone()
    central.serve()
    assert not central.begin(zone)
    assert not central.call(BeginWork(worker="w", zone_ids=("00000000-0000-0000-0000-000000000000",)))


def test_a_change_of_a_held_zone_hints_nobody(central: CentralDriver) -> None:
    zone = central.zone()
    central.begin(zone)
    central.hints.clear()
    central.rrset(zone, "www")
    assert not central.hints
    central.pass_time(11)
    central.rrset(zone, "www2")
    assert central.hints == [zone.id]


@pytest.mark.parametrize("lease_s", [1.0, 10.0, 300.0])
def test_a_lease_of_any_length_spares_hints_while_it_is_new(central: CentralDriver, lease_s: float) -> None:
    zone = central.zone()
    central.begin(zone, lease_s=lease_s)
    central.hints.clear()
    central.rrset(zone, "at-once")
    assert not central.hints
    central.pass_time(0.4)
    central.rrset(zone, "later")
    assert central.hints == [zone.id]


def test_a_change_of_a_zone_that_waits_for_a_slow_server_hints_at_once(central: CentralDriver) -> None:
    central.pool(servers=2)
    zone = central.zone()
    (task,) = central.begin(zone)
    central.hints.clear()
    central.said(task, central.as_wanted(task)[:2], final=False)
    central.rrset(zone, "www")
    assert central.hints == [zone.id]


# -- reports


def test_an_agreed_zone_leaves_the_outbox(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    assert central.said(task, central.as_wanted(task)) == ()
    assert central.outbox(zone) is None
    now = central.get(zone.id)
    assert (now.status, now.action, now.confirmed) == (Status.ACTIVE, Action.NONE, zone.revision)


def test_a_hundred_edits_make_one_task(central: CentralDriver) -> None:
    zone = central.zone()
    for n in range(20):
        central.rrset(zone, f"n{n}")
    (task,) = central.begin()
    assert task.revision == 21
    central.said(task, central.as_wanted(task))
    assert central.get(zone.id).status is Status.ACTIVE


def test_a_zone_that_moved_on_comes_back_in_the_answer(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    www = central.rrset(zone, "www")
    (more,) = central.said(task, central.as_wanted(task))
    assert (more.revision, more.serial) == (zone.revision + 1, central.get(zone.id).serial)
    now = central.get(zone.id)
    assert (now.status, now.confirmed) == (Status.PENDING, zone.revision)
    assert central.look(www).status is Status.PENDING
    assert not central.begin(zone, worker="w2")
    assert central.said(more, central.as_wanted(more)) == ()
    assert central.look(www).status is Status.ACTIVE


def test_the_threshold_makes_active_while_the_row_stays_for_who_lags(build: Build) -> None:
    central = build(threshold_percentage=50)
    central.pool(servers=2)
    zone = central.zone()
    (task,) = central.begin()
    central.said(task, failing(central.as_wanted(task), 2))
    assert central.get(zone.id).status is Status.ACTIVE
    row = central.outbox(zone)
    assert (row.attempts, row.lease_owner) == (1, None)
    assert row.next_try > central.time
    central.pass_time(1)
    (task,) = central.begin(zone)
    assert {state.attempts for state in task.peers} == {0, 1}
    central.said(task, central.as_wanted(task))
    assert central.outbox(zone) is None


def test_back_off_grows_to_the_retry_interval_and_no_further(build: Build) -> None:
    central = build(poll_retry_interval=15, poll_max_retries=3)
    zone = central.zone()
    waits = []
    for _ in range(9):
        (task,) = central.begin(zone)
        central.said(task, failing(central.as_wanted(task), 0, 1))
        waits.append((central.outbox(zone).next_try - central.time) / SECOND)
        central.pass_time(20)
    for at, wait in enumerate(waits):
        assert 0.75 * min(15, 0.5 * 2**at) - 0.001 <= wait <= 1.25 * min(15, 0.5 * 2**at)
    assert central.outbox(zone).attempts == 9


def test_error_comes_after_so_many_retries_and_goes_with_success(build: Build) -> None:
    central = build(poll_max_retries=3)
    zone = central.zone()
    seen = []
    for _ in range(4):
        (task,) = central.begin(zone)
        central.said(task, failing(central.as_wanted(task), 1))
        seen.append(central.get(zone.id).status)
        central.pass_time(20)
    assert seen == [Status.PENDING, Status.PENDING, Status.ERROR, Status.ERROR]
    assert central.rrsets(zone)[zone.name, "NS"].status is Status.ERROR
    assert central.patch(zone, description="x").status is Status.PENDING
    (task,) = central.begin(zone)
    central.said(task, central.as_wanted(task))
    assert central.get(zone.id).status is Status.ACTIVE


def test_a_first_word_keeps_the_lease(build: Build) -> None:
    central = build(threshold_percentage=50)
    central.pool(servers=2)
    zone = central.zone()
    (task,) = central.begin()
    central.pass_time(8)
    central.said(task, central.as_wanted(task)[:2], final=False)
    assert central.get(zone.id).status is Status.ACTIVE
    central.pass_time(8)
    assert not central.begin(zone, worker="w2")
    central.said(task, central.as_wanted(task))
    assert central.outbox(zone) is None


def test_a_late_report_of_an_older_revision_takes_nothing_back(central: CentralDriver) -> None:
    zone = central.zone()
    (old,) = central.begin(zone, worker="slow")
    central.pass_time(60)
    central.rrset(zone, "www")
    (new,) = central.begin(zone, worker="w1")
    central.said(new, central.as_wanted(new))
    before = (central.get(zone.id), peers_of(central, zone.id))
    assert central.said(old, central.as_wanted(old), worker="slow") == ()
    assert central.said(old, failing(central.as_wanted(old), 0, 1), worker="slow") == ()
    assert (central.get(zone.id), peers_of(central, zone.id)) == before
    assert central.outbox(zone) is None


def test_what_a_target_was_told_counts_from_the_leases_holder_alone(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone, worker="slow")
    central.pass_time(11)
    assert central.begin(zone, worker="w2")
    assert central.said(task, central.as_wanted(task), worker="slow") == ()
    now = central.get(zone.id)
    assert now.status is Status.ACTIVE  # the nameserver does serve it, whoever saw it
    row = central.outbox(zone)
    assert row.lease_owner == "w2"
    assert {state.role for state in central.rows("peer_states", zone_id=zone.id)} == {"nameserver"}
    central.said(task, central.as_wanted(task), worker="w2")
    assert central.outbox(zone) is None


def test_a_late_word_of_failure_does_not_undo_what_another_worker_has_finished(build: Build) -> None:
    central = build()
    central.pool(servers=2)
    zone = central.zone()
    (slow,) = central.begin(zone, worker="slow")
    central.pass_time(11)
    (task,) = central.begin(zone, worker="w2")
    central.said(task, central.as_wanted(task), worker="w2")
    before = peers_of(central, zone.id)
    target, one, other = central.as_wanted(slow)
    lost = replace(other, ok=False, present=False, serial=None, why="REFUSED", absent=True)
    central.said(slow, [replace(target, ok=False, why="no answer"), one, lost], worker="slow")
    assert central.outbox(zone) is None
    assert peers_of(central, zone.id) == before


def test_a_lease_that_ran_out_is_still_ones_own_while_nobody_took_it(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone, worker="slow")
    central.pass_time(11)
    central.said(task, failing(central.as_wanted(task), 0, 1), worker="slow")
    assert central.call(Overdue()) == ()
    central.pass_time(1)
    assert central.call(Overdue()) == (zone.id,)
    assert central.begin(zone, worker="w2")


def test_a_report_after_the_zone_is_gone_changes_nothing(central: CentralDriver) -> None:
    zone = central.zone()
    (created,) = central.begin(zone)
    central.delete(zone)
    (task,) = central.said(created, central.as_wanted(created))
    assert not task.present
    central.said(task, central.as_wanted(task))
    before = (central.rows("zones", id=zone.id), peers_of(central, zone.id))
    for late in (created, task):
        assert central.said(late, central.as_wanted(late)) == ()
    assert (central.rows("zones", id=zone.id), peers_of(central, zone.id)) == before
    assert central.rows("project_usage")[0].zones == 0


def test_a_report_of_an_unknown_zone_or_peer_is_not_heard(central: CentralDriver) -> None:
    zone = central.zone()
    (task,) = central.begin(zone)
    stranger = PeerOutcome(peer_id="00000000-0000-0000-0000-000000000000", role=Role.TARGET, ok=True, present=True)
    central.said(task, [stranger])
    assert not peers_of(central, zone.id)
    lost = Outcome(zone_id=stranger.peer_id, revision=1, present=True, peers=(stranger,))
    assert central.call(Report(worker="w1", outcomes=(lost,))) == ()


def test_targets_are_told_again_when_a_server_lacks_the_zone_not_when_it_is_silent(build: Build) -> None:
    central = build()
    central.pool(servers=2)
    zone = central.zone()
    (task,) = central.begin()
    target, one, other = central.as_wanted(task)
    silent = replace(other, ok=False, present=False, serial=None, why="no answer")
    central.said(task, [target, one, silent])
    assert peers_of(central, zone.id)[target.peer_id].present  # type: ignore[attr-defined]
    central.pass_time(20)
    (task,) = central.begin(zone)
    central.said(task, [replace(silent, why="REFUSED", absent=True)])
    told = peers_of(central, zone.id)[target.peer_id]
    assert (told.present, told.revision) == (False, 0)  # type: ignore[attr-defined]
    central.pass_time(20)
    (task,) = central.begin(zone)
    central.said(task, central.as_wanted(task))
    assert central.outbox(zone) is None


# -- deletions


def test_a_deletion_is_asked_for_until_every_target_has_heard_it(build: Build) -> None:
    central = build()
    central.pool(targets=2)
    zone = central.zone()
    central.serve()
    central.delete(zone)
    (task,) = central.begin()
    central.said(task, failing(central.as_wanted(task), 1))
    with pytest.raises(errors.ZoneNotFound):
        central.get(zone.id)
    for _ in range(3):
        central.pass_time(20)
        (task,) = central.begin(zone)
        assert (task.present, task.superseded) == (False, False)
        central.said(task, failing(central.as_wanted(task), 1))
    central.pass_time(20)
    (task,) = central.begin(zone)
    central.said(task, central.as_wanted(task))
    assert central.outbox(zone) is None


def lagging_deletion(central: CentralDriver) -> Task:
    """A zone that is deleted, but for one target that owes it still; the task in which that failed."""
    central.pool(targets=2)
    zone = central.zone(caller=admin())
    central.serve()
    central.delete(zone)
    (task,) = central.begin()
    return task


def test_an_earlier_zone_of_the_name_never_deletes_the_new_one(central: CentralDriver) -> None:
    task = lagging_deletion(central)
    central.said(task, failing(central.as_wanted(task), 1))
    central.pass_time(20)
    new = central.zone()
    assert central.call(Overdue()) == (new.id,)
    assert not central.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    central.serve()
    assert central.get(new.id).status is Status.ACTIVE
    assert central.said(task, failing(central.as_wanted(task), 1)) == ()


def test_a_worker_in_the_middle_of_deleting_does_not_hit_the_new_zone(central: CentralDriver) -> None:
    task = lagging_deletion(central)
    central.said(
        task, central.as_wanted(task)[2:], final=False
    )  # the server has dropped it, the targets are being told
    new = central.zone()
    assert not central.begin(new, worker="w2")
    central.rrset(new, "www")
    assert not central.begin(new, worker="w2")
    assert central.said(task, central.as_wanted(task)) == ()
    central.pass_time(10)
    assert central.call(Overdue()) == (new.id,)
    (fresh,) = central.begin(new, worker="w2")
    assert fresh.present
    central.said(fresh, central.as_wanted(fresh), worker="w2")
    assert central.get(new.id).status is Status.ACTIVE


def test_a_zone_made_anew_has_a_newer_serial_than_any_copy_that_is_left(central: CentralDriver) -> None:
    first = central.zone()
    for n in range(30):
        central.rrset(first, f"n{n}")
    old = central.get(first.id).serial
    central.serve()
    central.delete(first)
    central.serve()
    again = central.zone()
    assert newer(again.serial, old)
    central.pass_time(-3600)
    central.delete(again)
    central.serve()
    assert newer(central.zone().serial, again.serial)


def test_a_row_that_is_left_of_an_earlier_zone_touches_nothing(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second = central.second_pool()
    task = lagging_deletion(central)
    central.said(task, failing(central.as_wanted(task), 1))
    names = [central.zone(caller=admin()), central.zone(caller=admin(), attributes={"pool_id": second.id})]
    central.store.transact(lambda work: work.outbox.enqueue(work.zones.many([task.zone_id]).values(), central.time))
    (left,) = central.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    assert (left.present, left.superseded) == (False, True)
    central.said(left, central.as_wanted(left), worker="w")
    assert not central.rows("outbox", zone_id=task.zone_id)
    assert all(not found.superseded for found in central.begin(*names))


def test_superseding_is_a_matter_of_one_pool(build: Build) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second = central.second_pool()
    task = lagging_deletion(central)
    central.said(task, failing(central.as_wanted(task), 1))
    central.zone(caller=admin(), attributes={"pool_id": second.id})
    central.pass_time(20)
    (again,) = central.call(BeginWork(worker="w", zone_ids=(task.zone_id,)))
    assert (again.present, again.superseded) == (False, False)


# -- sweeps


def test_overdue_is_what_is_due_and_held_by_nobody_oldest_first(central: CentralDriver) -> None:
    first = central.zone(name="a.org.")
    central.pass_time(5)
    second, third = central.zone(name="b.org."), central.zone(name="c.org.")
    central.begin(third)
    assert central.call(Overdue()) == (first.id, second.id)
    assert central.call(Overdue(limit=1)) == (first.id,)
    assert central.call(Overdue(grace_s=5)) == (first.id,)
    central.hints.clear()
    central.pass_time(11)
    assert central.call(Overdue(wake=True)) == tuple(central.hints)
    assert set(central.hints) == {first.id, second.id, third.id}
    shard = shard_of(first.id)
    assert first.id in central.call(Overdue(first_shard=shard, last_shard=shard))
    assert first.id not in central.call(Overdue(first_shard=shard + 1)) + central.call(Overdue(last_shard=shard - 1))


def test_a_server_that_returns_has_its_zones_looked_at_at_once(build: Build) -> None:
    central = build()
    central.pool(servers=2)
    waiting, well = central.zone(), central.zone(name="well.org.")
    (task, other) = sorted(central.begin(waiting, well), key=lambda task: task.zone_id != waiting.id)
    central.said(other, central.as_wanted(other))
    for _ in range(6):
        central.said(task, failing(central.as_wanted(task), 2))
        central.pass_time(20)
        (task,) = central.begin(waiting)
    central.said(task, failing(central.as_wanted(task), 2))
    central.hints.clear()
    assert central.call(Overdue()) == ()
    peer = central.as_wanted(task)[2].peer_id
    assert central.call(PeerReturned(pool_id=task.pool_id, peer_id=peer)) == 1
    assert central.call(Overdue()) == (waiting.id,)
    assert central.hints == [waiting.id]
    (task,) = central.begin(waiting)
    assert all(state.next_try <= central.time for state in task.peers)
    assert central.call(PeerReturned(pool_id=task.pool_id, peer_id="nobody")) == 0


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_strands_no_zone(central: CentralDriver, jump: int) -> None:
    held, late = central.zone(name="a.org."), central.zone(name="b.org.")
    central.begin(held, worker="dead")
    (task,) = central.begin(late, worker="w1")
    central.said(task, failing(central.as_wanted(task), 0, 1))
    central.pass_time(jump)
    central.hints.clear()
    central.call(Overdue(wake=True))
    assert set(central.hints) == {held.id, late.id}
    for task in central.begin(held, late, worker="w2"):
        central.said(task, central.as_wanted(task), worker="w2")
    assert {central.get(zone.id).status for zone in (held, late)} == {Status.ACTIVE}


# -- what is told of it


def test_a_zone_says_on_which_server_it_is_and_why_not(build: Build) -> None:
    central = build()
    central.pool(servers=3)
    zone = central.zone()
    views = central.call(ZonePeers(caller=member(), zone_id=zone.id))
    assert {view.state.value for view in views} == {"unknown"}
    central.serve()
    central.rrset(zone, "www")
    (task,) = central.begin()
    target, one, two, three = central.as_wanted(task)
    stale = replace(two, ok=False, serial=zone.serial, why="still serves the old serial")
    lost = replace(three, ok=False, present=False, serial=None, why="REFUSED", absent=True)
    central.said(task, [target, one, stale, lost], final=False)
    found = {view.peer_id: view for view in central.call(ZonePeers(caller=member(), zone_id=zone.id))}
    assert [found[said.peer_id].state.value for said in (target, one, two, three)] == [
        "current",
        "current",
        "behind",
        "absent",
    ]
    assert found[two.peer_id].error == "still serves the old serial"
    assert found[one.peer_id].address == "192.0.2.1:53"


def test_a_pool_comes_with_the_keys_that_its_peers_need(central: CentralDriver) -> None:
    with pytest.raises(errors.PoolNotFound):
        central.call(PoolForWork(pool_id="nowhere"))
    pool = central.pool()
    work = central.call(PoolForWork(pool_id=pool.id))
    assert (work.pool, work.keys) == (pool, ())
