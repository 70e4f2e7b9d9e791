# SPDX-License-Identifier: Apache-2.0
"""Quota overrides, the count of zones a project holds, and the rows that serialise creation of related names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Insert, String, Table, bindparam, literal, literal_column, select, union_all
from sqlalchemy.dialects import mysql, postgresql, sqlite

from redesignate.store.fast import Module, run
from redesignate.store.settings_schema import families, quotas, usage

# Built once, as in store.zones.
_OVERRIDES = select(quotas.c.resource, quotas.c.hard_limit).where(quotas.c.project_id == bindparam("p"))
_RELEASE = usage.update().where(usage.c.project_id == bindparam("p")).values(zones=usage.c.zones - 1)
_COUNTED = select(usage.c.zones).where(usage.c.project_id == bindparam("p"))
_STANDING = union_all(
    select(quotas.c.resource.label("what"), quotas.c.hard_limit.label("number")).where(
        quotas.c.project_id == bindparam("p")
    ),
    select(literal_column("''", String), usage.c.zones).where(usage.c.project_id == bindparam("p")),
)


def _raised(table: Table, key: str, count: str) -> dict[str, Insert]:
    """For each database: add one to the count of a row, which is made with 1 where there is none. Either way the row is
    locked until the transaction ends, and those who make it at the same time wait for each other."""
    row = {key: bindparam("k"), count: literal(1)}
    more = {count: table.c[count] + 1}
    mine = mysql.insert(table).values(row).on_duplicate_key_update(more)
    return {
        "mysql": mine,
        "mariadb": mine,
        "postgresql": postgresql.insert(table).values(row).on_conflict_do_update(index_elements=[key], set_=more),
        "sqlite": sqlite.insert(table).values(row).on_conflict_do_update(index_elements=[key], set_=more),
    }


_QUEUE = _raised(families, "name", "version")
_TAKE = _raised(usage, "project_id", "zones")
_TAKE_RETURNING = {dialect: insert.returning(usage.c.zones) for dialect, insert in _TAKE.items()}


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

    def take_zone(self, project_id: str) -> int:
        """Count a zone in; how many the project holds now. Holds the row until the transaction ends. One statement, two
        on MySQL, which returns no rows that it writes."""
        dialect = self._conn.dialect
        if dialect.insert_returning:
            return int(run(self._conn, _TAKE_RETURNING[dialect.name], {"k": project_id}).scalar_one())
        run(self._conn, _TAKE[dialect.name], {"k": project_id})
        return self.zones_of(project_id)

    def release_zone(self, project_id: str) -> None:
        """Count a zone out. Holds the row until the transaction ends. One statement."""
        run(self._conn, _RELEASE, {"p": project_id})

    def zones_of(self, project_id: str) -> int:
        """The number of zones that the project holds. One query."""
        return int(run(self._conn, _COUNTED, {"p": project_id}).scalar() or 0)

    def queue_on(self, family: str) -> None:
        """Wait for other creations of a zone below these two labels. One statement."""
        run(self._conn, _QUEUE[self._conn.dialect.name], {"k": family})
