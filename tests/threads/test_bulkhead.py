# SPDX-License-Identifier: Apache-2.0
"""One thing that hangs holds its share of the threads; what moves queues as long as it moves."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from redesignate.model.errors import NotFound, Unavailable
from redesignate.threads.bulkhead import Bulkhead
from redesignate.threads.deadline import Deadline
from tests.support.servers import until

WAIT_S = 10


@contextlib.contextmanager
def held(bulkhead: Bulkhead, key: object, deadline: Deadline | None = None) -> Iterator[None]:
    """A place, as `bus/inproc.py` takes one."""
    bulkhead.enter(key, lambda: deadline)
    moved = True
    try:
        yield
    except Unavailable:
        moved = False
        raise
    finally:
        bulkhead.leave(key, moved=moved)


class Work:
    """Callers that hold a place until they are let go."""

    def __init__(self, bulkhead: Bulkhead, pool: ThreadPoolExecutor) -> None:
        self._bulkhead, self._pool = bulkhead, pool
        self.inside = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def ask(self, key: str, deadline: Deadline | None = None) -> Future[None]:
        def work() -> None:
            with held(self._bulkhead, key, deadline):
                self.inside.release()
                assert self.go.acquire(timeout=WAIT_S)

        return self._pool.submit(work)

    def begun(self, count: int) -> None:
        for _ in range(count):
            assert self.inside.acquire(timeout=WAIT_S)


def test_a_lane_that_hangs_keeps_its_places_and_refuses_the_rest() -> None:
    bulkhead = Bulkhead(2, "this zone", patience_s=0.5)
    with ThreadPoolExecutor(8) as pool:
        work = Work(bulkhead, pool)
        holders = [work.ask("z"), work.ask("z")]
        work.begun(2)
        waiting = work.ask("z")
        with pytest.raises(Unavailable, match="wait for this zone"):
            waiting.result(WAIT_S)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            work.ask("z").result(WAIT_S)
        assert time.monotonic() - began < 0.4  # at once: it is known to hang
        other = work.ask("y")
        work.begun(1)
        for _ in range(3):
            work.go.release()
        for future in [*holders, other]:
            future.result(WAIT_S)
    assert bulkhead.lanes() == 0


def test_a_lane_that_moves_lets_its_waiters_in_by_and_by() -> None:
    bulkhead = Bulkhead(1, "this zone", patience_s=0.3)

    def work(_: int) -> None:
        with held(bulkhead, "z"):
            time.sleep(0.05)  # the work; twenty of them take longer than anybody's patience

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))  # raises nothing
    assert bulkhead.lanes() == 0


def test_work_that_ends_without_an_answer_does_not_move_its_lane() -> None:
    now = [0.0]
    bulkhead = Bulkhead(1, "this zone", patience_s=5, clock=lambda: now[0])
    with ThreadPoolExecutor(4) as pool:
        work = Work(bulkhead, pool)
        holder = work.ask("z")
        work.begun(1)
        now[0] = 4.0
        first_in_line = work.ask("z")
        until(lambda: bulkhead.waiting("z") == 1, deadline_s=WAIT_S)

        def fails() -> None:
            with held(bulkhead, "y"):
                raise Unavailable("the row is locked")

        with pytest.raises(Unavailable, match="locked"):
            fails()
        work.go.release()
        holder.result(WAIT_S)  # came out well: the lane moves
        work.begun(1)
        now[0] = 8.0
        second = work.ask("z")
        until(lambda: bulkhead.waiting("z") == 1, deadline_s=WAIT_S)
        work.go.release()
        work.go.release()
        first_in_line.result(WAIT_S)
        second.result(WAIT_S)


def test_a_refusal_by_a_rule_gives_the_place_back() -> None:
    bulkhead = Bulkhead(1, "this zone")
    for _ in range(3):
        with pytest.raises(NotFound), held(bulkhead, "z"):
            raise NotFound
    assert bulkhead.lanes() == 0


def test_nobody_waits_beyond_its_deadline() -> None:
    bulkhead = Bulkhead(1, "this zone", patience_s=WAIT_S)
    with ThreadPoolExecutor(4) as pool:
        work = Work(bulkhead, pool)
        holder = work.ask("z")
        work.begun(1)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            work.ask("z", Deadline.after(0.05)).result(WAIT_S)
        assert time.monotonic() - began < WAIT_S / 2
        work.go.release()
        holder.result(WAIT_S)


def test_hammered_no_lane_ever_holds_more_than_its_places() -> None:
    bulkhead, lock, chance = Bulkhead(3, "this zone"), threading.Lock(), random.Random(7)
    inside, worst = Counter[int](), Counter[int]()

    def work(n: int) -> int:
        key = n % 5
        try:
            with held(bulkhead, key, Deadline.after(0.0005) if n % 13 == 0 else None):
                with lock:
                    inside[key] += 1
                    worst[key] = max(worst[key], inside[key])
                if chance.random() < 0.05:
                    time.sleep(0.001)
                with lock:
                    inside[key] -= 1
        except Unavailable:
            return 0
        return 1

    with ThreadPoolExecutor(24) as pool:
        done = sum(pool.map(work, range(5000)))
    assert done > 4000
    assert max(worst.values()) <= 3
    assert bulkhead.lanes() == 0
