# SPDX-License-Identifier: Apache-2.0
"""What waits in memory: each zone once, never too many, and handled together when there is a crowd."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.bus.amqp_hints import handled
from redesignate.bus.inproc import Pending
from redesignate.bus.port import Handler
from redesignate.commands.hint import Hint
from redesignate.threads.batch import Batches, Closed
from tests.bus.hints import ids, inbound, outbound
from tests.support.servers import until

GO = threading.Event()  # never set: nobody is to stop


def joined(handler: Handler, *, lanes: int, most: int) -> Batches[tuple[Hint, ...], bool]:
    """Messages as a worker's source handles them (`bus/amqp_hints.py`)."""
    return Batches(partial(handled, handler), most=most, at_once=lanes, weight=len)


def test_a_zone_waits_once_and_keeps_its_place() -> None:
    pending = Pending()
    pending.wake(outbound("a", "b", "a"))
    pending.wake(outbound("c", "a"))
    assert pending.take(10, GO) == outbound("a", "b", "c")


def test_a_zone_with_both_kinds_of_work_waits_for_each() -> None:
    pending = Pending()
    pending.wake([*outbound("a"), *inbound("a"), *outbound("a")])
    assert pending.take(10, GO) == (*outbound("a"), *inbound("a"))


def test_a_zone_that_was_taken_may_wait_again() -> None:
    pending = Pending()
    pending.wake(outbound("a"))
    pending.take(1, GO)
    pending.wake(outbound("a"))
    assert pending.take(1, GO) == outbound("a")


@given(st.lists(st.lists(st.sampled_from("abcdefgh"))), st.integers(1, 8))
def test_no_more_wait_than_the_bound_and_the_rest_is_counted(batches: list[list[str]], bound: int) -> None:
    pending = Pending(bound)
    for batch in batches:
        pending.wake(outbound(*batch))
    asked = [zone for batch in batches for zone in batch]
    assert len(pending) == min(bound, len(set(asked)))
    assert (pending.dropped > 0) == (len(set(asked)) > bound)


def test_a_full_queue_never_blocks_who_wakes() -> None:
    pending = Pending(10)
    pending.wake(outbound(*(f"z{n}" for n in range(100_000))))
    assert len(pending) == 10
    assert pending.dropped == 99_990


def test_every_zone_is_taken_by_exactly_one_taker() -> None:
    pending, stop = Pending(), threading.Event()

    def take() -> list[str]:
        taken: list[str] = []
        while batch := pending.take(7, stop):
            taken += ids(batch)
        return taken

    with ThreadPoolExecutor(4) as pool:
        takers = [pool.submit(take) for _ in range(4)]
        for n in range(1000):
            pending.wake(outbound(f"z{n}"))
        until(lambda: not len(pending))
        stop.set()
        pending.nudge()
        taken = [zone for taker in takers for zone in taker.result(10)]
    assert sorted(taken) == sorted(f"z{n}" for n in range(1000))


def test_what_comes_while_the_lane_is_busy_is_one_call() -> None:
    calls: list[tuple[str, ...]] = []
    first, go_on = threading.Event(), threading.Event()

    def handler(hints: tuple[Hint, ...]) -> None:
        calls.append(ids(hints))
        first.set()
        go_on.wait(10)

    lanes = joined(handler, lanes=1, most=100)
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(lanes.ask, outbound("a"))]
        assert first.wait(10)
        runs += [pool.submit(lanes.ask, outbound(zone, "x")) for zone in "bcd"]
        until(lambda: lanes.waiting() == 3)
        go_on.set()
        assert all(run.result(10) for run in runs)
    assert len(calls) == 2
    assert sorted(calls[1]) == ["b", "c", "d", "x"]


def test_no_call_gets_more_zones_than_allowed_unless_one_message_has_them() -> None:
    calls: list[tuple[str, ...]] = []
    first, go_on = threading.Event(), threading.Event()

    def handler(hints: tuple[Hint, ...]) -> None:
        calls.append(ids(hints))
        first.set()
        go_on.wait(10)

    lanes = joined(handler, lanes=1, most=3)
    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(lanes.ask, outbound("a"))]
        assert first.wait(10)
        for waiting, message in enumerate((("b", "c"), ("d", "e"), ("f",), ("1", "2", "3", "4", "5"))):
            runs.append(pool.submit(lanes.ask, outbound(*message)))
            until(lambda: lanes.waiting() == waiting + 1)  # noqa: B023  # is over before the next round
        go_on.set()
        assert all(run.result(10) for run in runs)
    assert calls == [("a",), ("b", "c"), ("d", "e", "f"), ("1", "2", "3", "4", "5")]


def test_a_failure_gives_back_every_message_of_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    first, go_on = threading.Event(), threading.Event()

    def handler(hints: tuple[Hint, ...]) -> None:
        first.set()
        go_on.wait(10)
        if "bad" in ids(hints):
            raise ConnectionError

    lanes = joined(handler, lanes=1, most=100)

    with ThreadPoolExecutor(4) as pool:
        good = pool.submit(lanes.ask, outbound("good"))
        assert first.wait(10)
        bad = [pool.submit(lanes.ask, outbound(zone)) for zone in ("bad", "unlucky")]
        until(lambda: lanes.waiting() == 2)
        go_on.set()
        assert good.result(10)
        assert [run.result(10) for run in bad] == [False, False]
    assert caplog.text.count("the handler failed") == 1
    assert lanes.ask(outbound("next"))


def test_closing_lets_the_waiting_go_unhandled() -> None:
    first, go_on, calls = threading.Event(), threading.Event(), []

    def handler(hints: tuple[Hint, ...]) -> None:
        calls.append(ids(hints))
        first.set()
        go_on.wait(10)

    lanes = joined(handler, lanes=1, most=100)
    with ThreadPoolExecutor(4) as pool:
        running = pool.submit(lanes.ask, outbound("a"))
        assert first.wait(10)
        waiting = pool.submit(lanes.ask, outbound("b"))
        until(lambda: lanes.waiting() == 1)
        lanes.close()
        with pytest.raises(Closed):
            waiting.result(10)
        go_on.set()
        assert running.result(10) is True
    with pytest.raises(Closed):
        lanes.ask(outbound("c"))
    assert calls == [("a",)]


@pytest.mark.parametrize("lanes", [1, 3])
def test_no_more_calls_run_than_there_are_lanes(lanes: int) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def handler(_: tuple[Hint, ...]) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.001)
        with lock:
            running -= 1

    shared = joined(handler, lanes=lanes, most=1)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: shared.ask(outbound(str(n))), range(100)))
    assert most <= lanes
