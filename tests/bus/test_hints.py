# SPDX-License-Identifier: Apache-2.0
"""Hints as messages: of this version, and between this version and the one before it while a system is upgraded."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.bus.amqp_hints import read, written
from redesignate.commands.hint import Hint, Kind
from tests.bus.hints import inbound, outbound

OLD = '{"zone_ids": ["5b3c0a52-0001-7000-8000-000000000001", "inbound:5b3c0a52-0001-7000-8000-000000000002"]}'
"""A message as the version before this one sent it."""

hints = st.builds(Hint, st.sampled_from(Kind), st.uuids().map(str))


class OldHints(msgspec.Struct, frozen=True):
    """What the version before this one read of a message."""

    zone_ids: tuple[str, ...]


def sent(given: list[Hint]) -> object:
    """The payload as it is after the broker."""
    return json.loads(json.dumps(written(given)))


@given(st.lists(hints))
def test_what_is_sent_is_read(given: list[Hint]) -> None:
    assert sorted(read(sent(given)), key=repr) == sorted(given, key=repr)


def test_a_new_worker_reads_both_kinds_of_an_old_central() -> None:
    assert read(json.loads(OLD)) == (
        Hint(Kind.OUTBOUND, "5b3c0a52-0001-7000-8000-000000000001"),
        Hint(Kind.INBOUND, "5b3c0a52-0001-7000-8000-000000000002"),
    )


def test_a_new_central_sends_zones_with_work_in_the_outbox_as_before() -> None:
    assert sent([*outbound("a", "b")]) == {"zone_ids": ["a", "b"]}


@given(st.lists(hints))
def test_an_old_worker_reads_every_outbound_hint_of_a_new_central_and_no_other(given: list[Hint]) -> None:
    heard = msgspec.convert(sent(given), OldHints).zone_ids
    assert list(heard) == [hint.zone_id for hint in given if hint.kind is Kind.OUTBOUND]


def test_an_old_worker_acknowledges_a_message_that_has_inbound_hints_alone() -> None:
    assert msgspec.convert(sent([*inbound("a")]), OldHints).zone_ids == ()  # it did nothing for an empty message


@pytest.mark.parametrize(
    "payload", [{"zone_ids": 7}, {"zone_ids": [1]}, {"zone_ids": [], "inbound": "a"}, {}, [], None]
)
def test_what_is_not_a_hint_is_refused(payload: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(payload)
