# SPDX-License-Identifier: Apache-2.0
"""What both buses promise."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from msgspec.structs import replace

from redesignate.bus.port import WorkSource
from redesignate.commands.base import Command
from redesignate.commands.hint import Hint
from redesignate.commands.inbound import ReportInbound
from redesignate.commands.quotas import GetQuotas, ResetQuotas
from redesignate.commands.rrsets import DeleteRRset
from redesignate.commands.zones import DeleteZone, GetZone, ListZones
from redesignate.model.caller import operator
from redesignate.model.errors import OverQuota, Problem, RRsetNotFound, Unavailable, ZoneNotFound
from redesignate.model.inbound import InboundOutcome, Result
from redesignate.model.paging import ListQuery, Page
from redesignate.model.rrset import RRset
from redesignate.model.zone import Action, Status
from tests.bus.conftest import Bus
from tests.bus.hints import inbound, outbound
from tests.support.servers import until

WAIT_S = 20
ME = operator("req-1")
QUOTAS = GetQuotas(caller=ME, project_id="p")

A_RRSET = RRset(
    id="r", zone_id="z", zone_name="example.org.", project_id=None, name="example.org.", type="A", ttl=None,
    records=(), description=None, managed=False, revision=1, born=1, version=1, created_at=1, updated_at=None,
    status=Status.ACTIVE, action=Action.NONE,
)  # fmt: skip


class Ears:
    """A handler that remembers what it was given."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self.calls: list[tuple[Hint, ...]] = []

    def __call__(self, hints: tuple[Hint, ...]) -> None:
        self.calls.append(hints)
        self.heard.update(hint.zone_id for hint in hints)


@pytest.fixture
def source(bus: Bus) -> Iterator[WorkSource]:
    source = bus.source()
    yield source
    source.stop()


def test_an_answer_comes_back(bus: Bus) -> None:
    assert bus.central(lambda _: {"zones": 10}).call(QUOTAS) == {"zones": 10}


def test_central_sees_the_question_as_it_was_asked(bus: Bus) -> None:
    seen: list[Command[Any]] = []
    bus.central(seen.append).call(ResetQuotas(caller=ME, project_id="ü\n\0"))
    assert seen == [ResetQuotas(caller=ME, project_id="ü\n\0")]


def test_a_long_answer_comes_back_whole(bus: Bus) -> None:
    large = {f"zone-{n:06d}": n for n in range(20_000)}
    assert bus.central(lambda _: large).call(QUOTAS) == large


def test_a_problem_comes_back_as_itself(bus: Bus) -> None:
    def refuse(command: Command[Any]) -> object:
        match command:
            case GetZone():
                raise ZoneNotFound("no such zone")
            case DeleteZone():
                raise Unavailable("the database is away")
            case _:
                raise OverQuota(errors={"errors": ["zones"]})

    central = bus.central(refuse)
    with pytest.raises(ZoneNotFound, match="no such zone"):
        central.call(GetZone(caller=ME, zone_id="z"))
    with pytest.raises(Unavailable, match="the database is away"):
        central.call(DeleteZone(caller=ME, zone_id="z"))
    with pytest.raises(OverQuota) as caught:
        central.call(QUOTAS)
    assert caught.value.errors == {"errors": ["zones"]}


def test_a_fault_of_central_is_a_500_without_its_text(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Command[Any]) -> object:
        raise KeyError("inner matters")

    with caplog.at_level(logging.ERROR), pytest.raises(Problem) as caught:
        bus.central(fail).call(QUOTAS)
    assert caught.value.status == 500
    assert "inner matters" not in caught.value.message
    assert "inner matters" in caplog.text


def test_many_threads_ask_at_once_and_each_gets_its_own_answer(bus: Bus) -> None:
    def echo(command: Command[Any]) -> object:
        assert isinstance(command, GetQuotas)
        return {str(command.project_id): 1}

    central = bus.central(echo)
    questions = [GetQuotas(caller=ME, project_id=f"p{n}") for n in range(100)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(central.call, questions)) == [{f"p{n}": 1} for n in range(100)]


