# SPDX-License-Identifier: Apache-2.0
"""The last heartbeats of services: one row per service name and host, which the service's processes there share.

Heartbeats are written and compared by the database's clock (`leasetime`): centrals' own clocks may differ by minutes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, or_, select
from sqlalchemy.exc import IntegrityError

from redesignate.model.clock import new_id
from redesignate.model.paging import ListQuery, Page
from redesignate.model.service import Service, ServiceState, Stats, combined
from redesignate.store.fast import Module
from redesignate.store.leasetime import NOW
from redesignate.store.listing import listed
from redesignate.store.outbox import FAR
from redesignate.store.settings_schema import services
from redesignate.store.zones import Stale


class Said(NamedTuple):
    """What a process reports: its state, for how long (µs) it is taken to live from now on, and its figures."""

    process: str
    status: ServiceState
    believed: int
    stats: Stats


class _Process(NamedTuple):
    """A process of a service on a host: when it is taken to have died (µs, by the clock of leases), and its figures."""

    until: int
    stats: Stats


class Services(Module):
    """Service rows of one transaction."""

    def get(self, service_id: str) -> Service | None:
        """One row."""
        row = self._conn.execute(select(services).where(services.c.id == service_id)).first()
        return _service(row) if row else None

    def beat(self, service_name: str, hostname: str, said: Said, now: int) -> None:
        """Write a heartbeat. Two statements, four the first time. Raises Stale if two first times coincide.

        A process that stops, or that was silent for longer than it said, is forgotten. While any lives the service is
        UP, and has the figures of those that do.
        """
        mine = (services.c.service_name == service_name, services.c.hostname == hostname)
        asked = select(services.c.processes, NOW.label("now")).where(*mine).with_for_update()
        row = self._conn.execute(asked, {"now": now}).first()
        if row is None:
            self._add(service_name, hostname, now)
            row = self._conn.execute(asked, {"now": now}).one()
        latest = row.now + max(FAR, said.believed)  # a later time was written by a clock that has been set back
        known = _processes(row.processes).items()
        alive = {ident: one for ident, one in known if ident != said.process and row.now < one.until <= latest}
        stops = said.status is ServiceState.STOPPED
        if not stops:
            alive[said.process] = _Process(row.now + said.believed, said.stats)
        stats = combined(one.stats for one in alive.values()) if alive else said.stats
        values = {
            "status": (ServiceState.UP if alive and stops else said.status).value,
            "heartbeated_at": row.now,
            "updated_at": now,
            "stats": msgspec.json.encode(stats).decode(),
            "processes": msgspec.json.encode(alive).decode(),
        }
        self._conn.execute(services.update().where(*mine).values(values))

    def _add(self, service_name: str, hostname: str, now: int) -> None:
        row = {
            "id": new_id(),
            "service_name": service_name,
            "hostname": hostname,
            "status": ServiceState.UP.value,
            "created_at": now,
            "stats": "{}",
            "processes": "{}",
        }
        try:
            self._conn.execute(services.insert().values(row))
        except IntegrityError as error:
            raise Stale from error

    def silence(self, longest: int, now: int) -> int:
        """Set services that are UP without a heartbeat for longer than that (µs) to DOWN; return how many. One
        statement."""
        silent = (services.c.status == ServiceState.UP.value, services.c.heartbeated_at < NOW - longest)
        down = services.update().where(*silent).values(status=ServiceState.DOWN.value, updated_at=now)
        return self._conn.execute(down, {"now": now}).rowcount

    def clean(self, longest: int | None, now: int) -> int:
        """Remove STOPPED rows, and DOWN ones without a heartbeat for longer than that (µs; None: none of those); return
        how many. One statement."""
        gone = services.c.status == ServiceState.STOPPED.value
        if longest is not None:
            silent = services.c.heartbeated_at < NOW - longest
            gone = or_(gone, (services.c.status == ServiceState.DOWN.value) & silent)
        return self._conn.execute(services.delete().where(gone), {"now": now}).rowcount

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
_processes = msgspec.json.Decoder(dict[str, _Process]).decode
