# SPDX-License-Identifier: Apache-2.0
"""What a worker asks nameservers, as dnspython reads it, and what is taken from their answers."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.wire import client, tsig
from redesignate.wire.message import Malformed

ZONE = "example.org."
KEY = TSIGKey(id="", name="key1", algorithm="hmac-sha256", secret="c2VjcmV0c2VjcmV0", scope=Scope.POOL, resource_id="")
RING = {dns.name.from_text("key1."): dns.tsig.Key("key1", KEY.secret, "hmac-sha256")}


def replied(query: bytes, change: Callable[[dns.message.Message], None] = lambda _: None, serial: int = 5) -> bytes:
    """A nameserver's answer to a SOA query, altered."""
    asked = dns.message.from_wire(query, keyring=RING)
    answer = dns.message.make_response(asked)
    answer.flags |= dns.flags.AA
    answer.answer.append(dns.rrset.from_text(ZONE, 60, "IN", "SOA", f"ns1.{ZONE} h.{ZONE} {serial} 1 2 3 4"))
    change(answer)
    return answer.to_wire()


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535), st.booleans())
def test_a_notify_names_zone_and_serial(serial: int, msg_id: int, signed: bool) -> None:
    packet = client.notify_message(ZONE, serial, msg_id, KEY if signed else None)
    read = dns.message.from_wire(packet, keyring=RING)
    assert (read.opcode(), read.id, bool(read.flags & dns.flags.AA)) == (dns.opcode.NOTIFY, msg_id, True)
    assert (read.question[0].name.to_text(), read.question[0].rdtype) == (ZONE, dns.rdatatype.SOA)
    assert read.answer[0][0].serial == serial
    assert read.had_tsig is signed


def test_a_soa_query_asks_without_recursion() -> None:
    read = dns.message.from_wire(client.soa_query(ZONE, 9))
    assert (read.opcode(), read.flags, read.edns) == (dns.opcode.QUERY, 0, -1)
    assert read.question[0].to_text() == f"{ZONE} IN SOA"


@pytest.mark.parametrize("key", [None, KEY])
def test_the_serial_of_an_answer_is_read(key: TSIGKey | None) -> None:
    query = client.soa_query(ZONE, 9, key)
    found = client.read_soa_answer(replied(query, serial=2**32 - 1), query, key)
    assert found == client.SOAAnswer(rcode=0, aa=True, serial=2**32 - 1)


def other_id(answer: dns.message.Message) -> None:
    answer.id = answer.id ^ 1


def other_question(answer: dns.message.Message) -> None:
    answer.question[0].name = dns.name.from_text("example.com.")


def a_query(answer: dns.message.Message) -> None:
    answer.flags &= ~dns.flags.QR


def other_opcode(answer: dns.message.Message) -> None:
    answer.set_opcode(dns.opcode.NOTIFY)


@pytest.mark.parametrize("change", [other_id, other_question, a_query, other_opcode])
def test_what_is_no_answer_to_the_query_is_not_taken(change: Callable[[dns.message.Message], None]) -> None:
    query = client.soa_query(ZONE, 9)
    with pytest.raises(Malformed):
        client.read_soa_answer(replied(query, change), query)


def test_the_soa_of_another_zone_is_no_serial() -> None:
    def other_owner(answer: dns.message.Message) -> None:
        answer.answer[0].name = dns.name.from_text("org.")

    query = client.soa_query(ZONE, 9)
    assert client.read_soa_answer(replied(query, other_owner), query).serial is None


def test_an_error_is_an_answer_with_and_without_a_question() -> None:
    def refuse(answer: dns.message.Message) -> None:
        answer.set_rcode(dns.rcode.REFUSED)
        answer.answer.clear()

    def say_less(answer: dns.message.Message) -> None:
        refuse(answer)
        answer.question.clear()

    query = client.soa_query(ZONE, 9)
    for change in (refuse, say_less):
        assert client.read_soa_answer(replied(query, change), query) == client.SOAAnswer(rcode=5, aa=True, serial=None)


def test_an_unsigned_answer_to_a_signed_query_is_not_taken() -> None:
    query, plain = client.soa_query(ZONE, 9, KEY), client.soa_query(ZONE, 9)
    with pytest.raises(Malformed, match="unsigned"):
        client.read_soa_answer(replied(plain), query, KEY)


def test_an_answer_signed_with_another_secret_is_refused() -> None:
    query = client.soa_query(ZONE, 9, KEY)
    answer = bytearray(replied(query))
    answer[-20] ^= 1
    with pytest.raises((tsig.Refused, Malformed)):
        client.read_soa_answer(bytes(answer), query, KEY)
