# SPDX-License-Identifier: Apache-2.0
"""What peers are told and what their answers mean, as tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.pool import Endpoint
from redesignate.model.serial import SPACE
from redesignate.model.work import PeerState, Role, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.client import SOAAnswer
from redesignate.wire.message import Rcode
from redesignate.worker import plan
from redesignate.worker.plan import Decision, Step, decide, fault, steps

TASK = Task(
    zone_id="z", name="example.org.", type=ZoneType.PRIMARY, present=True, superseded=False, revision=7, serial=107,
    pool_id="p", pool_version=1, hard_delete=False, read_at=0,
)  # fmt: skip
GONE = replace(TASK, present=False)
KNOWN = PeerState(peer_id="t", role=Role.TARGET, present=True, revision=6)
ABSENT = PeerState(peer_id="t", role=Role.TARGET)
CATALOG = ("catalog.example.", 5)
AT = Endpoint("192.0.2.1", 53)


@pytest.mark.parametrize(
    ("task", "known", "told"),
    [
        (TASK, None, (Step.CREATE, Step.NOTIFY_ZONE)),
        (TASK, ABSENT, (Step.CREATE, Step.NOTIFY_ZONE)),
        (TASK, KNOWN, (Step.NOTIFY_ZONE, Step.UPDATE)),
        (GONE, None, (Step.DELETE,)),
        (GONE, KNOWN, (Step.DELETE,)),
        (replace(GONE, superseded=True), KNOWN, ()),
        (replace(TASK, catalog=CATALOG), None, (Step.NOTIFY_CATALOG,)),
        (replace(TASK, catalog=CATALOG), KNOWN, (Step.NOTIFY_ZONE,)),
        (replace(GONE, catalog=CATALOG), KNOWN, (Step.NOTIFY_CATALOG,)),
        (replace(TASK, catalog=CATALOG, type=ZoneType.CATALOG), None, (Step.NOTIFY_ZONE,)),
        (replace(GONE, type=ZoneType.CATALOG), KNOWN, ()),
        (replace(TASK, type=ZoneType.SECONDARY), None, (Step.CREATE, Step.NOTIFY_ZONE)),
    ],
)
def test_a_target_is_told_these_in_this_order(task: Task, known: PeerState | None, told: tuple[Step, ...]) -> None:
    assert steps(task, known) == told


def test_a_target_that_needs_no_notify_gets_none() -> None:
    assert steps(TASK, None, notified=False) == (Step.CREATE,)
    assert steps(replace(TASK, catalog=CATALOG), None, notified=False) == ()


@pytest.mark.parametrize(
    ("known", "answering", "now", "what"),
    [
        (None, True, 0, Decision.TRY),
        (KNOWN, True, 0, Decision.TRY),
        (replace(KNOWN, revision=7), True, 0, Decision.DONE),
        (replace(KNOWN, revision=8), False, 0, Decision.DONE),
        (replace(KNOWN, revision=7, present=False), True, 0, Decision.TRY),
        (replace(KNOWN, next_try=10), False, 9, Decision.WAIT),
        (replace(KNOWN, next_try=10), False, 10, Decision.TRY),
        (replace(KNOWN, next_try=10), True, 9, Decision.TRY),
        (replace(KNOWN, revision=7, next_try=10), False, 9, Decision.DONE),
    ],
)
def test_a_peer_is_tried_unless_done_or_backing_off(
    known: PeerState | None, answering: bool, now: int, what: Decision
) -> None:
    assert decide(TASK, known, now, answering=answering) is what


def answer(serial: int | None = None, rcode: int = 0) -> SOAAnswer:
    return SOAAnswer(rcode=rcode, aa=True, serial=serial)


@pytest.mark.parametrize(
    ("task", "received", "why"),
    [
        (TASK, answer(107), None),
        (TASK, answer(108), None),
        (TASK, answer(106), "192.0.2.1:53 still serves serial 106"),
        (TASK, answer(), "192.0.2.1:53 answers without an SOA"),
        (TASK, answer(rcode=Rcode.REFUSED), "192.0.2.1:53 answers REFUSED"),
        (TASK, answer(rcode=Rcode.SERVFAIL), "192.0.2.1:53 answers SERVFAIL"),
        (TASK, answer(rcode=42), "192.0.2.1:53 answers rcode 42"),
        (replace(TASK, serial=3), answer(SPACE - 2), f"192.0.2.1:53 still serves serial {SPACE - 2}"),
        (replace(TASK, serial=SPACE - 2), answer(3), None),
        (GONE, answer(107), "192.0.2.1:53 still serves serial 107"),
        (GONE, answer(5), "192.0.2.1:53 still serves serial 5"),
        (GONE, answer(), None),
        (GONE, answer(rcode=Rcode.REFUSED), None),
        (GONE, answer(rcode=Rcode.NXDOMAIN), None),
        (GONE, answer(rcode=Rcode.NOTAUTH), None),
        (GONE, answer(rcode=Rcode.SERVFAIL), "192.0.2.1:53 answers SERVFAIL"),
    ],
)
def test_an_answer_is_right_or_wrong_for_this_reason(task: Task, received: SOAAnswer, why: str | None) -> None:
    assert fault(task, AT, received) == why


@given(st.integers(0, SPACE - 1), st.integers(0, 2**31 - 1))
def test_a_serial_at_or_after_the_wanted_one_is_right(wanted: int, ahead: int) -> None:
    assert fault(replace(TASK, serial=wanted), AT, answer((wanted + ahead) % SPACE)) is None


@given(st.integers(0, SPACE - 1), st.integers(1, 2**31 - 1))
def test_a_serial_before_the_wanted_one_is_wrong(wanted: int, behind: int) -> None:
    assert fault(replace(TASK, serial=wanted), AT, answer((wanted - behind) % SPACE)) is not None


def test_polls_begin_after_ten_milliseconds_and_grow_to_a_second() -> None:
    pauses = list(accumulate(range(19), lambda pause, _: plan.longer(pause), initial=plan.FIRST_POLL_S))
    assert pauses[0] == 0.010
    assert all(before <= after for before, after in pairwise(pauses))
    assert max(pauses) == 1.0


@given(st.floats(0.001, 0.15), st.floats(0.001, 0.5))
def test_a_server_that_takes_as_long_each_time_is_soon_asked_twice_at_most(takes: float, usual: float) -> None:
    polls, waited = [], []
    for _ in range(30):
        at, pause, asked = min(usual, plan.LATEST_FIRST_POLL_S), max(plan.FIRST_POLL_S, usual / 4), 1
        while at < takes:
            pause = plan.longer(pause)
            at, asked = at + pause, asked + 1
        usual = plan.learned(usual, at, at_once=asked == 1)
        assert plan.FIRST_POLL_S <= usual <= plan.LONGEST_USUAL_S
        polls.append(asked)
        waited.append(at)
    assert sum(polls[10:]) <= 2.2 * 20
    assert sum(waited[10:]) / 20 <= max(1.6 * takes, 0.03)


def test_one_large_zone_among_ten_delays_no_other() -> None:
    usual = plan.FIRST_POLL_S
    for n in range(100):
        slow = n % 10 == 0
        assert slow or usual <= 0.02
        usual = plan.learned(usual, 8.0 if slow else usual, at_once=not slow)


def test_an_unserved_notify_is_sent_again_at_the_measured_moments() -> None:
    assert list(islice(plan.notify_moments(), 6)) == [0.2, 0.5, 1.0, 2.0, 4.0, 6.0]
    assert list(islice(plan.notify_moments(0.1), 4)) == [0.2, 0.5, 1.0, 2.0]


@pytest.mark.parametrize("usual", [0.4, 2.0])
def test_a_server_that_usually_takes_long_is_notified_again_later(usual: float) -> None:
    moments = list(islice(plan.notify_moments(usual), 6))
    assert moments[0] >= usual / 2
    assert moments[3:] == [10.0 if usual > 0.5 else 8.0, moments[3] + 2, moments[3] + 4]


TARGETS = {"t1": Endpoint("192.0.2.1", 53), "t2": Endpoint("192.0.2.2", 53)}
SERVERS = {"n1": Endpoint("192.0.2.1", 53), "n2": Endpoint("192.0.2.2", 53)}


def chosen(task: Task, *known: PeerState, down: tuple[str, ...] = ()) -> plan.Selection:
    states = {state.peer_id: state for state in known}
    answering = {peer_id for peer_id in (*TARGETS, *SERVERS) if peer_id not in down}
    return plan.select(task, TARGETS, SERVERS, known=states, answering=answering, down=down, now=0)


def right(peer_id: str, role: Role, **changes: object) -> PeerState:
    state = PeerState(peer_id=peer_id, role=role, present=True, revision=7, serial=107)
    return replace(state, **changes)  # type: ignore[arg-type]  # a field each


def test_an_unknown_zone_is_brought_to_every_peer() -> None:
    found = chosen(TASK)
    assert (found.applied, found.polled) == (("t1", "t2"), ("n1", "n2"))
    assert not found.reminded
    assert not found.current
    assert not found.waiting


def test_peers_that_are_right_are_left_alone_and_their_targets_reminded_while_a_server_lags() -> None:
    states = (right("t1", Role.TARGET), right("t2", Role.TARGET), right("n1", Role.NAMESERVER))
    found = chosen(TASK, *states)
    assert (found.applied, found.reminded) == ((), ("t1", "t2"))
    assert (found.polled, found.current) == (("n2",), ("n1",))


def test_no_target_is_reminded_where_the_lagging_servers_are_down() -> None:
    states = (right("t1", Role.TARGET), right("t2", Role.TARGET), right("n1", Role.NAMESERVER))
    assert chosen(TASK, *states, down=("n2",)).reminded == ()


def test_a_peer_in_its_back_off_waits_with_what_is_known_of_it() -> None:
    late = right("n2", Role.NAMESERVER, revision=6, serial=106, next_try=10, error="no answer", attempts=3)
    found = chosen(TASK, late, down=("n2",))
    assert found.polled == ("n1",)
    (waiting,) = found.waiting
    assert (waiting.peer_id, waiting.tried, waiting.serial, waiting.why) == ("n2", False, 106, "no answer")


def test_a_server_that_goes_on_serving_a_deleted_zone_has_its_target_told_once_more() -> None:
    gone = [replace(right(peer_id, Role.TARGET), present=False) for peer_id in TARGETS]
    still = right("n2", Role.NAMESERVER, attempts=1)
    found = chosen(GONE, *gone, still)
    assert found.applied == ("t2",)


def test_where_no_target_has_the_address_of_such_a_server_all_are_told() -> None:
    gone = [replace(right(peer_id, Role.TARGET), present=False) for peer_id in TARGETS]
    still = right("n3", Role.NAMESERVER, attempts=1)
    states = {state.peer_id: state for state in (*gone, still)}
    found = plan.select(
        GONE, TARGETS, {"n3": Endpoint("192.0.2.3", 53)}, known=states, answering={"n3"}, down=(), now=0
    )
    assert found.applied == ("t1", "t2")
