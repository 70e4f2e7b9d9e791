# SPDX-License-Identifier: Apache-2.0
"""RRsets as users see them, of rows that hold an RRset without its RRs, and its zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, and_, case, func, select

from redesignate.model.paging import Condition
from redesignate.model.rrset import Held, RRset, seen
from redesignate.model.zone import Action, Status
from redesignate.store.listing import where
from redesignate.store.schema import DATA_PREFIX, rrset_data, rrsets, zones

SOA = rrsets.c.type == "SOA"
REVISION = case((SOA, zones.c.revision), else_=rrsets.c.revision)
HANDED = and_(zones.c.handed.is_not(None), rrsets.c.born <= zones.c.handed)
"""Of a zone that was transferred, and its row may name another project yet (`store/handovers.py`)."""
_OWNER = case((HANDED, zones.c.project_id), else_=rrsets.c.project_id).label("project_id")
COLUMNS = (
    *(_OWNER if name == "project_id" else rrsets.c[name] for name in Held._fields if name not in {"wire", "order_key"}),
    func.coalesce(zones.c.typed_name, zones.c.name).label("zone_name"),
    zones.c.revision.label("zone_revision"),
    zones.c.confirmed.label("zone_confirmed"),
    zones.c.status.label("zone_status"),
    zones.c.mname,
    zones.c.email,
    zones.c.serial,
    zones.c.refresh,
    zones.c.retry,
    zones.c.expire,
    zones.c.minimum,
)
"""What `as_seen` reads by position: an RRset without its RRs, and then its zone."""
_ZONE_ID, RECORDS, _ZONE = 1, 6, 15
_END = len(COLUMNS)
ITS_ZONE = rrsets.c.zone_id == zones.c.id
QUERY = select(*COLUMNS).join_from(rrsets, zones, ITS_ZONE)

_decode_records = msgspec.json.Decoder(tuple[str, ...]).decode


class _Zone(NamedTuple):
    """The zone of a listed RRset."""

    shown_name: str
    revision: int
    confirmed: int
    status: Status
    mname: str
    email: str
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int


def as_seen(rows: Sequence[Sequence[Any]]) -> list[RRset]:
    """The RRsets of one query's rows, each of `COLUMNS` and whatever follows them.

    Cost   a microsecond or three each; a page may hold a thousand
    """
    of: dict[str, _Zone] = {}  # most lists are of one zone or of few
    found = []
    for row in rows:
        zone = of.get(row[_ZONE_ID])
        if zone is None:
            name, revision, confirmed, status, *soa = row[_ZONE:_END]
            zone = of[row[_ZONE_ID]] = _Zone(name, revision, confirmed, Status(status), *soa)
        (
            ident, zone_id, project_id, name, rrtype, ttl, records, description, managed, revision, born, version,
            created_at, updated_at, typed_name, *_,
        ) = row  # fmt: skip
        texts = _decode_records(records)
        if revision > zone.confirmed or rrtype == "SOA":
            held = Held(
                ident, zone_id, project_id, name, rrtype, ttl, texts, b"", None, description,
                bool(managed), revision, born, version, created_at, updated_at, typed_name,
            )  # fmt: skip
            found.append(seen(held, zone))
            continue
        found.append(  # as `seen`, in half of its time: nearly all rows of nearly all pages are on every server
            RRset(
                id=ident,
                zone_id=zone_id,
                zone_name=zone.shown_name,
                project_id=project_id,
                name=typed_name or name,
                type=rrtype,
                ttl=ttl,
                records=texts,
                description=description,
                managed=bool(managed),
                revision=revision,
                born=born,
                version=version,
                created_at=created_at,
                updated_at=updated_at,
                status=Status.ACTIVE,
                action=Action.NONE,
            )
        )
    return found


def has_data(condition: Condition, column: ColumnElement[Any] = rrset_data.c.data) -> ColumnElement[bool]:
    """A record's text meets the condition, as far as it is stored for filters."""
    return where(Condition("data", condition.op, condition.value[:DATA_PREFIX], condition.upper), column)
