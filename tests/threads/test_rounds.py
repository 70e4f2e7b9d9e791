# SPDX-License-Identifier: Apache-2.0
"""Rounds: callers that share a thread wait for a batch together, and nothing else of them is shared."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from redesignate.model.errors import Unavailable
from redesignate.store.unit import Retries
from redesignate.threads.batch import Batches, Closed
from redesignate.threads.bulkhead import MINE, Bulkhead, Turns, aside
from redesignate.threads.deadline import ASKING, Deadline, uptime
from redesignate.threads.rounds import Round, share, take_turns
from tests.support.servers import until
from tests.threads.test_turns import Inbox, Work

WAIT_S = 20
NEVER_S = 600.0
Call = Callable[[], object]


class Table:
    """Works on batches; remembers what went together, and who asked."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.batches: Batches[str, str] = Batches(self._do, most=32)
        self.ends: list[str] = []

    def _do(self, items: Sequence[str]) -> list[str]:
        self.seen.append(list(items))
        return [item.upper() for item in items]

    def ask(self, item: str, deadline: Deadline | None = None) -> None:
        """Ask, and remember how that ended."""
        try:
            self.ends.append(self.batches.ask(item, deadline=deadline))
        except (Unavailable, Closed) as error:
            self.ends.append(f"{item}: {type(error).__name__}")


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def mine() -> Iterator[Callable[[], Round]]:
    """Makes the round of this thread."""

    def make() -> Round:
        MINE.round = Round()
        return MINE.round

    yield make
    MINE.round = None


def together(one: Round, *calls: Call) -> None:
    for call in calls:
        one.run(lambda call: call(), call)
    one.end()


def test_callers_of_a_round_wait_for_one_batch(table: Table, mine: Callable[[], Round]) -> None:
    together(mine(), *(partial(table.ask, item) for item in "abc"))
    assert table.seen == [["a", "b", "c"]]
    assert table.ends == ["A", "B", "C"]


def test_one_that_asks_again_waits_for_another_batch(table: Table, mine: Callable[[], Round]) -> None:
    def twice() -> None:
        table.ask("a")
        table.ask("c")

    together(mine(), twice, partial(table.ask, "b"))
    assert sorted(table.seen) == [["a", "b"], ["c"]]


def test_what_a_batch_raises_each_of_its_callers_raises(table: Table, mine: Callable[[], Round]) -> None:
    table.batches.close()
    together(mine(), partial(table.ask, "a"), partial(table.ask, "b"))
    assert table.ends == ["a: Closed", "b: Closed"]


def test_a_round_behind_a_batch_that_hangs_is_refused_at_the_first_deadline(
    table: Table, mine: Callable[[], Round]
) -> None:
    go, begun = threading.Event(), threading.Event()

    def hangs(items: Sequence[str]) -> list[str]:
        begun.set()
        assert go.wait(WAIT_S)
        return list(items)

    table.batches = Batches(hangs, most=32)
    before = threading.Thread(target=table.batches.ask, args=("before",))
    before.start()
    assert begun.wait(WAIT_S)
    early, late = Deadline.after(0.01), Deadline.after(NEVER_S)
    together(mine(), partial(table.ask, "a", late), partial(table.ask, "b", early))
    go.set()
    before.join(WAIT_S)
    assert table.ends == ["a: Unavailable", "b: Unavailable"]


def test_each_caller_goes_on_with_its_own_deadline(table: Table, mine: Callable[[], Round]) -> None:
    found = []

    def asks(at: float) -> None:
        ASKING.at = at
        table.ask(str(at))
        found.append(ASKING.at == at)
        ASKING.at = math.inf

    now = uptime()
    together(mine(), partial(asks, now + 100), partial(asks, now + 200))
    assert found == [True, True]


def test_one_that_waits_aside_does_so_when_the_others_have_ended(table: Table, mine: Callable[[], Round]) -> None:
    one = mine()

    def waits() -> None:
        with aside():
            table.ends.append("waited")

    MINE.turns = Turns(Inbox())
    try:
        one.run(lambda _: table.ask("a"), None)
        one.run(lambda _: waits(), None)
        assert not one.takes_more(), "nobody else may join: it would wait too"
        assert table.ends == []
        one.end()
    finally:
        MINE.turns = None
    assert table.ends == ["A", "waited"]


def test_those_that_pause_and_ask_again_share_the_next_batch(table: Table, mine: Callable[[], Round]) -> None:
    """As use-cases that lost a race do: each pauses by itself."""

    def again(item: str) -> None:
        table.ask(item)
        with aside():
            pass
        table.ask(item)

    MINE.turns = Turns(Inbox())
    try:
        together(mine(), *(partial(again, item) for item in "abc"))
    finally:
        MINE.turns = None
    assert table.seen == [["a", "b", "c"], ["a", "b", "c"]]


def test_the_pauses_of_a_round_do_not_add_up(mine: Callable[[], Round]) -> None:
    """As of use-cases that lost the same race."""
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    retries = Retries(ticks=lambda: now[0], sleep=sleep, uniform=lambda _low, high: high)
    MINE.turns = Turns(Inbox())
    try:
        together(mine(), *[lambda: retries.pause(6, math.inf)] * 8)
    finally:
        MINE.turns = None
    assert now[0] == pytest.approx(100 + 0.004 * 2**6)


