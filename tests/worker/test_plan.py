# SPDX-License-Identifier: Apache-2.0
"""What peers are told and what their answers mean, as tables."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.pool import Endpoint
from redesignate.model.serial import SPACE
from redesignate.model.work import PeerState, Role, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.ask import SOAAnswer
from redesignate.wire.message import Rcode
from redesignate.worker import plan
from redesignate.worker.plan import Do, Stand, fault, stand, steps

TASK = Task(
    zone_id="z", name="example.org.", type=ZoneType.PRIMARY, present=True, superseded=False, revision=7, serial=107,
    pool_id="p", pool_version=1, hard_delete=False, lease_until=0,
)  # fmt: skip
GONE = replace(TASK, present=False)
KNOWN = PeerState(peer_id="t", role=Role.TARGET, present=True, revision=6)
ABSENT = PeerState(peer_id="t", role=Role.TARGET)
CATALOG = ("catalog.example.", 5)
AT = Endpoint("192.0.2.1", 53)


@pytest.mark.parametrize(
    ("task", "known", "told"),
    [
        (TASK, None, (Do.CREATE, Do.NOTIFY_ZONE)),
        (TASK, ABSENT, (Do.CREATE, Do.NOTIFY_ZONE)),
        (TASK, KNOWN, (Do.NOTIFY_ZONE, Do.UPDATE)),
        (GONE, None, (Do.DELETE,)),
        (GONE, KNOWN, (Do.DELETE,)),
        (replace(GONE, superseded=True), KNOWN, ()),
        (replace(TASK, catalog=CATALOG), None, (Do.NOTIFY_CATALOG,)),
        (replace(TASK, catalog=CATALOG), KNOWN, (Do.NOTIFY_ZONE,)),
        (replace(GONE, catalog=CATALOG), KNOWN, (Do.NOTIFY_CATALOG,)),
        (replace(TASK, catalog=CATALOG, type=ZoneType.CATALOG), None, (Do.NOTIFY_ZONE,)),
        (replace(GONE, type=ZoneType.CATALOG), KNOWN, ()),
        (replace(TASK, type=ZoneType.SECONDARY), None, (Do.CREATE, Do.NOTIFY_ZONE)),
    ],
)
def test_a_target_is_told_these_in_this_order(task: Task, known: PeerState | None, told: tuple[Do, ...]) -> None:
    assert steps(task, known) == told


def test_a_target_that_needs_no_notify_gets_none() -> None:
    assert steps(TASK, None, notified=False) == (Do.CREATE,)
    assert steps(replace(TASK, catalog=CATALOG), None, notified=False) == ()


@pytest.mark.parametrize(
    ("known", "well", "now", "what"),
    [
        (None, True, 0, Stand.TRY),
        (KNOWN, True, 0, Stand.TRY),
        (replace(KNOWN, revision=7), True, 0, Stand.DONE),
        (replace(KNOWN, revision=8), False, 0, Stand.DONE),
        (replace(KNOWN, revision=7, present=False), True, 0, Stand.TRY),
        (replace(KNOWN, next_try=10), False, 9, Stand.WAIT),
        (replace(KNOWN, next_try=10), False, 10, Stand.TRY),
        (replace(KNOWN, next_try=10), True, 9, Stand.TRY),
        (replace(KNOWN, revision=7, next_try=10), False, 9, Stand.DONE),
    ],
)
def test_a_peer_is_tried_unless_done_or_backing_off(known: PeerState | None, well: bool, now: int, what: Stand) -> None:
    assert stand(TASK, known, now, well=well) is what


def answer(serial: int | None = None, rcode: int = 0) -> SOAAnswer:
    return SOAAnswer(rcode=rcode, aa=True, serial=serial)


@pytest.mark.parametrize(
    ("task", "heard", "why"),
    [
        (TASK, answer(107), None),
        (TASK, answer(108), None),
        (TASK, answer(106), "192.0.2.1:53 still serves serial 106"),
        (TASK, answer(), "192.0.2.1:53 answers without a SOA"),
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
def test_an_answer_is_right_or_wrong_for_this_reason(task: Task, heard: SOAAnswer, why: str | None) -> None:
    assert fault(task, AT, heard) == why


@given(st.integers(0, SPACE - 1), st.integers(0, 2**31 - 1))
def test_a_serial_at_or_after_the_wanted_one_is_right(wanted: int, ahead: int) -> None:
    assert fault(replace(TASK, serial=wanted), AT, answer((wanted + ahead) % SPACE)) is None


@given(st.integers(0, SPACE - 1), st.integers(1, 2**31 - 1))
def test_a_serial_before_the_wanted_one_is_wrong(wanted: int, behind: int) -> None:
    assert fault(replace(TASK, serial=wanted), AT, answer((wanted - behind) % SPACE)) is not None


def test_polls_begin_after_ten_milliseconds_and_grow_to_a_second() -> None:
    pauses = list(islice(plan.poll_pauses(), 20))
    assert pauses[0] == 0.010
    assert all(before <= after for before, after in pairwise(pauses))
    assert max(pauses) == 1.0


def test_an_unserved_notify_is_sent_again_at_the_measured_moments() -> None:
    assert list(islice(plan.notify_moments(), 7)) == [0, 0.2, 0.5, 1.0, 2.0, 4.0, 6.0]
