# SPDX-License-Identifier: Apache-2.0
"""The blacklist's patterns, each with its needles (`model/pattern.py`) and a gram of each, by which a name finds it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Row, func, select

from redesignate.model.blacklist import Blacklist
from redesignate.model.paging import ListQuery, Page
from redesignate.store.fast import Module
from redesignate.store.listing import listed
from redesignate.store.settings_schema import blacklist_needles, blacklists


class Blacklists(Module):
    """The blacklist of one transaction."""

    def get(self, blacklist_id: str, *, lock: bool = False) -> Blacklist | None:
        """One pattern. One query."""
        query = select(blacklists).where(blacklists.c.id == blacklist_id)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        return _blacklist(row) if row else None

    def count(self) -> int:
        """The number of patterns. One query, which reads an index."""
        return int(self._conn.execute(select(func.count()).select_from(blacklists)).scalar_one())

    def alike(self, grams: Collection[str]) -> dict[str, int]:
        """How many needles have each of these grams; those that none has are left out. One query."""
        gram = blacklist_needles.c.gram
        query = select(gram, func.count().label("number")).where(gram.in_(list(grams))).group_by(gram)
        return {row.gram: row.number for row in self._conn.execute(query)}

    def add(self, entry: Blacklist, needles: Mapping[str, str]) -> None:
        """Insert a pattern; `needles`: the gram of each. Two statements. Raises IntegrityError if it is there."""
        self._conn.execute(blacklists.insert().values(asdict(entry)))
        self.mark(entry.id, needles)

    def change(self, entry: Blacklist) -> None:
        """Write a pattern over its row. One statement. Raises IntegrityError if the pattern is there."""
        self._conn.execute(blacklists.update().where(blacklists.c.id == entry.id).values(asdict(entry)))

    def remove(self, blacklist_id: str) -> bool:
        """Delete a pattern; whether there was one. Two statements."""
        gone = self._conn.execute(blacklists.delete().where(blacklists.c.id == blacklist_id)).rowcount == 1
        self.unmark(blacklist_id)
        return gone

    def mark(self, blacklist_id: str, needles: Mapping[str, str]) -> None:
        """Insert a pattern's needles, with the gram of each. One statement."""
        rows = [
            {"blacklist_id": blacklist_id, "position": at, "gram": gram, "needle": needle}
            for at, (needle, gram) in enumerate(needles.items())
        ]
        self._conn.execute(blacklist_needles.insert(), rows)

    def unmark(self, blacklist_id: str) -> None:
        """Delete a pattern's needles. One statement."""
        self._conn.execute(blacklist_needles.delete().where(blacklist_needles.c.blacklist_id == blacklist_id))

    def listed(self, query: ListQuery) -> Page[Blacklist]:
        """A page of the patterns. Raises MarkerNotFound. 1 to 3 queries."""
        return listed(self._conn, blacklists, query, _blacklist)


def _blacklist(row: Row[Any]) -> Blacklist:
    return Blacklist(**row._mapping)
