# SPDX-License-Identifier: Apache-2.0
"""Hints as messages."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.bus.amqp_hints import read, written
from redesignate.commands.hint import Hint, Kind
from tests.bus.hints import outbound

hints = st.builds(Hint, st.sampled_from(Kind), st.uuids().map(str))


@given(st.lists(hints))
def test_what_is_sent_is_read(given: list[Hint]) -> None:
    assert sorted(read(written(given)), key=repr) == sorted(given, key=repr)


def test_a_message_names_its_form_and_the_zones() -> None:
    assert json.loads(written([*outbound("a", "b")])) == {"v": 1, "zone_ids": ["a", "b"]}


@pytest.mark.parametrize(
    "message",
    [
        {"v": 1, "zone_ids": 7},
        {"v": 1, "zone_ids": [1]},
        {"v": 1, "zone_ids": [], "inbound": "a"},
        {"v": 2, "zone_ids": ["a"]},
        {"zone_ids": ["a"]},
        [],
        None,
    ],
)
def test_what_is_not_a_hint_is_refused(message: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(json.dumps(message).encode())
