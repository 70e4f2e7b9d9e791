# SPDX-License-Identifier: Apache-2.0
"""A serial past another one (RFC 1982)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.serial import SPACE, newer, past

SERIALS = st.integers(0, SPACE - 1)
HALF = SPACE // 2


@given(SERIALS, st.integers(1, HALF - 2), SERIALS)
def test_a_jump_comes_after_both(ours: int, ahead: int, clock: int) -> None:
    theirs = (ours + ahead) % SPACE
    after = past(ours, theirs, clock)
    if newer(after, theirs):
        assert newer(after, ours)
    else:  # past the wrap 0 is skipped, or the clock was too far ahead of ours
        assert newer(after, ours)
        assert newer(past(after, theirs, after), theirs)


@given(SERIALS, st.integers(1, HALF - 1), SERIALS)
def test_every_jump_moves_our_serial_forward(ours: int, ahead: int, clock: int) -> None:
    assert newer(past(ours, (ours + ahead) % SPACE, clock), ours)


@given(SERIALS, st.integers(1, HALF - 1))
def test_two_jumps_pass_any_serial(ours: int, ahead: int) -> None:
    theirs = (ours + ahead) % SPACE
    first = past(ours, theirs, ours)
    second = first if newer(first, theirs) else past(first, theirs, first)
    assert newer(second, theirs)
    assert newer(second, first) or second == first


def test_the_clock_is_taken_where_it_is_newer() -> None:
    assert past(100, 200, 5000) == 5000
    assert past(100, 200, 50) == 201
