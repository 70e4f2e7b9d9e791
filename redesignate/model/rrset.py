# SPDX-License-Identifier: Apache-2.0
"""All records of one name and type (RFC 2181 §5), and what one may ask of them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from redesignate.model.zone import Action, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class RRset:
    """An RRset as stored, with the facts of its zone that its status is computed from.

    name      absolute, lower case, A-label form: "www.example.org."
    type      mnemonic, "A" or "TYPE65280"
    ttl       seconds, 0 to 2**31-1 (RFC 2181 §8); None takes the zone's
    records   presentation texts in the order given, no duplicates; may be empty (nothing is served then)
    managed   made by us (SOA, apex NS, PTR of a floating IP): changed with a switch only
    revision  the zone's revision that last changed it; `born` the one that made it
    status action   computed: PENDING while the zone's confirmed revision is below `revision`
    """

    id: str
    zone_id: str
    zone_name: str
    project_id: str | None
    name: str
    type: str
    ttl: int | None
    records: tuple[str, ...]
    description: str | None
    managed: bool
    revision: int
    born: int
    version: int
    created_at: int
    updated_at: int | None
    status: Status
    action: Action


class NewRRset(msgspec.Struct, frozen=True, kw_only=True):
    """An RRset as asked for: `records` are presentation texts, not yet parsed."""

    name: str
    type: str
    ttl: int | None = None
    records: tuple[str, ...] = ()
    description: str | None = None


class RRsetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a PUT changes; what is UNSET stays. `records` replaces the list."""

    ttl: int | UnsetType | None = UNSET
    records: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    same_name: str | UnsetType = UNSET
    """Read-only members that a client sent back; central refuses where they differ from the row."""
    same_type: str | UnsetType = UNSET
