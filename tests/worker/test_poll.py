# SPDX-License-Identifier: Apache-2.0
"""What one nameserver is asked, and what counts as its outcome."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from redesignate.model.work import PeerOutcome, PeerState, Role
from redesignate.worker.attempt import Attempt
from redesignate.worker.poll import poll
from tests.support.nameservers import SmallServer
from tests.worker.attempts import TASK, try_with

GONE = replace(TASK, present=False)


async def first_server(attempt: Attempt) -> PeerOutcome:
    attempt.signals.mark_notified(attempt.pool.targets[0].notify)
    return await poll(attempt, attempt.pool.pool.nameservers[0])


def test_a_server_with_the_wanted_serial_is_right_at_the_first_question() -> None:
    with SmallServer(zones={TASK.name: TASK.serial}) as server:
        outcome = try_with(first_server, server)
        assert (outcome.ok, outcome.serial, outcome.present, outcome.why) == (True, 107, True, None)
        assert len(server.questions("SOA")) == 1


def test_a_server_that_lags_is_asked_until_it_is_right() -> None:
    async def catching_up(attempt: Attempt) -> PeerOutcome:
        server.zones[TASK.name] = 106
        return await first_server(attempt)

    with SmallServer(lag=0.2) as server:
        server.zones[TASK.name] = 106
        outcome = try_with(catching_up, server, window=0.5)
        assert outcome.why == f"127.0.0.1:{server.port} still serves serial 106"
        assert len(server.questions("SOA")) > 3


def test_a_server_is_first_asked_when_it_usually_serves_a_change() -> None:
    """Of zones that it had; a zone that is new to it takes another time."""

    def served_after(seconds: float) -> Callable[[Attempt], Awaitable[PeerOutcome]]:
        async def ask(attempt: Attempt) -> PeerOutcome:
            attempt.health["n0"].usual[True] = 0.4
            server.zones[TASK.name] = 106
            threading.Timer(seconds, server.zones.__setitem__, (TASK.name, TASK.serial)).start()
            return await first_server(attempt)

        return ask

    known = PeerState(peer_id="n0", role=Role.NAMESERVER, present=True, revision=6, serial=106)
    with SmallServer() as server:
        assert try_with(served_after(0.05), server, task=replace(TASK, peers=(known,))).ok
        assert len(server.questions("SOA")) == 1
        server.asked.clear()
        assert try_with(served_after(0.4), server).ok
        assert len(server.questions("SOA")) > 2


@pytest.mark.parametrize(
    ("manner", "absent", "why"),
    [
        ({}, True, "127.0.0.1:{port} answers REFUSED"),
        ({"zones": {TASK.name: None}}, False, "127.0.0.1:{port} answers SERVFAIL"),
        ({"silent": True}, False, "no answer from 127.0.0.1:{port} within 0.4 s"),
    ],
)
def test_a_server_without_the_zone_is_told_apart_from_one_that_is_silent(
    manner: dict[str, bool], absent: bool, why: str
) -> None:
    with SmallServer(**manner) as server:  # type: ignore[arg-type]  # its own fields
        outcome = try_with(first_server, server, window=0.4)
        assert (outcome.ok, outcome.absent, outcome.why) == (False, absent, why.format(port=server.port))


def test_silence_leaves_what_was_known() -> None:
    known = PeerState(peer_id="n0", role=Role.NAMESERVER, present=True, revision=6, serial=106)
    with SmallServer(silent=True) as server:
        outcome = try_with(first_server, server, task=replace(TASK, peers=(known,)), window=0.3)
        assert (outcome.ok, outcome.present, outcome.serial) == (False, True, 106)


def test_a_server_that_is_down_is_not_asked() -> None:
    async def down(attempt: Attempt) -> PeerOutcome:
        for sent in range(4):
            attempt.health["n0"].silent(sent, sent + 1.0, "no answer from it")
        return await first_server(attempt)

    with SmallServer(zones={TASK.name: 107}) as server:
        assert try_with(down, server).why == "no answer from it"
        assert server.asked == []


def test_a_deleted_zone_is_right_where_it_is_refused_and_wrong_where_it_is_served() -> None:
    with SmallServer() as server:
        assert try_with(first_server, server, task=GONE).ok
    with SmallServer(zones={TASK.name: 5}) as server:
        outcome = try_with(first_server, server, task=GONE, window=0.3)
        assert (outcome.ok, outcome.serial) == (False, 5)


def test_nothing_is_asked_before_a_target_was_notified() -> None:
    async def untold(attempt: Attempt) -> PeerOutcome:
        return await poll(attempt, attempt.pool.pool.nameservers[0])

    with SmallServer(zones={TASK.name: 107}) as server:
        outcome = try_with(untold, server, window=0.3)
        assert outcome.why == f"127.0.0.1:{server.port} was not asked: no target could be notified within 0.3 s"
        assert server.asked == []
