# SPDX-License-Identifier: Apache-2.0
"""Shares of zones, and the zones that are shared with a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, func, literal_column, select

from redesignate.model.paging import ListQuery, Page
from redesignate.model.share import Share
from redesignate.model.zone import Zone
from redesignate.store.fast import Module, run
from redesignate.store.listing import listed
from redesignate.store.schema import rrsets, zones
from redesignate.store.sharing_schema import zone_shares

# Built once, as in store.zones.
_OF = select(zone_shares).where(zone_shares.c.zone_id == bindparam("z"))
_ONE = _OF.where(zone_shares.c.id == bindparam("i"))
_WITH = (
    select(zone_shares)
    .where(zone_shares.c.zone_id == bindparam("z"), zone_shares.c.target_project_id == bindparam("p"))
    .limit(literal_column("1"))
)
_OF_PROJECT = (
    select(rrsets.c.id)
    .where(
        rrsets.c.project_id == bindparam("p"),
        rrsets.c.zone_id == bindparam("z"),
        rrsets.c.born > bindparam("r", type_=BigInteger),
    )
    .limit(literal_column("1"))
)
_BELOW = (
    select(zones.c.id)
    .where(
        zones.c.parent_id == bindparam("z"),
        func.coalesce(zones.c.project_id, "") == bindparam("p"),
        func.coalesce(zones.c.deleted, "") == "",
    )
    .limit(literal_column("1"))
)
_ADD = zone_shares.insert()
_REMOVE = zone_shares.delete().where(zone_shares.c.id == bindparam("i"))
_COUNT = (
    zones.update()
    .where(zones.c.id == bindparam("z"))
    .values(shares=bindparam("v_shares"), version=bindparam("v_version"))
)


class Shares(Module):
    """The shares of one transaction."""

    def with_project(self, zone_id: str, project_id: str) -> bool:
        """Whether the zone is shared with the project. One query."""
        return bool(run(self._conn, _WITH, {"z": zone_id, "p": project_id}))

    def get(self, zone: Zone, share_id: str) -> Share | None:
        """One of the zone's shares. One query."""
        row = run(self._conn, _ONE, {"z": zone.id, "i": share_id}).first()
        return _share(row, zone) if row else None

    def of_project(self, zone: Zone, project_id: str) -> Share | None:
        """The zone's share with a project. One query."""
        row = run(self._conn, _WITH, {"z": zone.id, "p": project_id}).first()
        return _share(row, zone) if row else None

    def has_rrsets(self, zone: Zone, project_id: str) -> bool:
        """Whether the zone holds RRsets of the project. One query, of an index."""
        given = {"z": zone.id, "p": project_id, "r": -1 if zone.handed is None else zone.handed}
        return bool(run(self._conn, _OF_PROJECT, given))

    def has_child(self, zone_id: str, project_id: str) -> bool:
        """Whether the project owns a zone whose parent is this zone. One query, of an index."""
        return bool(run(self._conn, _BELOW, {"z": zone_id, "p": project_id}))

    def add(self, zone: Zone, share: Share) -> None:
        """Insert a share of a zone that is locked, and count it. Two statements. Raises IntegrityError if it is there.

        The count is written each time: a Galera node certifies what is written, so that nobody who saw the zone with
        or without the share commits beside this.
        """
        row = {
            "id": share.id,
            "zone_id": zone.id,
            "target_project_id": share.target_project_id,
            "created_at": share.created_at,
            "updated_at": share.updated_at,
            "zone_created_at": zone.created_at,
            "zone_name": zone.name,
        }
        run(self._conn, _ADD, row)
        self._count(zone, (zone.shares or 0) + 1)

    def remove(self, zone: Zone, share: Share) -> None:
        """Delete a share of a zone that is locked, and count it out. Two statements."""
        self.forget_one(share)
        self._count(zone, (zone.shares or 1) - 1)

    def forget_one(self, share: Share) -> None:
        """Delete a share. One statement; the zone's count is the caller's to write."""
        run(self._conn, _REMOVE, {"i": share.id})

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete every share of zones. One statement; their counts are the caller's to write."""
        self._conn.execute(zone_shares.delete().where(zone_shares.c.zone_id.in_(zone_ids)))

    def listed(self, zone: Zone, query: ListQuery, *, target: str | None) -> Page[Share]:
        """A page of the zone's shares, or of that with one project. Raises MarkerNotFound. 1 to 3 queries."""
        seen: list[ColumnElement[bool]] = [zone_shares.c.zone_id == zone.id]
        if target is not None:
            seen.append(zone_shares.c.target_project_id == target)
        return listed(self._conn, zone_shares, query, lambda row: _share(row, zone), seen=seen)

    def _count(self, zone: Zone, shares: int) -> None:
        """Write the count; where the zone shows another `shared` for it, it is another version of the zone."""
        version = zone.version + (bool(zone.shares) is not bool(shares))
        run(self._conn, _COUNT, {"z": zone.id, "v_shares": shares, "v_version": version})


def _share(row: Row[Any], zone: Zone) -> Share:
    return Share(
        id=row.id,
        zone_id=row.zone_id,
        project_id=zone.project_id,
        target_project_id=row.target_project_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
