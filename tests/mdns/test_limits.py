# SPDX-License-Identifier: Apache-2.0
"""How many datagrams one network is answered, on a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from redesignate.mdns import limits
from redesignate.mdns.limits import MOST, WINDOW_S, RateLimiter, RateLimits
from redesignate.model.names import to_wire
from redesignate.wire import message
from redesignate.wire.message import AA, QR, TC, Rcode

EACH, EVERY = 10, 100


def answer(name: str = "www.example.org.", rcode: Rcode = Rcode.NOERROR, records: int = 1) -> bytes:
    section = (records, b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd" * records)
    return message.build(7, QR | AA | rcode, message.question(to_wire(name), 1), (section,))


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(clock: Clock, **given: int) -> RateLimiter:
    rates = RateLimits(**{"each": EACH, "every": EVERY, "slip": 0, **given})
    return RateLimiter(rates, trusts=lambda peer: peer.startswith("10."), clock=clock)


def sent(made: RateLimiter, count: int, peer: str = "192.0.2.1", packet: bytes | None = None) -> int:
    """How many of so many answers go out whole."""
    packet = packet or answer()
    return sum(made.passes(peer, packet) == packet for _ in range(count))


def test_one_answer_goes_to_one_network_so_often_a_second(clock: Clock) -> None:
    made = limiter(clock)
    assert sent(made, 50) == EACH
    assert sent(made, 50, "192.0.2.200") == 0, "the same network"
    assert sent(made, 50, "192.0.3.1") == EACH, "another network"
    assert sent(made, 50, packet=answer("mail.example.org.")) == EACH, "another answer"
    assert made.limited == 170


@pytest.mark.parametrize("rcode", [Rcode.NXDOMAIN, Rcode.REFUSED, Rcode.SERVFAIL, Rcode.NOERROR])
def test_denials_and_errors_count_together_whatever_was_asked(clock: Clock, rcode: Rcode) -> None:
    made = limiter(clock)
    assert sum(sent(made, 1, packet=answer(f"n{n}.example.org.", rcode, 0)) for n in range(50)) == EACH


def test_the_case_of_the_question_makes_no_other_answer(clock: Clock) -> None:
    made = limiter(clock)
    assert sent(made, EACH) + sent(made, EACH, packet=answer("WWW.example.org.")) == EACH


def test_a_network_that_stops_is_answered_again_after_the_window(clock: Clock) -> None:
    made = limiter(clock)
    for _ in range(100):
        sent(made, 50)
    clock.now += WINDOW_S - 1
    assert sent(made, 1) == 0
    clock.now += 2
    assert sent(made, 1) == 1


def test_a_network_at_just_the_rate_is_always_answered(clock: Clock) -> None:
    made = limiter(clock)
    for _ in range(20 * EACH):
        assert sent(made, 1) == 1
        clock.now += 1 / EACH


@pytest.mark.parametrize(("slip", "expected"), [(0, 0), (1, 40), (2, 20), (4, 10)])
def test_limited_answers_slip_through_truncated(clock: Clock, slip: int, expected: int) -> None:
    made = limiter(clock, slip=slip)
    found = [made.passes("192.0.2.1", answer()) for _ in range(EACH + 40)][EACH:]
    slipped = [message.read(each) for each in found if each is not None]
    assert len(slipped) == expected
    for each in slipped:
        assert each.flags & TC
        assert not each.answer
        assert each.question is not None


def test_an_error_does_not_slip(clock: Clock) -> None:
    made = limiter(clock, slip=1)
    packet = answer(rcode=Rcode.REFUSED, records=0)
    assert {made.passes("192.0.2.1", packet) for _ in range(EACH + 5)} == {packet, None}


def test_a_flood_of_questions_of_one_network_is_not_looked_at(clock: Clock) -> None:
    made = limiter(clock)
    assert sum(made.admits("2001:db8::1") for _ in range(500)) == EVERY
    assert not made.admits("2001:db8:0:ff::2"), "the same /56"
    assert made.admits("2001:db8:0:100::2")


def test_trusted_addresses_and_limits_of_zero_limit_nobody(clock: Clock) -> None:
    made = limiter(clock)
    assert sent(made, 1000, "10.0.0.1") == 1000
    assert all(made.admits("10.0.0.1") for _ in range(1000))
    unlimited = limiter(clock, each=0, every=0)
    assert sent(unlimited, 1000) == 1000
    assert all(unlimited.admits("192.0.2.1") for _ in range(1000))


def test_forged_addresses_fill_no_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST <= 100_000
    monkeypatch.setattr(limits, "MOST", 100)
    made = limiter(clock)
    for n in range(1000):
        made.admits(f"198.{n // 250}.{n % 250}.1")
    assert len(made) <= 100


def test_what_has_no_question_is_counted_too(clock: Clock) -> None:
    made = limiter(clock, slip=1)
    packet = message.build(7, QR | Rcode.FORMERR, b"")
    assert sent(made, 50, packet=packet) == EACH
