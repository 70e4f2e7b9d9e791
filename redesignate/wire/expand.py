# SPDX-License-Identifier: Apache-2.0
"""Rdata out of a message, its names decompressed: in which types names stand, and where.

Senders compress names in the types of RFC 1035 alone; receivers take them in those of RFC 3597 §4 as well. Every other
type's rdata is octets, whatever it means.
"""

from __future__ import annotations

from redesignate.wire.message import Malformed, read_name

NAME, STRING = -1, -2
"""In a layout: a domain name, a character-string; a number from 0: so many octets."""

_LAYOUTS: dict[int, tuple[int, ...]] = {
    2: (NAME,), 3: (NAME,), 4: (NAME,), 5: (NAME,), 6: (NAME, NAME, 20), 7: (NAME,), 8: (NAME,), 9: (NAME,),
    12: (NAME,), 14: (NAME, NAME), 15: (2, NAME), 17: (NAME, NAME), 18: (2, NAME), 21: (2, NAME), 26: (2, NAME, NAME),
    33: (6, NAME), 35: (4, STRING, STRING, STRING, NAME), 36: (2, NAME), 39: (NAME,),
}  # fmt: skip
_OPEN: dict[int, tuple[int, ...]] = {24: (18, NAME), 30: (NAME,)}
"""As above, with octets after the last field: SIG and NXT."""


def expand(packet: bytes, rrtype: int, at: int, size: int) -> bytes:
    """The rdata of `size` octets at `at`, names uncompressed and in lower case. Raises Malformed.

    The case of a compressed name is that of whatever stood earlier in the message, so it says nothing and would make
    the same zone look changed; signatures cover the lower case form (RFC 4034 §6.2).
    """
    end = at + size
    layout = _LAYOUTS.get(rrtype)
    if layout is None:
        if rrtype not in _OPEN:
            return packet[at:end]
        head, at = _fields(packet, _OPEN[rrtype], at, end)
        return head + packet[at:end]
    found, at = _fields(packet, layout, at, end)
    if at != end:
        raise Malformed("rdata whose length does not fit its fields")
    return found


def _fields(packet: bytes, layout: tuple[int, ...], at: int, end: int) -> tuple[bytes, int]:
    found = []
    for field in layout:
        if field == NAME:
            name, after = read_name(packet, at)
            piece = name.lower()
        else:
            after = at + field if field >= 0 else at + 1 + _octet(packet, at, end)
            piece = packet[at:after]
        if after > end:
            raise Malformed("rdata that runs past its length")
        found.append(piece)
        at = after
    return b"".join(found), at


def _octet(packet: bytes, at: int, end: int) -> int:
    if at >= end:
        raise Malformed("rdata that runs past its length")
    return packet[at]