def test_one_that_fails_in_an_unforeseen_way_fails_alone(table: Table, mine: Callable[[], Round]) -> None:
    class Panic(BaseException):
        """As extensions in other languages raise it."""

    def fails() -> None:
        table.ask("b")
        raise Panic

    together(mine(), partial(table.ask, "a"), fails, partial(table.ask, "c"))
    assert table.ends == ["A", "B", "C"]


def test_one_that_waits_for_a_place_goes_behind_those_of_its_round_that_hold_them(
    table: Table, mine: Callable[[], Round]
) -> None:
    lane = Bulkhead(2, "this zone")

    def change(item: str) -> None:
        try:
            lane.enter("z", lambda: None)
        except Unavailable:
            table.ends.append(f"{item}: refused")
            return
        for attempt in "12":  # the first is a race that it loses
            table.ask(f"{item}{attempt}")
            with aside():
                pass
        lane.leave("z")

    MINE.turns = Turns(Inbox())
    try:
        together(mine(), *(partial(change, item) for item in "abc"))
    finally:
        MINE.turns = None
    assert table.seen == [["a1", "b1"], ["a2", "b2"], ["c1"], ["c2"]]


def test_one_that_waits_for_a_place_has_no_more_patience_than_elsewhere(mine: Callable[[], Round]) -> None:
    """The time that the others of its round took counts."""
    now, ends = [0.0], []
    lane = Bulkhead(1, "this zone", patience_s=WAIT_S, clock=lambda: now[0])
    lane.enter("z", lambda: None)  # as a thread that hangs

    def takes_long(items: Sequence[str]) -> Sequence[str]:
        now[0] += WAIT_S
        return items

    def change() -> None:
        try:
            lane.enter("z", lambda: None)
        except Unavailable:
            ends.append("refused")

    batches: Batches[str, str] = Batches(takes_long, most=32)
    MINE.turns, began = Turns(Inbox()), uptime()
    try:
        together(mine(), partial(batches.ask, "a"), change)
    finally:
        MINE.turns = None
    assert ends == ["refused"]
    assert uptime() - began < WAIT_S / 2


def do_all(
    table: Table,
    inbox: Inbox,
    *works: Work,
    most: int,
    turn_s: float = NEVER_S,
    turns: Turns[Work] | None = None,
) -> None:
    """Have two threads do this work, which arrives at once, until three callers or more have ended."""
    count = max(3, len(works))
    turns = turns or Turns(inbox, turn_s=turn_s)

    def do(work: Work) -> None:
        if most > 1 and MINE.round is None and turns.ready:
            share(turns, do, work, most=most)
        else:
            work()

    threads = [threading.Thread(target=take_turns, args=(turns, do), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: turns._idle == 2, deadline_s=WAIT_S)  # the last idle one would take one work at a time
    inbox.put(*works)
    until(lambda: turns.in_hand == 0 and len(table.ends) == count, deadline_s=WAIT_S)
    turns.close()
    for thread in threads:
        thread.join(WAIT_S)


@pytest.mark.parametrize(("most", "shared"), [(1, [1] * 8), (3, [3, 3, 2]), (8, [8])])
def test_what_is_ready_at_the_same_time_shares_a_round(table: Table, most: int, shared: list[int]) -> None:
    do_all(table, Inbox(), *(partial(table.ask, item) for item in "abcdefgh"), most=most)
    assert [len(some) for some in table.seen] == shared
    assert "".join(table.ends) == "ABCDEFGH"


def test_nobody_waits_for_what_would_come_after_one_that_takes_long(table: Table) -> None:
    def slow() -> None:
        threading.Event().wait(0.05)
        table.ask("b")

    do_all(table, Inbox(), partial(table.ask, "a"), slow, partial(table.ask, "c"), most=8, turn_s=0.02)
    assert sorted(table.seen) == [["a", "b"], ["c"]]


def test_nobody_waits_for_what_hangs_before_it_asks_for_a_batch(table: Table) -> None:
    """Work that is ready behind it is left to another thread."""
    came = threading.Event()

    def hangs() -> None:
        table.ends.append("hung" if came.wait(WAIT_S) else "nobody came")

    def comes() -> None:
        came.set()
        table.ends.append("came")

    do_all(table, Inbox(), hangs, comes, partial(table.ask, "a"), most=8, turn_s=0.02)
    assert sorted(table.ends) == ["A", "came", "hung"]


def test_what_may_take_long_is_done_apart_from_those_that_wait(table: Table) -> None:
    """As a read of which nobody knows how long it takes: it is queued again, before all others."""
    inbox = Inbox()
    turns: Turns[Work] = Turns(inbox, turn_s=NEVER_S)

    def read() -> None:
        if MINE.round is not None and MINE.round.apart():
            turns.add(read, first=True)
        else:
            table.ends.append(f"read after {len(table.seen)}")

    do_all(table, inbox, partial(table.ask, "a"), read, read, partial(table.ask, "b"), most=8, turns=turns)
    assert table.ends == ["A", "read after 1", "read after 1", "B"]


def test_a_failure_of_one_leaves_the_thread_and_the_others(table: Table) -> None:
    def fails() -> None:
        table.ends.append("failed")
        raise SystemExit

    do_all(table, Inbox(), partial(table.ask, "a"), fails, partial(table.ask, "b"), partial(table.ask, "c"), most=8)
    assert sorted(table.ends) == ["A", "B", "C", "failed"]
