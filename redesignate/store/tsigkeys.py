# SPDX-License-Identifier: Apache-2.0
"""TSIG keys; their secrets are sealed at rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from redesignate.model.tsigkey import Scope, TSIGKey
from redesignate.store.fast import Module
from redesignate.store.secrets import Secrets
from redesignate.store.settings_schema import tsigkeys


@dataclass
class TSIGKeys(Module):
    """The keys of one transaction."""

    _secrets: Secrets

    def get(self, key_id: str) -> TSIGKey | None:
        """One key."""
        row = self._conn.execute(select(tsigkeys).where(tsigkeys.c.id == key_id)).first()
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

    def all(self) -> tuple[TSIGKey, ...]:
        """Every key, by name."""
        return tuple(self._key(row) for row in self._conn.execute(select(tsigkeys).order_by(tsigkeys.c.name)))

    def add(self, key: TSIGKey) -> None:
        """Insert a key. Raises IntegrityError if the name is taken."""
        row = {
            "id": key.id,
            "name": key.name,
            "algorithm": key.algorithm,
            "secret": self._secrets.seal(key.secret, self._conn),
            "scope": key.scope.value,
            "resource_id": key.resource_id,
            "created_at": key.created_at,
            "updated_at": key.updated_at,
        }
        self._conn.execute(tsigkeys.insert().values(row))

    def remove(self, key_id: str) -> bool:
        """Delete a key; whether there was one."""
        return self._conn.execute(tsigkeys.delete().where(tsigkeys.c.id == key_id)).rowcount == 1

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
        )
