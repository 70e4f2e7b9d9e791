# SPDX-License-Identifier: Apache-2.0
"""RRsets without their order key, or with a wrong one: a process of a release that does not know the column, or the
order of NSEC3 and RRSIG record sets (ADR 0014), may write some while an upgrade goes on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, and_, bindparam, case, func, literal, or_, select

from redesignate.model.rrset import APART, place
from redesignate.model.zone import ZoneType
from redesignate.store.fast import Module
from redesignate.store.schema import rrsets, zones
from redesignate.store.zones import LIVE

MOST_UNPLACED = 10_000
"""RRsets without an order key that are read of one zone; the names of further ones are not known to exist."""
_KEPT_UNPLACED = 10 * MOST_UNPLACED
_MISSING = and_(rrsets.c.order_key.is_(None), func.length(rrsets.c.wire) > 0)
# keys among those of names: the apex's is empty
_AMONG_NAMES = or_(rrsets.c.order_key == b"", rrsets.c.order_key >= b"\1")
_WRONG = (_MISSING, *(and_(rrsets.c.type == rrtype, _AMONG_NAMES) for rrtype in sorted(APART)))


def _first(wrong: ColumnElement[bool]) -> ScalarSelect[int]:
    """1 if a zone has such an RRset. LIMIT keeps PostgreSQL from answering for all zones by reading all RRsets."""
    return select(literal(1)).where(rrsets.c.zone_id == zones.c.id, wrong).limit(1).scalar_subquery()


# Only SECONDARY zones hold signatures.
_LOOKED_AT = (
    select(
        zones.c.id,
        zones.c.updated_at,
        case(
            (zones.c.type == ZoneType.SECONDARY.value, func.coalesce(*map(_first, _WRONG))), else_=_first(_MISSING)
        ).label("wrong"),
    )
    .where(
        zones.c.deleted == LIVE,
        zones.c.updated_at >= bindparam("at"),
        or_(zones.c.updated_at > bindparam("at"), zones.c.id > bindparam("after")),
    )
    .order_by(zones.c.updated_at, zones.c.id)
    .limit(bindparam("most"))
    .with_hint(zones, "FORCE INDEX (ix_zones_updated_at)", "mysql")
    .with_hint(zones, "FORCE INDEX (ix_zones_updated_at)", "mariadb")
)
_OF_ZONE = (
    select(rrsets.c.id, rrsets.c.revision, rrsets.c.name, rrsets.c.type, zones.c.name.label("zone"))
    .join_from(rrsets, zones, rrsets.c.zone_id == zones.c.id)
    .where(rrsets.c.zone_id == bindparam("z"))
    .limit(bindparam("most"))
)
_PUT = (
    rrsets.update()
    .where(rrsets.c.id == bindparam("i"), rrsets.c.revision == bindparam("r"))
    .values(order_key=bindparam("key"))
)


class UnplacedRRsets(Module):
    """The RRsets whose order keys are wrong, of one transaction."""

    def looked_at(self, at: int, after: str, limit: int) -> Sequence[Row[Any]]:
        """The next zones behind (`at` in µs, id `after`) by the time of their last change: id, updated_at, and `wrong`,
        NULL where every RRset is placed. Zones that never changed since their creation hold nothing but an apex.

        Cost  one query on the index of that time; for each zone a probe of an index, and for a SECONDARY zone a reading
              of its signatures and NSEC3 records
        """
        return self._conn.execute(_LOOKED_AT, {"at": at, "after": after, "most": limit}).all()

    def place(self, zone_id: str, limit: int) -> int:
        """Write the order keys of at most `limit` RRsets of a zone; return how many were wrong. An RRset that changes
        at this moment is left to its change. Two queries and one statement, none where all are right."""
        rows: list[Row[Any]] = []
        for wrong in _WRONG:
            query = _OF_ZONE.where(wrong)
            rows += (
                self._conn.execute(query, {"z": zone_id, "most": limit - len(rows)}).all() if len(rows) < limit else ()
            )
        if rows:
            keys = [{"i": row.id, "r": row.revision, "key": place(row.name, row.type, row.zone)} for row in rows]
            self._conn.execute(_PUT, sorted(keys, key=lambda one: str(one["i"])))
        return len(rows)


class Unplaced:
    """The order keys that RRsets lack, by version of their zone. Bounded; safe for use from many threads."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, bool], list[bytes]] = {}
        self._size = 0

    def get(self, version: tuple[str, int, bool]) -> list[bytes] | None:
        """The keys that this version of a zone lacks; None where that is not known."""
        return self._known.get(version)

    def keep(self, version: tuple[str, int, bool], keys: list[bytes]) -> None:
        """Remember the keys of a version; all others are forgotten where they have become too many."""
        self._size += 1 + len(keys)
        if self._size > _KEPT_UNPLACED:
            self._known, self._size = {}, 1 + len(keys)
        self._known[version] = keys


def between(keys: Sequence[bytes], key: bytes, before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """The nearest keys around one: those given, or nearer ones of a sorted list. `after` is empty where none is."""
    low, high = bisect_left(keys, key), bisect_right(keys, key)
    before = max(before, keys[low - 1]) if low else before
    return before, min(filter(None, (after, *keys[high : high + 1])), default=b"")
