# SPDX-License-Identifier: Apache-2.0
"""Transfer requests, whose keys are sealed at rest, acceptances, and counts of wrong keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from redesignate.model.paging import ListQuery, Page
from redesignate.model.transfer import TransferAccept, TransferRequest, TransferStatus
from redesignate.store.fast import Module
from redesignate.store.listing import listed, marker
from redesignate.store.merged import merged
from redesignate.store.schema import zones
from redesignate.store.secrets import Secrets
from redesignate.store.sharing_schema import zone_transfer_accepts, zone_transfer_requests, zone_transfer_tries

OPEN = ""
"""`open` of a request that is ACTIVE."""
_R, _A, _T = zone_transfer_requests.c, zone_transfer_accepts.c, zone_transfer_tries.c


@dataclass
class Transfers(Module):
    """The transfers of one transaction."""

    _secrets: Secrets

    def get(self, request_id: str) -> TransferRequest | None:
        """One request, of a zone that is not purged yet. One query."""
        query = (
            select(zone_transfer_requests, zones.c.typed_name, zones.c.name)
            .join(zones, zones.c.id == _R.zone_id)
            .where(_R.id == request_id)
        )
        row = self._conn.execute(query).first()
        return self._request(row, row.typed_name or row.name) if row else None

    def add(self, request: TransferRequest) -> None:
        """Insert a request that is ACTIVE. One statement. Raises IntegrityError if its zone has one."""
        row = {
            "id": request.id,
            "zone_id": request.zone_id,
            "project_id": request.project_id,
            "target_project_id": request.target_project_id,
            "secret": self._secrets.seal(request.key, self._conn),
            "status": request.status.value,
            "open": OPEN,
            "description": request.description,
            "created_at": request.created_at,
        }
        self._conn.execute(zone_transfer_requests.insert().values(row))

    def change(self, request: TransferRequest) -> bool:
        """Write what a PATCH changes; whether the request is there. One statement."""
        written = zone_transfer_requests.update().where(_R.id == request.id)
        values = {
            "description": request.description,
            "target_project_id": request.target_project_id,
            "updated_at": request.updated_at,
        }
        return self._conn.execute(written.values(values)).rowcount == 1

    def complete(self, request: TransferRequest, now: int) -> bool:
        """End a request, and forget what was tried; whether it was ACTIVE until now and for the same target. Two
        statements."""
        as_read = _R.open == OPEN, _R.target_project_id.is_not_distinct_from(request.target_project_id)
        written = zone_transfer_requests.update().where(_R.id == request.id, *as_read)
        values = {"open": request.id, "status": TransferStatus.COMPLETE.value, "updated_at": now}
        self._conn.execute(zone_transfer_tries.delete().where(_T.request_id == request.id))
        return self._conn.execute(written.values(values)).rowcount == 1

    def remove(self, request_id: str, zone_id: str) -> bool:
        """Delete a zone's request, what was tried, and its acceptance; whether it was there. Three statements."""
        self._conn.execute(zone_transfer_tries.delete().where(_T.request_id == request_id))
        own = (_A.zone_id == zone_id, _A.zone_transfer_request_id == request_id)
        self._conn.execute(zone_transfer_accepts.delete().where(*own))
        return self._conn.execute(zone_transfer_requests.delete().where(_R.id == request_id)).rowcount == 1

    def listed(self, query: ListQuery, project_id: str | None) -> Page[TransferRequest]:
        """A page of the requests that a project made and of those that name it as their target, or of all.

        Raises MarkerNotFound. Cost   at most eight queries, each of an index
        """
        if project_id is None:
            page = listed(self._conn, zone_transfer_requests, query, self._unnamed)
            return Page(self._named(page.items), page.total)
        sides = (_R.project_id == project_id, _R.target_project_id == project_id)
        order = (_R[query.sort_key], _R.id)
        after = None if query.marker is None else marker(self._conn, query.marker, order, [or_(*sides)])
        pages = [
            listed(self._conn, zone_transfer_requests, query, self._unnamed, seen=[side], after=after) for side in sides
        ]
        page = merged(self._conn, query, pages)
        return Page(self._named(page.items), page.total)

    # -- acceptances

    def accept(self, made: TransferAccept) -> None:
        """Insert an acceptance. One statement."""
        row = {name: getattr(made, name) for name in _A.keys()} | {"status": made.status.value}  # noqa: SIM118  # columns
        self._conn.execute(zone_transfer_accepts.insert().values(row))

    def accepted(self, accept_id: str, project_id: str | None) -> TransferAccept | None:
        """One acceptance, of this project or (None) of any. One query."""
        query = select(zone_transfer_accepts).where(_A.id == accept_id)
        if project_id is not None:
            query = query.where(_A.project_id == project_id)
        row = self._conn.execute(query).first()
        return _accept(row) if row else None

    def accepts(self, query: ListQuery, project_id: str | None) -> Page[TransferAccept]:
        """A page of the acceptances of one project, or of all. Raises MarkerNotFound. 1 to 3 queries."""
        seen: list[ColumnElement[bool]] = [] if project_id is None else [_A.project_id == project_id]
        return listed(self._conn, zone_transfer_accepts, query, _accept, seen=seen)

    # -- wrong keys

    def count_try(self, request_id: str, project_id: str) -> int:
        """Count a try of a project; how many it has made. Others of the same wait until this transaction ends. Two
        statements."""
        row = {"request_id": request_id, "project_id": project_id, "tries": 1}
        more = {"tries": _T.tries + 1}
        table, keys = zone_transfer_tries, ["request_id", "project_id"]
        match self._conn.dialect.name:
            case "sqlite":
                self._conn.execute(
                    sqlite.insert(table).values(row).on_conflict_do_update(index_elements=keys, set_=more)
                )
            case "postgresql":
                insert = postgresql.insert(table).values(row)
                self._conn.execute(insert.on_conflict_do_update(index_elements=keys, set_=more))
            case _:
                self._conn.execute(mysql.insert(table).values(row).on_duplicate_key_update(more))
        return int(self._conn.execute(select(_T.tries).where(*_try(request_id, project_id))).scalar_one())

    def uncount_try(self, request_id: str, project_id: str) -> None:
        """Take back the try that was counted in this transaction: its key was right. One statement."""
        written = zone_transfer_tries.update().where(*_try(request_id, project_id))
        self._conn.execute(written.values(tries=_T.tries - 1))

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Delete everything about zones that are purged. Four statements."""
        requests = select(_R.id).where(_R.zone_id.in_(zone_ids))
        self._conn.execute(zone_transfer_tries.delete().where(_T.request_id.in_(requests)))
        self._conn.execute(zone_transfer_requests.delete().where(_R.zone_id.in_(zone_ids)))
        self._conn.execute(zone_transfer_accepts.delete().where(_A.zone_id.in_(zone_ids)))

    # -- rows

    def _unnamed(self, row: Row[Any]) -> TransferRequest:
        return self._request(row, "")

    def _named(self, requests: Sequence[TransferRequest]) -> tuple[TransferRequest, ...]:
        """The requests with the names of their zones. One query, none without requests."""
        if not requests:
            return ()
        ids = {one.zone_id for one in requests}
        rows = self._conn.execute(select(zones.c.id, zones.c.typed_name, zones.c.name).where(zones.c.id.in_(ids)))
        names = {row.id: row.typed_name or row.name for row in rows}
        return tuple(replace(one, zone_name=names.get(one.zone_id, "")) for one in requests)

    def _request(self, row: Row[Any], zone_name: str) -> TransferRequest:
        return TransferRequest(
            id=row.id,
            zone_id=row.zone_id,
            zone_name=zone_name,
            project_id=row.project_id,
            target_project_id=row.target_project_id,
            key=self._secrets.open(row.secret),
            status=TransferStatus(row.status),
            description=row.description,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _try(request_id: str, project_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _T.request_id == request_id, _T.project_id == project_id


def _accept(row: Row[Any]) -> TransferAccept:
    return TransferAccept(
        id=row.id,
        zone_id=row.zone_id,
        zone_transfer_request_id=row.zone_transfer_request_id,
        project_id=row.project_id,
        status=TransferStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
