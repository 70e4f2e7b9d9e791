# SPDX-License-Identifier: Apache-2.0
"""Reading messages: what dnspython writes is understood, what nobody should write is refused, always quickly."""

from __future__ import annotations

import contextlib
import struct
import time

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redesignate.wire import message
from redesignate.wire.message import Malformed

LABEL = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=20)
NAMES = st.lists(LABEL, min_size=1, max_size=6).map(lambda found: ".".join(found) + ".")


@given(
    NAMES,
    st.sampled_from(["A", "SOA", "TXT", "ANY", "AXFR"]),
    st.integers(-1, 1),
    st.integers(512, 65535),
    st.booleans(),
)
def test_a_query_of_dnspython_is_understood(name: str, rrtype: str, edns: int, payload: int, do: bool) -> None:
    query = dns.message.make_query(name, rrtype, use_edns=edns, payload=payload, want_dnssec=do and edns >= 0)
    read = message.read(query.to_wire())
    assert read.id == query.id
    assert read.question is not None
    assert read.question.name == (query.question[0].name.to_wire() or b"").lower()
    assert read.question.type == query.question[0].rdtype
    assert read.question.wire == query.to_wire()[12 : 12 + len(read.question.wire)]
    assert bool(read.flags & message.RD) == bool(query.flags & dns.flags.RD)
    if query.edns < 0:
        assert read.edns is None
    else:
        assert read.edns == message.Edns(query.payload, query.edns, bool(query.ednsflags & dns.flags.DO))


@given(NAMES)
def test_compressed_names_are_read_in_full(name: str) -> None:
    reply = dns.message.make_response(dns.message.make_query(name, "NS"))
    reply.answer.append(dns.rrset.from_text(name, 5, "IN", "NS", f"ns.{name}" if len(name) < 240 else "ns."))
    read = message.read(reply.to_wire())
    assert read.owner(read.answer[0]) == (reply.question[0].name.to_wire() or b"").lower()


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(packet: bytes) -> None:
    try:
        read = message.read(packet)
    except Malformed:
        return
    for record in (*read.answer, *read.authority, *read.additional):
        with contextlib.suppress(Malformed):
            read.owner(record)


def header(questions: int = 1, answers: int = 0, authority: int = 0, additional: int = 0) -> bytes:
    return struct.pack("!HHHHHH", 1, 0, questions, answers, authority, additional)


QUESTION = b"\x07example\x03org\0\0\1\0\1"
OPT = b"\0\0\x29\x10\0\0\0\0\0\0\0"


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(header()[:11], id="less than a header"),
        pytest.param(header(), id="no question where one is announced"),
        pytest.param(header() + QUESTION[:-1], id="a question cut short"),
        pytest.param(header() + b"\xc0\x0c\0\1\0\1", id="a question that points at itself"),
        pytest.param(header() + b"\xc0\x00\0\1\0\1", id="a question that points into the header"),
        pytest.param(header() + b"\x41" + b"a" * 65 + b"\0\0\1\0\1", id="a label of 65 octets"),
        pytest.param(header() + b"\x80a\0\0\1\0\1", id="a label of unknown kind"),
        pytest.param(header() + b"\x3f" * 5 * 64 + b"\0\0\1\0\1", id="a name of more than 255 octets"),
        pytest.param(header() + QUESTION + b"x", id="octets behind the end"),
        pytest.param(header(answers=1) + QUESTION, id="an answer announced and missing"),
        pytest.param(header(answers=65535) + QUESTION, id="65535 answers announced and missing"),
        pytest.param(header(answers=1) + QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\5abcd", id="rdata cut short"),
        pytest.param(header(additional=2) + QUESTION + OPT + OPT, id="two OPT records"),
        pytest.param(header(answers=1) + QUESTION + OPT, id="an OPT among the answers"),
        pytest.param(header(additional=1) + QUESTION + b"\1a" + OPT, id="an OPT with a name"),
        pytest.param(header(additional=1) + QUESTION + OPT[:-1] + b"\3\0\3\0", id="an EDNS option cut short"),
    ],
)
def test_a_malformed_message_is_refused(packet: bytes) -> None:
    with pytest.raises(Malformed):
        message.read(packet)


@pytest.mark.parametrize("count", [0, 2])
def test_other_than_one_question_is_none(count: int) -> None:
    assert message.read(header(count) + QUESTION * count).question is None


def test_a_loop_of_pointers_is_refused() -> None:
    packet = header(answers=1) + QUESTION + b"\xc0\x1d\0\1\0\1\0\0\0\0\0\0"
    read = message.read(packet)
    with pytest.raises(Malformed, match="backwards"):
        read.owner(read.answer[0])


def test_a_message_full_of_records_is_read_quickly() -> None:
    """5,900 records whose owners are chains of pointers: nothing is followed that nobody asks for."""
    chain = b"\xc0\x0c" + struct.pack("!HHLH", 1, 1, 0, 0)
    count = (65535 - len(header()) - len(QUESTION)) // len(chain)
    packet = header(answers=count) + QUESTION + chain * count
    began = time.thread_time()
    assert len(message.read(packet).answer) == count
    assert time.thread_time() - began < 0.5


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_frames_come_out_of_a_stream_as_they_went_in(packets: list[bytes], step: int) -> None:
    stream = b"".join(len(packet).to_bytes(2, "big") + packet for packet in packets)
    buffer, found = bytearray(), []
    for at in range(0, len(stream), step):
        buffer += stream[at : at + step]
        found += list(message.frames(buffer))
    assert found == packets
    assert not buffer
