# SPDX-License-Identifier: Apache-2.0
"""Questions of one lane travel together, those of different lanes never wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from redesignate.bus.convoy import Convoys, lane
from redesignate.commands.rrsets import CreateRRset, DeleteRRset, UpdateRRset
from redesignate.commands.zones import GetZone
from redesignate.model.caller import operator
from redesignate.model.errors import Unavailable
from redesignate.model.rrset import NewRRset, RRsetChange
from tests.support.servers import until

WAIT_S = 10


class Road:
    """A carrier that answers when it is let; remembers who travelled together."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.open = threading.Event()
        self.fails = False

    def __call__(self, bodies: Sequence[str]) -> list[str]:
        self.seen.append(list(bodies))
        assert self.open.wait(WAIT_S)
        if self.fails:
            raise Unavailable("closed")
        return [body.upper() for body in bodies]


def start(pool: ThreadPoolExecutor, convoys: Convoys, key: str, bodies: Sequence[str]) -> list[Future[str]]:
    """Ask, each once the one before is on its way or waits."""
    futures = []
    for body in bodies:
        before = _known(convoys, key)
        futures.append(pool.submit(convoys.ask, key, body))
        until(lambda before=before: _known(convoys, key) > before, deadline_s=WAIT_S)  # type: ignore[misc]
    return futures


def _known(convoys: Convoys, key: str) -> int:
    waiting = convoys._waiting.get(key)
    return 0 if waiting is None else 1 + len(waiting)


def test_who_comes_while_a_convoy_is_away_goes_with_the_next() -> None:
    road = Road()
    convoys = Convoys(road)
    with ThreadPoolExecutor(8) as pool:
        futures = start(pool, convoys, "z", "abcd")
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == ["A", "B", "C", "D"]
    assert road.seen == [["a"], ["b", "c", "d"]]


def test_a_convoy_takes_no_more_than_it_may() -> None:
    road = Road()
    convoys = Convoys(road, most=2)
    with ThreadPoolExecutor(8) as pool:
        futures = start(pool, convoys, "z", "abcdef")
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == list("ABCDEF")
    assert road.seen == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_a_lane_does_not_wait_for_another() -> None:
    road = Road()
    convoys = Convoys(road)
    with ThreadPoolExecutor(8) as pool:
        futures = start(pool, convoys, "y", "a") + start(pool, convoys, "z", "b")
        until(lambda: len(road.seen) == 2, deadline_s=WAIT_S)
        road.open.set()
        assert [future.result(WAIT_S) for future in futures] == ["A", "B"]


def test_what_the_carrier_raises_each_of_its_askers_hears_and_the_next_go_on() -> None:
    road = Road()
    road.fails = True
    convoys = Convoys(road)
    with ThreadPoolExecutor(8) as pool:
        futures = start(pool, convoys, "z", "abc")
        road.open.set()
        for future in futures:
            with pytest.raises(Unavailable, match="closed"):
                future.result(WAIT_S)
    road.fails = False
    assert convoys.ask("z", "d") == "D"


def test_a_lane_that_nobody_uses_leaves_nothing() -> None:
    convoys = Convoys(lambda bodies: bodies)
    for n in range(100):
        convoys.ask(f"z{n}", "a")
    assert not convoys._waiting


def test_many_at_once_each_get_their_own_answer() -> None:
    sizes: list[int] = []

    def carry(bodies: Sequence[str]) -> list[str]:
        sizes.append(len(bodies))
        return [body + "!" for body in bodies]

    convoys = Convoys(carry, most=4)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: convoys.ask(f"z{n % 3}", str(n)), range(3000)))
    assert answers == [f"{n}!" for n in range(3000)]
    assert sum(sizes) == 3000
    assert max(sizes) <= 4


def test_only_changes_of_a_zones_rrsets_queue_for_it() -> None:
    me = operator("req-1")
    new = NewRRset(name="a.", type="A", records=("192.0.2.1",))
    assert lane(CreateRRset(caller=me, zone_id="z", new=new)) == "z"
    assert lane(UpdateRRset(caller=me, zone_id="z", rrset_id="r", change=RRsetChange())) == "z"
    assert lane(DeleteRRset(caller=me, zone_id="z", rrset_id="r")) == "z"
    assert lane(GetZone(caller=me, zone_id="z")) is None
