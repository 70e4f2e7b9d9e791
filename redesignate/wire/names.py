# SPDX-License-Identifier: Apache-2.0
"""Domain names inside messages (RFC 1035 §3.1, §4.1.4): decompressed, compared, taken apart. Text is model's.

Names are compared in lower case, ASCII alone (RFC 4343), which `bytes.lower` makes; length octets are below "A".
"""

from __future__ import annotations

from redesignate.model.names import MAX_NAME


class Malformed(ValueError):
    """Octets that are not a DNS message, name or record."""


def read(packet: bytes, at: int) -> tuple[bytes, int]:
    """The name at `at`, decompressed to plain wire form, and the offset after it. Case is kept.

    Pointers may only lead backwards, so that a loop cannot be written (RFC 1035 §4.1.4). Raises Malformed.
    """
    found: list[bytes] = []
    length, end, floor = 1, -1, at
    while True:
        if at >= len(packet):
            raise Malformed("a name runs past the message")
        size = packet[at]
        if size == 0:
            found.append(b"\0")
            return b"".join(found), (at + 1 if end < 0 else end)
        if size < 0x40:
            length += size + 1
            if length > MAX_NAME or at + 1 + size > len(packet):
                raise Malformed("a name is too long")
            found.append(packet[at : at + 1 + size])
            at += 1 + size
        elif size >= 0xC0:
            if at + 2 > len(packet):
                raise Malformed("a name runs past the message")
            target = (size & 0x3F) << 8 | packet[at + 1]
            if target >= floor:
                raise Malformed("a compression pointer does not lead backwards")
            end = at + 2 if end < 0 else end
            at = floor = target
        else:
            raise Malformed("a label of unknown kind")


def skip(packet: bytes, at: int) -> int:
    """The offset after the name at `at`, its pointers not followed. Raises Malformed."""
    size = len(packet)
    while at < size:
        octet = packet[at]
        if octet == 0:
            return at + 1
        if octet >= 0xC0:
            if at + 2 > size:
                break
            return at + 2
        if octet >= 0x40:
            raise Malformed("a label of unknown kind")
        at += octet + 1
    raise Malformed("a name runs past the message")


def suffixes(wire: bytes) -> list[bytes]:
    """An uncompressed wire name and every name above it, longest first, the root last."""
    found, at = [wire], 0
    while wire[at]:
        at += 1 + wire[at]
        found.append(wire[at:])
    return found
