# SPDX-License-Identifier: Apache-2.0
"""A (RFC 1035 §3.4.1) and AAAA (RFC 3596 §2): one address."""

from __future__ import annotations

import socket

from redesignate.model.rdata.base import Rdata, RecordType, quote

# inet_pton is strict on every libc: four decimal numbers without leading zeros, no zone id, nothing around it.


def _encode_a(text: str) -> Rdata:
    try:
        return Rdata(text, socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        raise ValueError(f"{quote(text)} is not an IPv4 address; write four numbers such as 192.0.2.1") from None


def _encode_aaaa(text: str) -> Rdata:
    try:
        return Rdata(text, socket.inet_pton(socket.AF_INET6, text))
    except (OSError, ValueError):
        raise ValueError(
            f"{quote(text)} is not an IPv6 address; write one such as 2001:db8::1, without a zone"
        ) from None


def _decode_a(wire: bytes) -> str:
    if len(wire) != 4:
        raise ValueError(f"an IPv4 address has 4 octets, not {len(wire)}")
    return socket.inet_ntop(socket.AF_INET, wire)


def _decode_aaaa(wire: bytes) -> str:
    if len(wire) != 16:
        raise ValueError(f"an IPv6 address has 16 octets, not {len(wire)}")
    return socket.inet_ntop(socket.AF_INET6, wire)


A = RecordType(
    name="A",
    number=1,
    rfc="RFC 1035 §3.4.1",
    usage="address",
    examples=("192.0.2.1",),
    encode=_encode_a,
    decode=_decode_a,
)
AAAA = RecordType(
    name="AAAA",
    number=28,
    rfc="RFC 3596 §2",
    usage="address",
    examples=("2001:db8::1", "::ffff:192.0.2.1"),
    encode=_encode_aaaa,
    decode=_decode_aaaa,
)
