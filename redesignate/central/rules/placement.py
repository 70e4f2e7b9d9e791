# SPDX-License-Identifier: Apache-2.0
"""Checks where in its zone an RRset may be, and beside which others."""

from __future__ import annotations

from redesignate.model.errors import DuplicateRRset, InvalidRRsetLocation, InvalidRRsetName
from redesignate.model.names import ancestors, is_below
from redesignate.model.zone import Zone
from redesignate.store.rrsets import Around
from redesignate.store.unit import Work


def around(work: Work, zone: Zone, name: str) -> Around:
    """Read what the rules need about the place of a new RRset. One query."""
    return work.rrsets.around(zone, name, [above for above in ancestors(name) if len(above) > len(zone.name)])


def check_place(there: Around, zone: Zone, name: str, rrtype: str, longest: int) -> None:
    """Raise where the name is outside the zone, belongs to a child zone of the same pool or already has this type, or
    where a CNAME would share its name (RFC 2181 §10.1).

    Raises InvalidRRsetName, InvalidRRsetLocation, DuplicateRRset.
    """
    if len(name) > longest:
        raise InvalidRRsetName("Name too long")
    if not is_below(name, zone.name):
        raise InvalidRRsetLocation("RecordSet is not contained within it's parent zone")
    if rrtype == "CNAME" and name == zone.name:
        raise InvalidRRsetLocation("CNAME recordsets may not be created at the zone apex")
    if there.children:
        raise InvalidRRsetLocation(f"RecordSet belongs in a child zone: {there.children[0]}")
    if "CNAME" in there.types or (rrtype == "CNAME" and there.types):
        raise InvalidRRsetLocation("CNAME recordsets may not share a name with any other records")
    if rrtype in there.types:
        raise DuplicateRRset("Duplicate RecordSet")
