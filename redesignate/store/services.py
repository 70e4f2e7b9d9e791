# SPDX-License-Identifier: Apache-2.0
"""The last heartbeats of services: one row per service name and host."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, or_, select
from sqlalchemy.exc import IntegrityError

from redesignate.model.clock import new_id
from redesignate.model.paging import ListQuery, Page
from redesignate.model.service import Service, ServiceState, Stats
from redesignate.store.fast import Module
from redesignate.store.listing import listed
from redesignate.store.schema import services
from redesignate.store.zones import Stale


class Services(Module):
    """Service rows of one transaction."""

    def get(self, service_id: str) -> Service | None:
        """One row."""
        row = self._conn.execute(select(services).where(services.c.id == service_id)).first()
        return _service(row) if row else None

    def beat(self, service_name: str, hostname: str, status: ServiceState, now: int, stats: Stats) -> None:
        """Write a heartbeat. One statement, two the first time. Raises Stale if two first times coincide."""
        mine = (services.c.service_name == service_name, services.c.hostname == hostname)
        figures = msgspec.json.encode(stats).decode()
        said = {"status": status.value, "heartbeated_at": now, "updated_at": now, "stats": figures}
        if self._conn.execute(services.update().where(*mine).values(said)).rowcount == 0:
            row = {
                "id": new_id(),
                "service_name": service_name,
                "hostname": hostname,
                "status": status.value,
                "heartbeated_at": now,
                "created_at": now,
                "updated_at": None,
                "stats": figures,
            }
            try:
                self._conn.execute(services.insert().values(row))
            except IntegrityError as error:
                raise Stale from error

    def silence(self, before: int, now: int) -> int:
        """Set services that are UP without a heartbeat since `before` to DOWN; how many."""
        silent = (services.c.status == ServiceState.UP.value, services.c.heartbeated_at < before)
        down = services.update().where(*silent).values(status=ServiceState.DOWN.value, updated_at=now)
        return self._conn.execute(down).rowcount

    def clean(self, before: int | None) -> int:
        """Remove STOPPED rows, and DOWN ones without a heartbeat since `before` (None: none of those); how many."""
        gone = services.c.status == ServiceState.STOPPED.value
        if before is not None:
            gone = or_(gone, (services.c.status == ServiceState.DOWN.value) & (services.c.heartbeated_at < before))
        return self._conn.execute(services.delete().where(gone)).rowcount

    def listed(self, query: ListQuery) -> Page[Service]:
        """A page of rows. Raises MarkerNotFound. 1 to 3 queries."""
        return listed(self._conn, services, query, _service)


def _service(row: Row[Any]) -> Service:
    return Service(
        id=row.id,
        service_name=row.service_name,
        hostname=row.hostname,
        status=ServiceState(row.status),
        heartbeated_at=row.heartbeated_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        stats=_stats(row.stats),
    )


_stats = msgspec.json.Decoder(Stats).decode
