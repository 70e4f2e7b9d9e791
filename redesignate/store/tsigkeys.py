# SPDX-License-Identifier: Apache-2.0
"""TSIG keys; their secrets are sealed at rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, select

from redesignate.model.paging import ListQuery, Page
from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.store.fast import Module
from redesignate.store.listing import listed
from redesignate.store.secrets import Secrets
from redesignate.store.settings_schema import tsigkeys


@dataclass
class TSIGKeys(Module):
    """The keys of one transaction."""

    _secrets: Secrets

    def get(self, key_id: str, *, lock: bool = False) -> TSIGKey | None:
        """One key. One query."""
        query = select(tsigkeys).where(tsigkeys.c.id == key_id)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        return self._key(row) if row else None

    def named(self, name: str) -> TSIGKey | None:
        """The key of a name (lower case, no final dot). One query."""
        row = self._conn.execute(select(tsigkeys).where(tsigkeys.c.name == name)).first()
        return self._key(row) if row else None

    def many(self, key_ids: Collection[str]) -> tuple[TSIGKey, ...]:
        """Keys by id. One query."""
        query = select(tsigkeys).where(tsigkeys.c.id.in_(list(key_ids)))
        return tuple(self._key(row) for row in self._conn.execute(query))

    def of(self, scope: Scope, resource_id: str) -> tuple[TSIGKey, ...]:
        """The keys bound to a pool or a zone. One query."""
        query = select(tsigkeys).where(tsigkeys.c.scope == scope.value, tsigkeys.c.resource_id == resource_id)
        return tuple(self._key(row) for row in self._conn.execute(query))

    def of_many(self, scope: Scope, resource_ids: Collection[str]) -> dict[str, TSIGKey]:
        """A key for each of these pools or zones that has one, the first by name. One query."""
        query = select(tsigkeys).where(tsigkeys.c.scope == scope.value, tsigkeys.c.resource_id.in_(list(resource_ids)))
        found = (self._key(row) for row in self._conn.execute(query.order_by(tsigkeys.c.name.desc())))
        return {key.resource_id: key for key in found}

    def listed(self, query: ListQuery) -> Page[TSIGKey]:
        """A page of keys. Raises MarkerNotFound. 1 to 3 queries."""
        return listed(self._conn, tsigkeys, query, self._key)

    def add(self, key: TSIGKey) -> None:
        """Insert a key. Raises IntegrityError if the name is taken."""
        self._conn.execute(tsigkeys.insert().values(self._row(key)))

    def change(self, key: TSIGKey) -> None:
        """Write a key over its row. One statement. Raises IntegrityError if its name is taken."""
        self._conn.execute(tsigkeys.update().where(tsigkeys.c.id == key.id).values(self._row(key)))

    def remove(self, key_id: str) -> bool:
        """Delete a key; whether there was one."""
        return self._conn.execute(tsigkeys.delete().where(tsigkeys.c.id == key_id)).rowcount == 1

    def _row(self, key: TSIGKey) -> dict[str, Any]:
        sealed = self._secrets.seal(key.secret, self._conn)
        return asdict(key) | {"secret": sealed, "scope": key.scope.value}

    def _key(self, row: Row[Any]) -> TSIGKey:
        return TSIGKey(
            id=row.id,
            name=row.name,
            algorithm=row.algorithm,
            secret=self._secrets.open(row.secret),
            scope=Scope(row.scope),
            resource_id=row.resource_id,
            created_at=row.created_at,
            updated_at=row.updated_at,
            typed_name=row.typed_name,
        )