def test_changes_of_one_zone_at_once_fail_and_succeed_each_for_itself(bus: Bus) -> None:
    def odd(command: Command[Any]) -> RRset:
        assert isinstance(command, DeleteRRset)
        if int(command.rrset_id) % 7 == 0:
            raise RRsetNotFound(f"no {command.rrset_id}")
        return replace(A_RRSET, id=command.rrset_id)

    def ask(n: int) -> str:
        try:
            return central.call(DeleteRRset(caller=ME, zone_id="z", rrset_id=str(n))).id
        except RRsetNotFound as problem:
            return problem.message

    central = bus.central(odd)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(100))) == [str(n) if n % 7 else f"no {n}" for n in range(100)]


def test_an_empty_page_is_an_answer(bus: Bus) -> None:

    central = bus.central(lambda _: Page(items=(), total=0))
    assert central.call(ListZones(caller=ME, query=ListQuery())) == Page(items=(), total=0)


def test_a_hint_is_heard(bus: Bus, source: WorkSource) -> None:
    ears = Ears()
    source.start(ears)
    bus.wake().wake(outbound("a", "b"))
    until(lambda: ears.heard.keys() == {"a", "b"}, deadline_s=WAIT_S)


def test_hints_of_both_kinds_keep_their_kind(bus: Bus, source: WorkSource) -> None:
    ears = Ears()
    source.start(ears)
    given = [*outbound("a", "c"), *inbound("a", "b")]
    bus.wake().wake(given)
    until(lambda: ears.heard.total() == 4, deadline_s=WAIT_S)
    assert {hint for call in ears.calls for hint in call} == set(given)


def test_a_whole_zone_goes_to_central_in_one_question(bus: Bus) -> None:
    seen: list[Command[Any]] = []
    outcome = InboundOutcome(
        zone_id="z",
        asked=1,
        generation=1,
        since=None,
        result=Result.FETCHED,
        content=random.Random(7).randbytes(10 * 2**20),
    )
    bus.central(seen.append).call(ReportInbound(worker="w", outcome=outcome))
    assert seen == [ReportInbound(worker="w", outcome=outcome)]


def test_hints_from_before_the_first_listener_wait_for_it(bus: Bus, source: WorkSource) -> None:
    ears = Ears()
    bus.wake().wake(outbound(*(f"z{n}" for n in range(200))))
    source.start(ears)
    until(lambda: len(ears.heard) == 200, deadline_s=WAIT_S)
    assert ears.heard.total() == 200


def test_waking_never_waits_for_the_handler(bus: Bus, source: WorkSource) -> None:
    go_on, heard = threading.Event(), threading.Event()

    def slow(_: tuple[Hint, ...]) -> None:
        heard.set()
        go_on.wait(WAIT_S)

    source.start(slow)
    wake = bus.wake()
    try:
        wake.wake(outbound("a"))
        assert heard.wait(WAIT_S)
        wake.wake(outbound(*(f"z{n}" for n in range(1000))))  # would not come back
    finally:
        go_on.set()


def test_what_arrives_while_all_are_busy_is_handled_together(bus: Bus, source: WorkSource) -> None:
    ears, go_on, busy = Ears(), threading.Event(), threading.Semaphore(0)

    def slow(hints: tuple[Hint, ...]) -> None:
        busy.release()
        go_on.wait(WAIT_S)
        ears(hints)

    source.start(slow)
    bus.wake().wake(outbound(*(f"z{n:04d}" for n in range(2000))))
    assert busy.acquire(timeout=WAIT_S)
    go_on.set()
    until(lambda: len(ears.heard) == 2000, deadline_s=WAIT_S)
    assert len(ears.calls) < 500


def test_a_hint_comes_again_when_its_handler_fails(bus: Bus, source: WorkSource) -> None:
    ears = Ears()

    def fails_first(hints: tuple[Hint, ...]) -> None:
        ears(hints)
        if len(ears.calls) == 1:
            raise ConnectionError("central was away")

    source.start(fails_first)
    bus.wake().wake(outbound("a"))
    until(lambda: ears.heard["a"] == 2, deadline_s=WAIT_S)


def test_a_stopped_source_delivers_nothing_and_the_next_one_all(bus: Bus) -> None:
    first, second = bus.source(), bus.source()
    early, late = Ears(), Ears()
    first.start(early)
    wake = bus.wake()
    wake.wake(outbound("a"))
    until(lambda: early.heard["a"] == 1, deadline_s=WAIT_S)
    first.stop()
    wake.wake(outbound("b"))
    second.start(late)
    until(lambda: late.heard["b"] == 1, deadline_s=WAIT_S)
    second.stop()
    assert early.heard.keys() == {"a"}
