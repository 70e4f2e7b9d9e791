# SPDX-License-Identifier: Apache-2.0
"""TSIG beside dnspython: the same octets signed, the same messages taken, the same ones refused (RFC 8945)."""

from __future__ import annotations

import base64
import struct

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redesignate.model.names import to_wire
from redesignate.model.tsigkey import ALGORITHMS, Scope, TSIGKey
from redesignate.wire import message, tsig
from redesignate.wire.message import Malformed
from redesignate.wire.tsig import FUDGE, Refused, Signer, StreamVerifier, TSIGError, prepare, signature, verify

NOW = 1_800_000_000
SECRETS = st.binary(min_size=1, max_size=80).map(lambda octets: base64.b64encode(octets).decode())
NAMES = st.sampled_from(["key1", "a.b.c.example", "catalog.example.org"])
TIMES = st.integers(0, 2**48 - 1)
MACS = st.binary(max_size=64)
MESSAGES = st.builds(
    lambda msg_id, flags, size: message.build(
        msg_id, flags, message.question(to_wire("www.example.org."), 6),
        ((1, b"\xc0\x0c\0\x10\0\1\0\0\0\1" + struct.pack("!H", size) + bytes(size)),),
    ),
    st.integers(0, 65535), st.integers(0, 65535), st.integers(0, 2000),
)  # fmt: skip


def stored(name: str = "key1", algorithm: str = "hmac-sha256", secret: str = "c2VjcmV0c2VjcmV0") -> TSIGKey:
    return TSIGKey(id="", name=name, algorithm=algorithm, secret=secret, scope=Scope.POOL, resource_id="")


def library(key: TSIGKey) -> dns.tsig.Key:
    full = "hmac-md5.sig-alg.reg.int" if key.algorithm == "hmac-md5" else key.algorithm
    return dns.tsig.Key(key.name, key.secret, full)


def by_library(packet: bytes, key: TSIGKey, at: int, prior: bytes) -> bytes:
    """The MAC that dnspython puts on a message."""
    theirs = library(key)
    msg_id = int.from_bytes(packet[:2], "big")
    blank = dns.rdtypes.ANY.TSIG.TSIG(  # type: ignore[no-untyped-call]  # dnspython's
        dns.rdataclass.ANY, dns.rdatatype.TSIG, theirs.algorithm, at, FUDGE, b"", msg_id, 0, b""
    )
    rdata, _ = dns.tsig.sign(packet, theirs, blank, at, prior)  # type: ignore[no-untyped-call]  # dnspython's
    assert isinstance(rdata, dns.rdtypes.ANY.TSIG.TSIG)
    return bytes(rdata.mac)


def read(packet: bytes) -> tuple[message.Message, tsig.Signature]:
    found = message.read(packet)
    record = signature(found)
    assert record is not None
    return found, record


@given(MESSAGES, NAMES, st.sampled_from(ALGORITHMS), SECRETS, TIMES, MACS)
def test_a_message_is_signed_as_dnspython_signs_it_and_verifies(
    packet: bytes, name: str, algorithm: str, secret: str, at: int, prior: bytes
) -> None:
    key = stored(name, algorithm, secret)
    signed = Signer(prepare(key), prior).sign(packet, at)
    found, record = read(signed)
    assert record.mac == by_library(packet, key, at, prior)
    assert (record.time, record.fudge, record.original_id) == (at, FUDGE, found.id)
    verify(found, record, prepare(key), at, prior)


@given(MESSAGES, st.data())
def test_a_message_that_was_touched_is_refused(packet: bytes, data: st.DataObject) -> None:
    key = prepare(stored())
    signed = bytearray(Signer(key).sign(packet, NOW))
    at = data.draw(st.integers(2, len(packet) - 1))
    signed[at] ^= data.draw(st.integers(1, 255))
    try:
        found, record = read(bytes(signed))
    except Malformed:
        return
    with pytest.raises((Refused, Malformed)):
        verify(found, record, key, NOW)


