# SPDX-License-Identifier: Apache-2.0
"""Pools: one row each, their parts as one JSON document; secrets in it are sealed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, select

from redesignate.model.paging import ListQuery, Page
from redesignate.model.pool import Catalog, Endpoint, Nameserver, NSRecord, Pool, Target
from redesignate.store.fast import Module, run
from redesignate.store.listing import listed
from redesignate.store.secrets import Secrets
from redesignate.store.settings_schema import pools


class _Body(msgspec.Struct, frozen=True):
    attributes: dict[str, str]
    ns_records: tuple[NSRecord, ...]
    nameservers: tuple[Nameserver, ...]
    targets: tuple[Target, ...]
    also_notifies: tuple[Endpoint, ...]
    catalog: Catalog | None


_decode = msgspec.json.Decoder(_Body).decode


_MANY = select(pools).where(pools.c.id.in_(bindparam("ids", expanding=True)))
_ALL = select(pools).order_by(pools.c.name)
_LOCK_ALL = _ALL.with_for_update()
_HOLD = select(pools).where(pools.c.id == bindparam("i")).with_for_update(read=True)


MOST_KEPT = 1000
"""Parsed pools in memory; a pool's document may be tens of kilobytes."""


@dataclass
class Pools(Module):
    """The pools of one transaction. `_kept`: the parsed pools of this process, by id, for all transactions of its
    database."""

    _secrets: Secrets
    _kept: dict[str, Pool]

    def get(self, pool_id: str, *, lock: bool = False) -> Pool | None:
        """One pool. One query."""
        query = select(pools).where(pools.c.id == pool_id)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        return self._pool(row) if row else None

    def named(self, name: str) -> Pool | None:
        """The pool of a name. One query."""
        row = self._conn.execute(select(pools).where(pools.c.name == name)).first()
        return self._pool(row) if row else None

    def many(self, pool_ids: Collection[str]) -> dict[str, Pool]:
        """Pools by id. One query."""
        return {row.id: self._pool(row) for row in run(self._conn, _MANY, {"ids": list(pool_ids)})}

    def present(self, stamps: Mapping[str, tuple[int | None, int | None]]) -> dict[str, Pool]:
        """Pools by id, without those that do not exist. `stamps`: each one's `version` and `updated_at` in its row.

        One query for those that were not read before as they are now, otherwise none.
        """
        found: dict[str, Pool] = {}
        unknown: list[str] = []
        for pool_id, (version, updated_at) in stamps.items():
            pool = self._kept.get(pool_id)
            # the time too: after a backup was restored, a version may come again with another content
            if pool is not None and (pool.version, pool.updated_at) == (version, updated_at):
                found[pool_id] = pool
            elif version is not None:
                unknown.append(pool_id)
        if unknown:
            read = self.many(unknown)
            if len(self._kept) + len(read) > MOST_KEPT:
                self._kept.clear()
            self._kept.update(read)
            found |= read
        return found

    def all(self, *, lock: bool = False) -> list[Pool]:
        """Every pool, by name: they are few. One query."""
        return [self._pool(row) for row in run(self._conn, _LOCK_ALL if lock else _ALL, {})]

    def hold(self, pool_id: str) -> tuple[Pool, int] | None:
        """A pool and the number of changes of its NS records, both locked until this transaction ends. One query.

        Many transactions may hold a pool at once; only a change of it waits for them.
        """
        row = run(self._conn, _HOLD, {"i": pool_id}).first()
        return (self._pool(row), row.apex_version) if row else None

    def apex_versions(self) -> dict[str, int]:
        """The same of every pool, by id. One query."""
        return {row.id: row.apex_version for row in self._conn.execute(select(pools.c.id, pools.c.apex_version))}

    def add(self, pool: Pool) -> None:
        """Insert a pool. Raises IntegrityError if the name is taken."""
        self._conn.execute(pools.insert().values(self._row(pool) | {"id": pool.id, "apex_version": 1}))

    def change(self, pool: Pool, *, apex: bool) -> None:
        """Write a pool over its row; `apex` says that its NS records changed. One statement."""
        row: dict[str, Any] = self._row(pool)
        if apex:
            row["apex_version"] = pools.c.apex_version + 1
        self._conn.execute(pools.update().where(pools.c.id == pool.id).values(row))

    def remove(self, pool_id: str) -> None:
        """Delete a pool."""
        self._conn.execute(pools.delete().where(pools.c.id == pool_id))

    def listed(self, query: ListQuery) -> Page[Pool]:
        """A page of pools. Raises MarkerNotFound. 1 to 3 queries."""
        return listed(self._conn, pools, query, self._pool)

    def _row(self, pool: Pool) -> dict[str, Any]:
        catalog = pool.catalog
        if catalog is not None and catalog.secret is not None:
            catalog = replace(catalog, secret=self._secrets.seal(catalog.secret, self._conn))
        body = _Body(
            dict(pool.attributes), pool.ns_records, pool.nameservers, pool.targets, pool.also_notifies, catalog
        )
        return {
            "name": pool.name,
            "description": pool.description,
            "project_id": pool.project_id,
            "version": pool.version,
            "body": msgspec.json.encode(body).decode(),
            "created_at": pool.created_at,
            "updated_at": pool.updated_at,
        }

    def _pool(self, row: Row[Any]) -> Pool:
        body = _decode(row.body)
        catalog = body.catalog
        if catalog is not None and catalog.secret is not None:
            catalog = replace(catalog, secret=self._secrets.open(catalog.secret))
        return Pool(
            id=row.id,
            name=row.name,
            version=row.version,
            created_at=row.created_at,
            description=row.description,
            project_id=row.project_id,
            attributes=body.attributes,
            ns_records=body.ns_records,
            nameservers=body.nameservers,
            targets=body.targets,
            also_notifies=body.also_notifies,
            catalog=catalog,
            updated_at=row.updated_at,
        )
