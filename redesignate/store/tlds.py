# SPDX-License-Identifier: Apache-2.0
"""Top-level domains."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Row, select

from redesignate.model.paging import ListQuery, Page
from redesignate.model.tld import TLD
from redesignate.store.fast import Module
from redesignate.store.listing import listed
from redesignate.store.settings_schema import tlds


class TLDs(Module):
    """The list of one transaction."""

    def get(self, tld_id: str, *, lock: bool = False) -> TLD | None:
        """One entry. One query."""
        query = select(tlds).where(tlds.c.id == tld_id)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        return _tld(row) if row else None

    def named(self, names: Collection[str]) -> set[str]:
        """Which of these names are in the list. One query."""
        return set(self._conn.execute(select(tlds.c.name).where(tlds.c.name.in_(list(names)))).scalars())

    def add(self, *entries: TLD) -> None:
        """Insert entries. One statement. Raises IntegrityError if a name is in the list."""
        self._conn.execute(tlds.insert(), [asdict(entry) for entry in entries])

    def change(self, entry: TLD) -> None:
        """Write an entry over its row. One statement. Raises IntegrityError if its name is taken."""
        self._conn.execute(tlds.update().where(tlds.c.id == entry.id).values(asdict(entry)))

    def remove(self, tld_id: str) -> bool:
        """Delete an entry; whether there was one. One statement."""
        return self._conn.execute(tlds.delete().where(tlds.c.id == tld_id)).rowcount == 1

    def listed(self, query: ListQuery) -> Page[TLD]:
        """A page of the list. Raises MarkerNotFound. 1 to 3 queries."""
        return listed(self._conn, tlds, query, _tld)


def _tld(row: Row[Any]) -> TLD:
    return TLD(**row._mapping)
