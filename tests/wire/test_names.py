# SPDX-License-Identifier: Apache-2.0
"""Names inside messages, beside dnspython: whatever it reads is read alike, and nothing loops."""

from __future__ import annotations

from itertools import pairwise

import dns.exception
import dns.name
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.names import MAX_NAME
from redesignate.wire.message import Malformed, read_name, skip_name, suffixes

LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=6)
WIRES = LABELS.map(lambda found: b"".join(bytes((len(label),)) + label for label in found) + b"\0")
POINTERS = st.integers(0, 80).map(lambda at: (0xC000 | at).to_bytes(2, "big"))
PIECES = st.lists(st.one_of(WIRES, WIRES.map(lambda wire: wire[:-1]), POINTERS, st.binary(max_size=4)), max_size=6)


def by_library(packet: bytes, at: int) -> tuple[bytes, int] | None:
    try:
        name, used = dns.name.from_wire(packet, at)
    except (dns.exception.DNSException, IndexError):
        return None
    wire = name.to_wire()
    assert wire is not None
    return wire, at + used


@given(PIECES, st.integers(0, 100))
def test_a_name_anywhere_in_a_packet_is_read_as_dnspython_reads_it(pieces: list[bytes], at: int) -> None:
    packet = b"".join(pieces)
    expected = by_library(packet, at) if at < len(packet) else None
    if expected is None:
        with pytest.raises(Malformed):
            read_name(packet, at)
    else:
        assert read_name(packet, at) == expected
        assert skip_name(packet, at) == expected[1]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets_end_in_a_name_or_in_malformed(packet: bytes, at: int) -> None:
    for step in (read_name, skip_name):
        try:
            found = step(packet, at)
        except Malformed:
            continue
        end = found[1] if isinstance(found, tuple) else found
        assert at < end <= len(packet)


@pytest.mark.parametrize("packet", [b"\xc0\0", b"\1a\xc0\0", b"\xc0\2\xc0\0", b"\1a\xc0\2\xc0\0", b"\xc0\x05abcd"])
def test_a_pointer_leads_backwards_or_nowhere(packet: bytes) -> None:
    for at in range(len(packet)):
        try:
            read_name(packet, at)
        except Malformed:
            continue


def test_the_longest_name_is_read_and_a_longer_one_is_not() -> None:
    longest = b"".join(bytes((63,)) + b"a" * 63 for _ in range(3)) + bytes((61,)) + b"a" * 61 + b"\0"
    assert len(longest) == MAX_NAME
    assert read_name(longest, 0) == (longest, MAX_NAME)
    with pytest.raises(Malformed):
        read_name(b"\1a" + longest, 0)


@given(WIRES)
def test_the_names_above_a_name_end_at_the_root(wire: bytes) -> None:
    found = suffixes(wire)
    assert found[0] == wire
    assert found[-1] == b"\0"
    assert all(longer[1 + longer[0] :] == shorter for longer, shorter in pairwise(found))
