# SPDX-License-Identifier: Apache-2.0
"""Top-level domains: the names below which zones may be created, where the operator lists any."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from redesignate.model.names import InvalidName, ancestors, check_zone_name


class TLD(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the list. `name`: lower case, A-labels, one or several, without the final dot: "org", "co.uk"."""

    id: str
    name: str
    created_at: int
    description: str | None = None
    updated_at: int | None = None


class NewTLD(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as requested."""

    name: str
    description: str | None = None


class TLDChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PATCH changes; those that are UNSET stay."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


def check_tld_name(text: str) -> str:
    """The stored form of an entry's name: "Co.UK" is "co.uk". Raises InvalidName."""
    if not text.strip("."):
        raise InvalidName("A TLD has no name; write one such as org or co.uk")
    if text.endswith("."):
        raise InvalidName(f"TLD {text} ends with a dot; write it without")
    return check_zone_name(text + ".")[:-1]


def suffixes(zone: str) -> list[str]:
    """The entries that would cover a zone's name, the longest first: "a.co.uk." has "a.co.uk", "co.uk" and "uk"."""
    return [name[:-1] for name in ancestors(zone)]
