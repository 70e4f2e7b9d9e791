# SPDX-License-Identifier: Apache-2.0
"""What all projects have, from the counters that changes keep."""

from __future__ import annotations

from sqlalchemy import func, select

from redesignate.commands.reports import ProjectReport
from redesignate.store.fast import Module
from redesignate.store.schema import outbox, zones
from redesignate.store.settings_schema import usage
from redesignate.store.zones import LIVE


class Reports(Module):
    """The reports of one transaction. `project_id` None: of all projects."""

    def zones(self, project_id: str | None) -> int:
        """The number of zones. One query, over a row a project."""
        query = select(func.coalesce(func.sum(usage.c.zones), 0))
        if project_id is not None:
            query = query.where(usage.c.project_id == project_id)
        return int(self._conn.execute(query).scalar_one())

    def records(self, project_id: str | None) -> int:
        """The number of records that users made. One query, over a row a zone."""
        query = select(func.coalesce(func.sum(zones.c.record_count), 0)).where(zones.c.deleted == LIVE)
        if project_id is not None:
            query = query.where(zones.c.project_id == project_id)
        return int(self._conn.execute(query).scalar_one())

    def unserved(self, project_id: str | None) -> int:
        """The number of zones with work for their servers. One query, over a row each such zone."""
        query = select(func.count()).select_from(outbox)
        if project_id is not None:
            query = query.join(zones, zones.c.id == outbox.c.zone_id).where(zones.c.project_id == project_id)
        return int(self._conn.execute(query).scalar_one())

    def projects(self, project_id: str | None) -> int:
        """The number of projects that have zones. One query, over a row a project."""
        query = select(func.count()).select_from(usage).where(usage.c.zones > 0)
        if project_id is not None:
            query = query.where(usage.c.project_id == project_id)
        return int(self._conn.execute(query).scalar_one())

    def listed(self, after: str, limit: int) -> tuple[ProjectReport, ...]:
        """Projects that have zones, behind a project, by id. One query on the primary key."""
        query = select(usage).where(usage.c.project_id > after, usage.c.zones > 0).order_by(usage.c.project_id)
        return tuple(
            ProjectReport(id=row.project_id, zone_count=row.zones) for row in self._conn.execute(query.limit(limit))
        )

    def names(self, project_id: str, limit: int) -> tuple[str, ...]:
        """The names of a project's first zones, by name. One query on the index of that order."""
        query = select(zones.c.name).where(zones.c.project_id == project_id, zones.c.deleted == LIVE)
        return tuple(self._conn.execute(query.order_by(zones.c.name, zones.c.id).limit(limit)).scalars())