def test_another_id_on_the_way_is_no_harm() -> None:
    """§4.2: a forwarder may change it; the record holds the first one."""
    key = prepare(stored())
    signed = Signer(key).sign(message.build(7, 0, message.question(to_wire("org."), 6)), NOW)
    found, record = read(b"\xff\xff" + signed[2:])
    verify(found, record, key, NOW)


@pytest.mark.parametrize(
    ("skew", "error"), [(0, None), (FUDGE, None), (FUDGE + 1, 18), (-FUDGE, None), (-FUDGE - 1, 18)]
)
def test_a_clock_may_differ_by_the_fudge(skew: int, error: int | None) -> None:
    key = prepare(stored())
    found, record = read(Signer(key).sign(message.build(7, 0, message.question(to_wire("org."), 6)), NOW))
    if error is None:
        verify(found, record, key, NOW + skew)
        return
    with pytest.raises(Refused) as refused:
        verify(found, record, key, NOW + skew)
    assert refused.value.error == error


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (None, TSIGError.BADKEY),
        (stored("key2"), TSIGError.BADKEY),
        (stored(algorithm="hmac-sha512"), TSIGError.BADKEY),
        (stored(secret="b3RoZXJvdGhlcg=="), TSIGError.BADSIG),
    ],
)
def test_the_wrong_key_is_refused_in_the_rfcs_order(other: TSIGKey | None, error: TSIGError) -> None:
    found, record = read(Signer(prepare(stored())).sign(message.build(7, 0, message.question(to_wire("org."), 6)), NOW))
    with pytest.raises(Refused) as refused:
        verify(found, record, prepare(other) if other else None, NOW + 10_000)
    assert refused.value.error is error


@pytest.mark.parametrize(
    ("wrong", "why"),
    [(stored(algorithm="hmac-sha3"), "'hmac-sha3' is not supported"), (stored(secret="not base64!"), "is not base64")],
)
def test_a_key_that_cannot_be_used_says_why_without_its_secret(wrong: TSIGKey, why: str) -> None:
    with pytest.raises(ValueError, match=f"TSIG key 'key1' cannot be used: .*{why}") as fault:
        prepare(wrong)
    assert wrong.secret not in str(fault.value)


@given(st.lists(st.booleans(), min_size=1, max_size=120), st.binary(min_size=16, max_size=32))
def test_a_stream_holds_where_its_first_and_last_messages_are_signed(signs: list[bool], request_mac: bytes) -> None:
    """§5.3.1: up to 99 messages between may go unsigned; each MAC covers those."""
    key = prepare(stored())
    verifier, prior, pending = StreamVerifier(key, request_mac), request_mac, b""
    runs, longest = 0, 0
    for at, sign in enumerate(signs):
        packet = message.build(7, 0x8000, message.question(to_wire("org."), 252), ((0, b""),))
        runs = 0 if sign else runs + 1
        longest = max(longest, runs)
        sent = packet
        if sign:
            sent, prior = _next(key, packet, pending, prior, first=at == 0)
            pending = b""
        else:
            pending += packet
        broken = (at == 0 and not sign) or longest > 99
        if broken:
            with pytest.raises(Malformed):
                verifier.check(message.read(sent), NOW)
            return
        verifier.check(message.read(sent), NOW)
    assert verifier.done() is signs[-1]


def _next(key: tsig.Key, packet: bytes, pending: bytes, prior: bytes, *, first: bool) -> tuple[bytes, bytes]:
    """The message signed after others that were not, as dnspython's context does it, and its MAC."""
    if first:
        signed = Signer(key, prior).sign(packet, NOW)
    else:
        import hmac

        timers = struct.pack("!HLH", NOW >> 32, NOW & 0xFFFFFFFF, FUDGE)
        body = struct.pack("!H", len(prior)) + prior + pending + packet + timers
        mac = hmac.digest(key.secret, body, key.digest)
        rdata = key.algorithm + timers + struct.pack("!H", len(mac)) + mac + packet[:2] + bytes(4)
        count = (int.from_bytes(packet[10:12], "big") + 1).to_bytes(2, "big")
        signed = packet[:10] + count + packet[12:] + key.name + struct.pack("!HHLH", 250, 255, 0, len(rdata)) + rdata
    return signed, read(signed)[1].mac
