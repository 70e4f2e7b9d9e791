# SPDX-License-Identifier: Apache-2.0
"""The clockwork: when tasks run, what a failure does, and how members share the shards."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from redesignate.bus.inproc import InprocCentral
from redesignate.commands.base import Command
from redesignate.commands.pools import QueuedZones, QueuePoolZones
from redesignate.commands.transfers import HandedOver, HandOverRRsets
from redesignate.commands.upkeep import FindUnplaced, UnplacedZones
from redesignate.commands.work import Overdue
from redesignate.commands.zonetasks import ContinueMoves, MovesLooked
from redesignate.config.settings import ProducerSettings, TaskSettings
from redesignate.coord.port import ALONE, Place
from redesignate.model.errors import Misconfigured, Unavailable
from redesignate.producer.service import Periodic, Producer
from tests.support.servers import until


class Clock:
    """Seconds that only tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Here:
    """A group whose place a test sets; None: it cannot be reached."""

    def __init__(self, place: Place | None = ALONE) -> None:
        self.place = place
        self.left = False

    def refresh(self) -> Place:
        if self.place is None:
            raise Unavailable("nobody there")
        return self.place

    def leave(self) -> None:
        self.left = True


class Central:
    """Finds nothing overdue, and remembers which shards it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.port = InprocCentral(self.dispatch)

    def dispatch(self, command: Command[Any]) -> Any:
        if isinstance(command, Overdue):
            self.asked.append((command.first_shard, command.last_shard))
            return ()
        return 0


QUICK = ProducerSettings(enabled_tasks=("overdue_work",), tasks={"overdue_work": TaskSettings(interval=0.01)})


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_task_runs_at_once_and_then_at_its_interval(clock: Clock) -> None:
    ran: list[float] = []
    periodic = Periodic("t", 60, lambda: ran.append(clock.now) or 0, clock)  # type: ignore[func-returns-value]
    assert periodic.turn() == 60
    clock.now += 59
    assert periodic.turn() == 1
    clock.now += 1
    periodic.turn()
    assert ran == [1000, 1060]


def test_its_own_run_time_counts_as_part_of_the_interval(clock: Clock) -> None:
    def slow() -> int:
        clock.now += 20
        return 0

    assert Periodic("t", 60, slow, clock).turn() == 40


def test_a_run_longer_than_the_interval_is_followed_at_once(clock: Clock) -> None:
    def slow() -> int:
        clock.now += 200
        return 0

    periodic = Periodic("t", 60, slow, clock)
    assert periodic.turn() == 0
    assert periodic.turn() == 0


def test_a_failure_is_logged_with_its_traceback_and_stops_nothing(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: Iterator[int] = iter([0, 1, 0])

    def work() -> int:
        return 1 // (1 - next(outcomes))

    periodic = Periodic("t", 60, work, clock)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            periodic.turn()
            clock.now += 60
    assert "ZeroDivisionError" in caplog.text
    assert periodic.last_success == 1120
    assert periodic.failures == 0


def test_while_central_is_away_one_line_says_so(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    def work() -> int:
        raise Unavailable("The message broker cannot be reached")

    periodic = Periodic("t", 1, work, clock)
    for _ in range(100):
        periodic.turn()
        clock.now += 1
    assert len(caplog.records) == 1
    assert periodic.failures == 100


def test_the_watchdog_barks_at_a_task_that_comes_to_no_end(clock: Clock) -> None:
    fails = True

    def work() -> int:
        return 1 // (0 if fails else 1)

    periodic = Periodic("t", 10, work, clock)
    periodic.turn()
    clock.now += 89
    assert not periodic.overdue()
    clock.now += 2
    assert periodic.overdue()
    fails = False
    periodic.turn()
    assert not periodic.overdue()


def test_members_sweep_their_own_shards(clock: Clock) -> None:
    central, group = Central(), Here(Place(1, 4))
    producer = Producer(central.port, group, QUICK, clock=clock)
    producer.start()
    until(lambda: len(central.asked) >= 1)
    producer.stop()
    assert set(central.asked) <= {(1024, 2047), (0, 4095)}
    assert central.asked[0] == (1024, 2047)
    assert group.left


def test_a_change_of_the_group_moves_the_shards() -> None:
    central, group = Central(), Here(Place(0, 2))
    producer = Producer(central.port, group, QUICK)
    producer.start()
    until(lambda: (0, 2047) in central.asked)
    group.place = Place(1, 5)
    until(lambda: (819, 1637) in central.asked, deadline_s=10)
    assert producer.place() == Place(1, 5)
    producer.stop()


def test_without_its_group_a_member_sweeps_everything() -> None:
    central = Central()
    producer = Producer(central.port, Here(None), QUICK)
    producer.start()
    until(lambda: (0, 4095) in central.asked)
    producer.stop()


def test_a_slow_task_holds_up_no_other_and_never_overlaps_itself() -> None:
    central, go_on, purges = Central(), threading.Event(), threading.Semaphore(0)

    def dispatch(command: Command[Any]) -> Any:
        if isinstance(command, Overdue):
            return central.dispatch(command)
        if isinstance(command, QueuePoolZones):
            return QueuedZones(queued=0, left=0, more=False)
        if isinstance(command, HandOverRRsets):
            return HandedOver(rrsets=0, more=False)
        if isinstance(command, FindUnplaced):
            return UnplacedZones(zone_ids=(), at=0, after="", more=False)
        if isinstance(command, ContinueMoves):
            return MovesLooked(count=0, after="", more=False)
        purges.release()
        go_on.wait(20)
        return 0

    settings = ProducerSettings(
        enabled_tasks=("overdue_work", "zone_purge"),
        tasks={name: TaskSettings(interval=0.01) for name in ("overdue_work", "zone_purge", "journal_trim")},
    )
    producer = Producer(InprocCentral(dispatch), Here(), settings)
    producer.start()
    try:
        until(lambda: len(central.asked) > 10)
        for _ in range(4):  # zone_purge, journal_trim, questions_trim and tasks_trim, one each
            assert purges.acquire(timeout=10)
        assert not purges.acquire(blocking=False)
        assert producer.last_success()["overdue_work"] is not None
        assert producer.last_success()["zone_purge"] is None
    finally:
        go_on.set()
        producer.stop()


def test_stopping_is_quick_between_runs() -> None:
    producer = Producer(Central().port, Here(), ProducerSettings())
    producer.start()
    producer.stop(timeout_s=5)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("task-")]


def test_an_unknown_task_ends_the_start() -> None:
    with pytest.raises(Misconfigured):
        Producer(Central().port, Here(), ProducerSettings(enabled_tasks=("nonsense",)))
