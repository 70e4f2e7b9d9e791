# SPDX-License-Identifier: Apache-2.0
"""Checks where in its zone an RRset may be, and beside which others."""

from __future__ import annotations

from redesignate.model.errors import DuplicateRRset, InvalidRRsetLocation, InvalidRRsetName
from redesignate.model.names import ancestors, is_below
from redesignate.model.zone import Zone
from redesignate.store.unit import Work


def check_place(work: Work, zone: Zone, name: str, rrtype: str, longest: int) -> None:
    """Raise where the name is outside the zone, or belongs to a child zone of the same pool. At most one query.

    Raises InvalidRRsetName, InvalidRRsetLocation.
    """
    if len(name) > longest:
        raise InvalidRRsetName("Name too long")
    if not is_below(name, zone.name):
        raise InvalidRRsetLocation("RecordSet is not contained within it's parent zone")
    if rrtype == "CNAME" and name == zone.name:
        raise InvalidRRsetLocation("CNAME recordsets may not be created at the zone apex")
    between = [above for above in ancestors(name) if len(above) > len(zone.name)]
    if between:
        child = work.zones.one_of(between, zone.pool_id)
        if child is not None:
            raise InvalidRRsetLocation(f"RecordSet belongs in a child zone: {child}")


def check_neighbours(work: Work, zone: Zone, name: str, rrtype: str) -> None:
    """Raise where the name already has this type, or a CNAME would share its name (RFC 2181 §10.1). One query.

    Raises DuplicateRRset, InvalidRRsetLocation.
    """
    there = work.rrsets.types_at(zone.id, name)
    if "CNAME" in there or (rrtype == "CNAME" and there):
        raise InvalidRRsetLocation("CNAME recordsets may not share a name with any other records")
    if rrtype in there:
        raise DuplicateRRset("Duplicate RecordSet")
