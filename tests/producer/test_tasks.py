# SPDX-License-Identifier: Apache-2.0
"""What each periodic task asks of central, and which tasks an operator's list stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from redesignate.bus.inproc import InprocCentral
from redesignate.commands.base import Command
from redesignate.commands.inbound import ForgetCopies, SweepInbound
from redesignate.commands.pools import QueuedZones, QueuePoolZones
from redesignate.commands.services import CheckServices
from redesignate.commands.transfers import HandedOver, HandOverRRsets
from redesignate.commands.upkeep import FindUnplaced, PlaceRRsets, PurgeZones, RefreshApexes, TrimJournal, UnplacedZones
from redesignate.commands.work import Overdue
from redesignate.commands.zonetasks import ContinueMoves, MovesLooked
from redesignate.config.settings import ProducerSettings, TaskSettings
from redesignate.coord.partitions import SHARDS, shards
from redesignate.coord.port import Place
from redesignate.model.errors import Misconfigured
from redesignate.producer import tasks

ALL = range(SHARDS)
SECOND_HALF = shards(Place(1, 2))
NONE = shards(Place(0, 10_000))
SETTINGS = TaskSettings(interval=1, batch_size=100, time_threshold=3600)


class Asked:
    """Central that answers from a list, then with what `rest` says, and remembers every question."""

    def __init__(self, *answers: Any, rest: Any = 0) -> None:
        self.questions: list[Command[Any]] = []
        self._answers = list(answers)
        self._rest = rest
        self.central = InprocCentral(self._dispatch)

    def _dispatch(self, command: Command[Any]) -> Any:
        self.questions.append(command)
        return self._answers.pop(0) if self._answers else self._rest


def test_overdue_work_of_our_shards_is_hinted_again() -> None:
    asked = Asked(("a", "b"))
    assert tasks.OverdueSweep()(asked.central, SECOND_HALF, SETTINGS) == 2
    assert asked.questions == [Overdue(first_shard=2048, last_shard=4095, limit=100, grace_s=2.0, wake=True)]


def test_the_sweep_pauses_longer_and_longer_while_nothing_moves() -> None:
    asked, sweep = Asked(rest=("a",)), tasks.OverdueSweep(longest_pause=4)
    runs = [sweep(asked.central, ALL, SETTINGS) for _ in range(20)]
    assert runs == [1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0]


def test_the_sweep_goes_on_at_once_when_something_moves() -> None:
    asked, sweep = Asked(("a",), ("a",), ("b",), ("c",), ("d",)), tasks.OverdueSweep()
    assert [sweep(asked.central, ALL, SETTINGS) for _ in range(6)] == [1, 1, 0, 1, 1, 1]


def test_finding_nothing_is_no_reason_to_pause() -> None:
    asked, sweep = Asked(rest=()), tasks.OverdueSweep()
    for _ in range(50):
        sweep(asked.central, ALL, SETTINGS)
    assert len(asked.questions) == 50


def test_what_is_due_for_long_is_hinted_by_everybody() -> None:
    asked, sweep = Asked(rest=()), tasks.OverdueSweep(whole_every=3)
    for _ in range(6):
        sweep(asked.central, SECOND_HALF, SETTINGS)
    whole = [q for q in asked.questions if isinstance(q, Overdue) and q.first_shard == 0]
    assert whole == [Overdue(first_shard=0, last_shard=4095, limit=100, grace_s=30.0, wake=True)] * 2
    assert len(asked.questions) == 8


def test_one_alone_never_sweeps_twice() -> None:
    asked, sweep = Asked(rest=()), tasks.OverdueSweep(whole_every=3)
    for _ in range(6):
        sweep(asked.central, ALL, SETTINGS)
    assert len(asked.questions) == 6


@pytest.mark.parametrize(
    ("task", "kind"),
    [(tasks.purge_zones, PurgeZones), (tasks.trim_journal, TrimJournal)],
)
def test_old_rows_go_batch_by_batch_until_one_is_short(task: tasks.Task, kind: Callable[..., Command[int]]) -> None:
    asked = Asked(100, 100, 7)
    assert task(asked.central, SECOND_HALF, SETTINGS) == 207
    assert asked.questions == [kind(first_shard=2048, last_shard=4095, age_s=3600, limit=100)] * 3


def test_apexes_are_brought_up_to_date_until_none_is_behind() -> None:
    asked = Asked(100, 3)
    assert tasks.refresh_apexes(asked.central, ALL, SETTINGS) == 103
    assert asked.questions == [RefreshApexes(limit=100)] * 2


def test_the_zones_of_a_changed_pool_are_queued_until_none_is_left() -> None:
    asked = Asked(
        *[QueuedZones(queued=count, left=9, more=more) for count, more in ((100, True), (0, True), (7, False))]
    )
    assert tasks.queue_pool_zones(asked.central, ALL, SETTINGS) == 107
    assert asked.questions == [QueuePoolZones(limit=100)] * 3


def test_a_large_zone_is_handed_over_until_none_is_left() -> None:
    steps = HandedOver(rrsets=100, more=True, after="a"), HandedOver(rrsets=7, more=True, after="b")
    asked = Asked(*steps, HandedOver(rrsets=0, more=False))
    assert tasks.hand_over(asked.central, ALL, SETTINGS) == 107
    assert asked.questions == [HandOverRRsets(limit=100, after=after) for after in ("", "a", "b")]
    assert tasks.hand_over(asked.central, SECOND_HALF, SETTINGS) == 0


def test_moves_go_on_step_by_step_and_begin_anew_in_the_next_run() -> None:
    asked = Asked(
        MovesLooked(count=2, after="b", more=True),
        MovesLooked(count=0, after="d", more=True),
        MovesLooked(count=1, after="", more=False),
    )
    assert tasks.continue_moves(asked.central, ALL, SETTINGS) == 3
    assert asked.questions == [ContinueMoves(after=after, limit=100) for after in ("", "b", "d")]
    assert tasks.continue_moves(asked.central, SECOND_HALF, SETTINGS) == 0


def test_order_keys_are_filled_in_zone_by_zone_and_then_only_where_zones_change() -> None:
    step, end = partial(UnplacedZones, more=True), partial(UnplacedZones, after="", more=False)
    asked = Asked(
        step(zone_ids=("a", "b"), at=5, after="b"), 1000, 7, 0, end(zone_ids=("c",), at=90), 3, end(zone_ids=(), at=99)
    )
    task = tasks.OrderKeys()
    assert task(asked.central, ALL, SETTINGS) == 1010
    assert task(asked.central, ALL, SETTINGS) == 0
    assert asked.questions == [
        FindUnplaced(at=0, after="", limit=100),
        *[PlaceRRsets(zone_id=zone, limit=1000) for zone in ("a", "a", "b")],
        FindUnplaced(at=5, after="b", limit=100),
        PlaceRRsets(zone_id="c", limit=1000),
        FindUnplaced(at=90, after="", limit=100),
    ]


def test_silent_services_are_called_down_and_old_ones_forgotten() -> None:
    asked = Asked(2, 1)
    assert tasks.check_services(asked.central, ALL, SETTINGS) == 2
    assert tasks.forget_services(asked.central, ALL, replace(SETTINGS, time_threshold=0)) == 1
    assert asked.questions == [CheckServices(silent_s=3600), CheckServices(forget_s=0)]


@pytest.mark.parametrize(
    "task",
    [tasks.check_services, tasks.forget_services, tasks.refresh_apexes, tasks.queue_pool_zones, tasks.OrderKeys()],
)
def test_what_is_not_sharded_is_the_first_members(task: tasks.Task) -> None:
    asked = Asked()
    assert task(asked.central, SECOND_HALF, SETTINGS) == 0
    assert asked.questions == []


@pytest.mark.parametrize(
    "task",
    [
        tasks.OverdueSweep(),
        tasks.purge_zones,
        tasks.trim_journal,
        tasks.check_services,
        tasks.queue_pool_zones,
        tasks.refresh_apexes,
        tasks.refresh_secondaries,
    ],
)
def test_a_member_without_shards_asks_nothing(task: tasks.Task) -> None:
    asked = Asked()
    assert task(asked.central, NONE, SETTINGS) == 0
    assert asked.questions == []


def test_all_tasks_run_unless_some_are_named() -> None:
    assert set(tasks.chosen(ProducerSettings())) == set(tasks.TASKS)


@pytest.mark.parametrize("old", ["increment_serial", "delayed_notify", "worker_periodic_recovery"])
def test_an_old_name_stands_for_the_sweep(old: str) -> None:
    assert "overdue_work" in tasks.chosen(ProducerSettings(enabled_tasks=(old,)))


def test_what_workers_left_of_secondary_zones_is_swept_by_shard() -> None:
    asked = Asked(4)
    assert tasks.refresh_secondaries(asked.central, SECOND_HALF, SETTINGS) == 4
    (question,) = asked.questions
    assert question == SweepInbound(first_shard=SECOND_HALF.start, last_shard=4095, limit=100)


def test_zones_are_swept_before_copies_are_deleted() -> None:
    asked = Asked(4, 0)
    assert tasks.refresh_secondaries(asked.central, range(4096), SETTINGS) == 4
    assert [type(question) for question in asked.questions] == [SweepInbound, ForgetCopies]


@pytest.mark.parametrize("name", ["periodic_exists"])
def test_a_task_without_work_here_is_accepted(name: str) -> None:
    assert tasks.chosen(ProducerSettings(enabled_tasks=(name,))) == {}


def test_every_task_of_the_original_is_known() -> None:
    assert set(ProducerSettings().tasks) <= {*tasks.TASKS, *tasks.IGNORED}


def test_a_task_runs_by_its_own_settings() -> None:
    settings = ProducerSettings(tasks={"zone_purge": TaskSettings(interval=7)})
    assert tasks.chosen(settings)["zone_purge"] == (tasks.purge_zones, TaskSettings(interval=7))


def test_an_unknown_task_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(Misconfigured, match=r"\[service:producer\] enabled_tasks.*'zone_purg'.*zone_purge"):
        tasks.chosen(ProducerSettings(enabled_tasks=("zone_purg",)))
