# SPDX-License-Identifier: Apache-2.0
"""Quota overrides, the count of zones a project holds, and the rows that serialise creation of related names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Integer, String, Table, bindparam, literal_column, select, union_all
from sqlalchemy.dialects import mysql, postgresql, sqlite

from redesignate.store.fast import Module, run
from redesignate.store.schema import families, quotas, usage

# Built once, as in store.zones.
_OVERRIDES = select(quotas.c.resource, quotas.c.hard_limit).where(quotas.c.project_id == bindparam("p"))
_COUNT = (
    usage.update()
    .where(usage.c.project_id == bindparam("p"))
    .values(zones=usage.c.zones + bindparam("by", type_=Integer))
)
_COUNTED = select(usage.c.zones).where(usage.c.project_id == bindparam("p"))
_STANDING = union_all(
    select(quotas.c.resource.label("what"), quotas.c.hard_limit.label("number")).where(
        quotas.c.project_id == bindparam("p")
    ),
    select(literal_column("''", String), usage.c.zones).where(usage.c.project_id == bindparam("p")),
)
_QUEUE = families.update().where(families.c.name == bindparam("n")).values(version=families.c.version + 1)


@dataclass
class Quotas(Module):
    """Quotas of one transaction."""

    _overrides: dict[str, dict[str, int]] = field(default_factory=dict)

    def overrides(self, project_id: str) -> dict[str, int]:
        """The overrides that the operator set for the project. One query, the first time in a transaction."""
        known = self._overrides.get(project_id)
        if known is None:
            known = {row.resource: row.hard_limit for row in run(self._conn, _OVERRIDES, {"p": project_id})}
            self._overrides[project_id] = known
        return known

    def set(self, project_id: str, limits: Mapping[str, int]) -> None:
        """Write overrides. Two statements."""
        self._overrides.clear()
        named = quotas.c.resource.in_(list(limits))
        self._conn.execute(quotas.delete().where(quotas.c.project_id == project_id, named))
        rows = [{"project_id": project_id, "resource": name, "hard_limit": limit} for name, limit in limits.items()]
        if rows:
            self._conn.execute(quotas.insert(), rows)

    def reset(self, project_id: str) -> None:
        """Remove the project's overrides."""
        self._overrides.clear()
        self._conn.execute(quotas.delete().where(quotas.c.project_id == project_id))

    def standing(self, project_id: str) -> tuple[dict[str, int], int]:
        """The overrides that the operator set for the project, and how many zones it holds as of now. One query."""
        known = {row.what: row.number for row in run(self._conn, _STANDING, {"p": project_id})}
        held = known.pop("", 0)
        self._overrides[project_id] = known
        return known, held

    def count_zone(self, project_id: str, by: int) -> None:
        """Count a zone in (1) or out (-1). Holds the row until the transaction ends. One statement."""
        if run(self._conn, _COUNT, {"p": project_id, "by": by}).rowcount == 0:
            self._insert_missing(usage, {"project_id": project_id, "zones": 0})
            run(self._conn, _COUNT, {"p": project_id, "by": by})

    def zones_of(self, project_id: str) -> int:
        """The number of zones that the project holds. One query."""
        return int(run(self._conn, _COUNTED, {"p": project_id}).scalar() or 0)

    def queue_on(self, family: str) -> None:
        """Wait for other creations of a zone below these two labels. One statement, two the first time."""
        if run(self._conn, _QUEUE, {"n": family}).rowcount == 0:
            self._insert_missing(families, {"name": family, "version": 0})
            run(self._conn, _QUEUE, {"n": family})

    def _insert_missing(self, table: Table, row: Mapping[str, object]) -> None:
        """Insert a row unless another transaction has just inserted it."""
        match self._conn.dialect.name:
            case "mysql" | "mariadb":
                self._conn.execute(mysql.insert(table).values(row).prefix_with("IGNORE"))
            case "postgresql":
                self._conn.execute(postgresql.insert(table).values(row).on_conflict_do_nothing())
            case _:
                self._conn.execute(sqlite.insert(table).values(row).on_conflict_do_nothing())
