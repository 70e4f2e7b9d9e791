# SPDX-License-Identifier: Apache-2.0
"""The states of the work on one zone: every move there is, and what each leads to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest

from redesignate.commands.work import PoolForWork, WorkPool
from redesignate.model.clock import now
from redesignate.model.work import Outcome, Task
from redesignate.wire.client import Exchanger
from redesignate.worker import zonework
from redesignate.worker.attempt import WorkerContext
from redesignate.worker.health import HealthTable
from redesignate.worker.pools import PoolCache
from redesignate.worker.zonework import STOPPING, TRANSITIONS, Event, Leased, State, ZoneWork
from tests.support.nameservers import SmallBackend, SmallServer
from tests.worker.attempts import TASK, pool_of


def test_every_state_is_reached_from_the_first_and_reaches_the_last() -> None:
    def closure(start: State, step: Callable[[State], set[State]]) -> set[State]:
        found, fresh = {start}, {start}
        while fresh:
            fresh = {after for state in fresh for after in step(state)} - found
            found |= fresh
        return found

    assert closure(State.LEASED, lambda at: {to for (a, _), to in TRANSITIONS.items() if a is at}) == set(State)
    assert closure(State.DONE, lambda at: {a for (a, _), to in TRANSITIONS.items() if to is at}) == set(State)
    assert not [move for move in TRANSITIONS if move[0] is State.DONE]


def test_whatever_central_says_meets_every_state_that_is_not_over() -> None:
    for state in set(State) - {State.DONE}:
        assert (state, Event.NEWER) in TRANSITIONS
        assert (state, Event.LOST) in TRANSITIONS


def test_a_final_report_is_sent_from_one_state_alone() -> None:
    into = {before for (before, event), after in TRANSITIONS.items() if event is Event.SETTLED}
    assert into == {State.LEASED, State.TRYING, State.REPORTED, State.LOST}
    assert {after for (_, event), after in TRANSITIONS.items() if event is Event.SETTLED} == {State.FINISHING}
    assert {before for (before, event), _ in TRANSITIONS.items() if event is Event.OVER} == {State.FINISHING}


@dataclass
class Central:
    """Hears reports and answers them with what the test wants."""

    servers: tuple[SmallServer, ...]
    answers: list[Leased | None] = field(default_factory=list)
    reports: list[Outcome] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    work: ZoneWork | None = None
    exchanger: Exchanger = field(default_factory=Exchanger)

    async def ask(self, _question: PoolForWork) -> WorkPool:
        await asyncio.sleep(0)
        return WorkPool(pool=pool_of(*self.servers))

    async def report(self, outcome: Outcome) -> Leased | None:
        assert self.work is not None
        self.reports.append(outcome)
        self.states.append(self.work.state)
        return self.answers.pop(0) if self.answers else None

    def begin(self, task: Task = TASK) -> ZoneWork:
        context = WorkerContext(
            exchanger=self.exchanger,
            health=HealthTable(on_down=lambda _: None, on_return=lambda _: None),
            clock=now,
            window=1.5,
        )
        pools = PoolCache(self.ask, build=lambda _pool, target: SmallBackend(self.servers[int(target.id[1:])]))
        until = asyncio.get_running_loop().time() + 60
        self.work = ZoneWork((task, until), context=context, pools=pools, report=self.report)
        return self.work


def later(revision: int) -> Leased:
    return replace(TASK, revision=revision, serial=100 + revision), asyncio.get_running_loop().time() + 60


def run(test: Callable[[Central], Awaitable[None]], *servers: SmallServer) -> None:
    """Run a test on a loop of its own."""

    async def main() -> None:
        central = Central(servers)
        try:
            await asyncio.wait_for(test(central), 10)
        finally:
            await central.exchanger.close()

    asyncio.run(main())


def test_a_zone_that_is_served_needs_one_final_report() -> None:
    with SmallServer(zones={TASK.name: TASK.serial}) as server:

        async def test(central: Central) -> None:
            work = central.begin()
            await work.run()
            assert central.states == [State.FINISHING]
            (outcome,) = central.reports
            assert outcome.final
            assert {peer.peer_id: peer.ok for peer in outcome.peers} == {"t0": True, "n0": True}
            assert work.state is State.DONE

        run(test, server)


def test_a_slow_peer_is_reported_after_the_good_ones() -> None:
    with SmallServer(zones={TASK.name: TASK.serial}) as good, SmallServer(zones={TASK.name: 1}, frozen=True) as behind:

        async def test(central: Central) -> None:
            work = central.begin()
            await work.run()
            assert central.states[0] is State.TRYING
            assert central.states[1:-1] == [State.REPORTED] * (len(central.states) - 2)
            assert central.states[-1] is State.FINISHING
            assert [outcome.final for outcome in central.reports] == [False] * (len(central.reports) - 1) + [True]
            assert all(peer.ok for outcome in central.reports[:-1] for peer in outcome.peers)
            assert [peer.why for peer in central.reports[-1].peers if not peer.ok] == [
                f"127.0.0.1:{behind.port} still serves serial 1"
            ]

        run(test, good, behind)


def test_nameservers_that_follow_each_other_closely_are_one_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zonework, "REPORT_AFTER_S", 0.5)
    monkeypatch.setattr(zonework, "REPORT_LATEST_S", 5.0)

    async def test(central: Central) -> None:
        for n, server in enumerate(central.servers):
            threading.Timer(0.3 * n, server.zones.__setitem__, (TASK.name, TASK.serial)).start()
        await central.begin().run()
        assert [outcome.final for outcome in central.reports] == [True]

    with ExitStack() as end:
        run(test, *(end.enter_context(SmallServer(zones={TASK.name: 1}, frozen=True)) for _ in range(3)))


def test_a_stream_of_successes_does_not_delay_the_first_report_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zonework, "REPORT_AFTER_S", 0.5)
    monkeypatch.setattr(zonework, "REPORT_LATEST_S", 0.4)

    async def test(central: Central) -> None:
        for n, server in enumerate(central.servers):
            threading.Timer(0.3 * n, server.zones.__setitem__, (TASK.name, TASK.serial)).start()
        await central.begin().run()
        assert [outcome.final for outcome in central.reports][:1] == [False]

    with ExitStack() as end:
        run(test, *(end.enter_context(SmallServer(zones={TASK.name: 1}, frozen=True)) for _ in range(4)))


def test_a_newer_task_stops_the_attempt_and_the_next_begins() -> None:
    with SmallServer(zones={TASK.name: 1}, frozen=True) as server:

        async def test(central: Central) -> None:
            work = central.begin()
            running = asyncio.create_task(work.run())
            await asyncio.to_thread(server.wait_asked, "SOA", 1)
            server.zones[TASK.name] = 108
            work.supersede(later(8))
            work.supersede(later(7))
            assert work.state is State.SUPERSEDED
            await running
            assert [(outcome.revision, outcome.final) for outcome in central.reports] == [(8, True)]

        run(test, server)


def test_a_newer_task_that_answers_the_final_report_is_worked_on_at_once() -> None:
    with SmallServer(zones={TASK.name: 108}) as server:

        async def test(central: Central) -> None:
            central.answers = [later(8)]
            await central.begin().run()
            assert [outcome.revision for outcome in central.reports] == [7, 8]

        run(test, server)


def test_a_lost_lease_stops_the_attempt_and_says_that_nothing_came_of_it() -> None:
    with SmallServer(zones={TASK.name: 1}, frozen=True) as server:

        async def test(central: Central) -> None:
            work = central.begin()
            running = asyncio.create_task(work.run())
            await asyncio.to_thread(server.wait_asked, "SOA", 1)
            work.lose()
            assert work.state is State.LOST
            assert work.state in STOPPING
            await running
            assert [(outcome.final, outcome.peers) for outcome in central.reports] == [(True, ())]

        run(test, server)


def test_a_superseded_zone_is_reported_as_gone_and_nothing_is_done_anywhere() -> None:
    with SmallServer(zones={TASK.name: TASK.serial}) as server:

        async def test(central: Central) -> None:
            await central.begin(replace(TASK, present=False, superseded=True)).run()
            (outcome,) = central.reports
            assert {(peer.peer_id, peer.ok, peer.present) for peer in outcome.peers} == {
                ("t0", True, False),
                ("n0", True, False),
            }
            assert server.asked == []

        run(test, server)
