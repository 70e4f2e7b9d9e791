# SPDX-License-Identifier: Apache-2.0
"""Threads that take turns: one runs at a time, one that waits lets the others run, one that hangs delays them once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from redesignate.threads.batch import Batches
from redesignate.threads.bulkhead import MINE, QUIET_S, Turns, aside
from tests.support.servers import until

WAIT_S = 20
NEVER_S = 600.0
Work = Callable[[], object]


class Inbox:
    """Work that arrives from outside, as over connections."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._work: list[Work] = []
        self._woken = False

    def put(self, *work: Work) -> None:
        """Let it arrive."""
        with self._changed:
            self._work += work
            self._changed.notify()

    def wait(self) -> list[Work]:
        """Wait for work."""
        with self._changed:
            self._changed.wait_for(lambda: self._work or self._woken)
            arrived, self._work, self._woken = self._work, [], False
        return arrived

    def wake(self) -> None:
        """Make `wait` return."""
        with self._changed:
            self._woken = True
            self._changed.notify()


class Crew:
    """Threads that do what is added, as the HTTP server's do."""

    def __init__(self, threads: int, *, turn_s: float = NEVER_S) -> None:
        self.inbox = Inbox()
        self.turns: Turns[Work] = Turns(self.inbox, turn_s=turn_s)
        self.threads = [threading.Thread(target=self._work) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _work(self) -> None:
        MINE.turns = self.turns
        work = self.turns.next(finished=False)
        while work is not None:
            work()
            work = self.turns.next(finished=True)

    def done(self) -> None:
        """Wait until everything is done."""
        until(lambda: self.turns.in_hand == 0, deadline_s=WAIT_S)


Make = Callable[..., Crew]


@pytest.fixture
def crew() -> Iterator[Make]:
    """Makes crews, which end with the test."""
    made: list[Crew] = []

    def make(threads: int, *, turn_s: float = NEVER_S) -> Crew:
        made.append(Crew(threads, turn_s=turn_s))
        return made[-1]

    yield make
    for one in made:
        one.turns.close()
        for thread in one.threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_work_is_done_one_at_a_time_in_the_order_of_arrival(crew: Make) -> None:
    one = crew(5)
    running, most, order = 0, 0, []

    def work(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        order.append(number)
        threading.Event().wait(0.001)  # the others could run
        running -= 1

    for number in range(40):
        one.turns.add(partial(work, number))
    one.done()
    assert (most, order) == (1, list(range(40)))


def test_a_thread_that_waits_aside_lets_the_others_run(crew: Make) -> None:
    one = crew(2)
    go = threading.Event()
    heard = []

    def waits() -> None:
        with aside():
            heard.append(go.wait(WAIT_S))

    one.turns.add(waits)
    one.turns.add(go.set)
    one.done()
    assert heard == [True]


def test_waiting_aside_while_one_waits_aside_takes_no_turn_of_its_own(crew: Make) -> None:
    one = crew(1)
    heard = []

    def waits() -> None:
        with aside():
            with aside():
                heard.append(MINE.waits)
            heard.append(MINE.waits)
        heard.append(MINE.waits)

    one.turns.add(waits)
    one.done()
    assert heard == [True, True, False]


def test_a_thread_that_comes_back_goes_before_work_that_no_thread_is_free_for(crew: Make) -> None:
    one = crew(2)
    go = threading.Event()

    def waits() -> None:
        with aside():
            assert go.wait(WAIT_S)

    for _ in range(6):
        one.turns.add(waits)
    until(lambda: one.turns.in_hand == 6, deadline_s=WAIT_S)
    go.set()
    one.done()


def test_a_thread_that_hangs_delays_the_others_once_and_keeps_no_turn(crew: Make) -> None:
    one = crew(3, turn_s=0.01)
    go = threading.Event()
    done: list[int] = []
    one.turns.add(partial(go.wait, WAIT_S))
    for number in range(20):
        one.turns.add(partial(done.append, number))
    until(lambda: len(done) == 20, deadline_s=WAIT_S)
    assert one.turns.in_hand == 1
    go.set()
    one.done()


def test_what_arrives_is_done_by_the_thread_that_waited_for_it(crew: Make) -> None:
    one = crew(6)
    by: list[int] = []
    for number in range(20):
        one.inbox.put(lambda: by.append(threading.get_ident()))
        until(lambda number=number: len(by) == number + 1, deadline_s=WAIT_S)  # type: ignore[misc]
        one.done()
    assert len(set(by)) == 1


def test_somebody_fetches_work_while_a_thread_waits_aside(crew: Make) -> None:
    one = crew(2)
    go = threading.Event()
    heard = []

    def waits() -> None:
        with aside():
            heard.append(go.wait(WAIT_S))

    one.inbox.put(waits)
    until(lambda: one.turns.in_hand == 1, deadline_s=WAIT_S)
    one.inbox.put(go.set)
    one.done()
    assert heard == [True]


def test_somebody_fetches_work_while_a_thread_hangs(crew: Make) -> None:
    one = crew(2, turn_s=0.01)
    go = threading.Event()
    one.inbox.put(lambda: go.wait(WAIT_S))
    until(lambda: one.turns.in_hand == 1, deadline_s=WAIT_S)
    one.inbox.put(go.set)
    one.done()


def test_after_a_quiet_time_a_thread_that_hangs_is_noticed_as_well(crew: Make) -> None:
    one = crew(3, turn_s=0.01)
    threading.Event().wait(3 * QUIET_S)
    go = threading.Event()
    one.inbox.put(lambda: go.wait(WAIT_S))
    until(lambda: one.turns.in_hand == 1, deadline_s=WAIT_S)
    one.inbox.put(go.set)
    one.done()


def test_the_last_idle_thread_is_known_and_what_it_defers_is_done_once_another_is_idle(crew: Make) -> None:
    one = crew(2, turn_s=0.01)
    go, done = threading.Event(), threading.Event()
    spares: list[bool] = []

    def careful() -> None:
        spares.append(not MINE.last)
        if spares[-1]:
            done.set()
        else:
            one.turns.defer(careful)

    one.inbox.put(lambda: go.wait(WAIT_S))
    until(lambda: one.turns.in_hand == 1, deadline_s=WAIT_S)
    one.inbox.put(careful)
    until(lambda: spares == [False], deadline_s=WAIT_S)
    assert not done.wait(0.1)
    go.set()
    assert done.wait(WAIT_S)
    one.done()
    assert spares == [False, True]


def test_closed_it_does_what_has_arrived_and_drops_what_it_is_told_to(crew: Make) -> None:
    one = crew(1)
    go, began, done = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        assert go.wait(WAIT_S)

    def never() -> None:
        raise AssertionError

    one.turns.add(first)
    assert began.wait(WAIT_S)
    one.turns.add(never)
    assert one.turns.drop() == [never]
    one.turns.add(done.set)
    one.turns.close()
    go.set()
    assert done.wait(WAIT_S)


@pytest.mark.parametrize("turn_s", [NEVER_S, 0.0005])
def test_hammered_all_work_is_done(crew: Make, turn_s: float) -> None:
    one = crew(8, turn_s=turn_s)
    batches: Batches[int, int] = Batches(list, most=5)
    chance = random.Random(7)
    got: list[int] = []

    def work(number: int, way: float) -> None:
        if way < 0.3:
            with aside():
                threading.Event().wait(way / 300)
        got.append(batches.ask(number) if way > 0.5 else number)

    for number in range(1500):
        one.turns.add(partial(work, number, chance.random()))
    one.done()
    assert sorted(got) == list(range(1500))
