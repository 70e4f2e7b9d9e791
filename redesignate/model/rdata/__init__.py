# SPDX-License-Identifier: Apache-2.0
"""Resource record data: one value, two forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rdata:
    """The data of one record.

    text   presentation form, as the user typed it (RFC 1035 §5.1)
    wire   uncompressed wire form, at most 65535 octets
    """

    text: str
    wire: bytes


def parse(rrtype: str, text: str) -> Rdata:
    """Read one record's text. Raises ValueError saying what is wrong."""
    raise NotImplementedError


def from_wire(rrtype: str, wire: bytes) -> Rdata:
    """Read one record's wire form; the text is the canonical one. Raises ValueError."""
    raise NotImplementedError


def number(rrtype: str) -> int:
    """The type's number: "A" is 1, "TYPE65280" is 65280. Raises ValueError for an unknown mnemonic."""
    raise NotImplementedError


def mnemonic(rrtype: int) -> str:
    """The type's name: 1 is "A", an unassigned 65280 is "TYPE65280" (RFC 3597 §5)."""
    raise NotImplementedError
