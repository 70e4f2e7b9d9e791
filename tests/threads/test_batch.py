# SPDX-License-Identifier: Apache-2.0
"""Leaders and followers, hammered."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from redesignate.model.errors import TimedOut, Unavailable
from redesignate.threads.batch import Batches, Closed
from redesignate.threads.deadline import Deadline
from tests.support.servers import until

WAIT_S = 10


class Road:
    """Answers when it is let; remembers what went together."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.open = threading.Event()
        self.fails = False

    def __call__(self, items: Sequence[str]) -> list[str]:
        self.seen.append(list(items))
        assert self.open.wait(WAIT_S)
        if self.fails:
            raise ConnectionError("closed")
        return [item.upper() for item in items]


def asked(pool: ThreadPoolExecutor, batches: Batches[str, str], items: str, key: str = "z") -> list[Future[str]]:
    """Ask for each item, each once the one before is under way or waits."""
    futures = []
    for item in items:
        waiting, keys = batches.waiting(key), batches.keys()
        futures.append(pool.submit(batches.ask, item, key=key))
        until(lambda w=waiting, k=keys: batches.waiting(key) > w or batches.keys() > k, deadline_s=WAIT_S)  # type: ignore[misc]
    return futures


def test_what_arrives_while_a_batch_is_under_way_goes_with_the_next() -> None:
    road = Road()
    batches = Batches(road, most=32)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "abcd")
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == ["A", "B", "C", "D"]
    assert road.seen == [["a"], ["b", "c", "d"]]


def test_a_batch_takes_no_more_than_it_may() -> None:
    road = Road()
    batches = Batches(road, most=2)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "abcdef")
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == list("ABCDEF")
    assert road.seen == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_an_item_that_is_heavier_than_a_batch_goes_alone() -> None:
    road = Road()
    batches = Batches(road, most=2, weight=lambda item: 9 if item == "c" else 1)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "abcd")
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == list("ABCD")
    assert road.seen == [["a"], ["b"], ["c"], ["d"]]


def test_one_key_does_not_wait_for_another() -> None:
    road = Road()
    batches = Batches(road, most=32)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "a", "y") + asked(pool, batches, "b", "z")
        until(lambda: len(road.seen) == 2, deadline_s=WAIT_S)
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == ["A", "B"]


def test_what_a_batch_raises_each_of_its_callers_hears_and_the_next_goes_on() -> None:
    road = Road()
    road.fails = True
    batches = Batches(road, most=32)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "abc")
        road.open.set()
        for future in futures:
            with pytest.raises(ConnectionError, match="closed"):
                future.result(WAIT_S)
    road.fails = False
    assert batches.ask("d", key="z") == "D"


def test_a_caller_that_waits_leaves_at_its_deadline_and_was_not_worked_on() -> None:
    road = Road()
    batches = Batches(road, most=32)
    with ThreadPoolExecutor(8) as pool:
        first = asked(pool, batches, "a")
        with pytest.raises(Unavailable, match="not carried out"):
            batches.ask("b", key="z", deadline=Deadline.after(0.05))
        road.open.set()
        assert first[0].result(WAIT_S) == "A"
    assert road.seen == [["a"]]


def test_a_caller_whose_batch_is_under_way_at_its_deadline_does_not_know() -> None:
    gate, entered = threading.Semaphore(0), threading.Semaphore(0)

    def slow(items: Sequence[str]) -> Sequence[str]:
        entered.release()
        assert gate.acquire(timeout=WAIT_S)
        return items

    batches = Batches(slow, most=32)
    now = [0.0]
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "ab")
        late = pool.submit(batches.ask, "c", key="z", deadline=Deadline(at=0.3, clock=lambda: now[0]))
        until(lambda: batches.waiting("z") == 2, deadline_s=WAIT_S)
        gate.release()  # "b" leads, with "c"
        assert entered.acquire(timeout=WAIT_S)
        assert entered.acquire(timeout=WAIT_S)
        now[0] = 1.0
        with pytest.raises(TimedOut, match="may or may not"):
            late.result(WAIT_S)
        gate.release()
        assert [future.result(WAIT_S) for future in futures] == ["a", "b"]


def test_a_caller_that_must_know_the_end_stays_with_its_batch_beyond_its_deadline() -> None:
    gate, entered = threading.Semaphore(0), threading.Semaphore(0)

    def slow(items: Sequence[str]) -> Sequence[str]:
        entered.release()
        assert gate.acquire(timeout=WAIT_S)
        return items

    batches = Batches(slow, most=32, leaves=False)
    with ThreadPoolExecutor(8) as pool:
        futures = asked(pool, batches, "ab")
        late = pool.submit(batches.ask, "c", key="z", deadline=Deadline.after(0.1))
        until(lambda: batches.waiting("z") == 2, deadline_s=WAIT_S)
        gate.release()  # "b" leads, with "c"
        assert entered.acquire(timeout=WAIT_S)
        assert entered.acquire(timeout=WAIT_S)
        with pytest.raises(TimeoutError):
            late.result(0.3)
        gate.release()
        assert late.result(WAIT_S) == "c"
        assert [future.result(WAIT_S) for future in futures] == ["a", "b"]


def test_closing_lets_those_go_that_wait_and_takes_nothing_more() -> None:
    road = Road()
    batches = Batches(road, most=1)
    with ThreadPoolExecutor(8) as pool:
        first, *rest = asked(pool, batches, "abcd")
        batches.close()
        for future in rest:
            with pytest.raises(Closed):
                future.result(WAIT_S)
        road.open.set()
        assert first.result(WAIT_S) == "A"
    with pytest.raises(Closed):
        batches.ask("e")
    assert road.seen == [["a"]]


@pytest.mark.parametrize("at_once", [1, 3])
def test_hammered_each_caller_gets_its_own_answer_and_nothing_is_left(at_once: int) -> None:
    most, sizes, under_way, worst = 5, [], [0], [0]
    lock, chance = threading.Lock(), random.Random(7)

    def work(items: Sequence[int]) -> list[int]:
        with lock:
            under_way[0] += 1
            worst[0] = max(worst[0], under_way[0])
            sizes.append(len(items))
        if chance.random() < 0.1:
            time.sleep(0.001)
        with lock:
            under_way[0] -= 1
        if any(item % 97 == 0 for item in items):
            raise ConnectionError
        return [item * 2 for item in items]

    batches = Batches(work, most=most, at_once=at_once)
    outcomes = {"answered": 0, "failed": 0, "late": 0}

    def ask(item: int) -> None:
        deadline = Deadline.after(0.0005) if item % 11 == 0 else Deadline.after(WAIT_S)
        try:
            assert batches.ask(item, deadline=deadline) == item * 2
            outcome = "answered"
        except ConnectionError:
            outcome = "failed"
        except (Unavailable, TimedOut):
            outcome = "late"
        with lock:
            outcomes[outcome] += 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(ask, range(5000)))
    assert sum(outcomes.values()) == 5000
    assert outcomes["answered"] > 2000
    assert max(sizes) <= most
    assert worst[0] <= at_once
    assert batches.keys() == 0
