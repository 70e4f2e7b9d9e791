# SPDX-License-Identifier: Apache-2.0
"""JSON ↔ model: the one place where v2's own words (`recordset`, `masters`) and its exact members live.

Answers are msgspec structs, written in the order of their fields. Bodies are read member by member (`fields.py`),
because v2 coerces some, tolerates read-only ones that repeat the present value, and words its refusals itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from redesignate.api.fields import (
    INT32_MAX,
    Body,
    check_keys,
    optional_text,
    refuse,
    require,
    text,
    text_map,
    texts,
    ttl,
    whole,
)
from redesignate.model import quota
from redesignate.model.pool import NSRecord, Pool
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.service import Service
from redesignate.model.work import PeerView
from redesignate.model.zone import NewZone, Zone, ZoneChange, ZoneType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_NONE: Mapping[str, Any] = {}

Present = Callable[[], Body]
"""Asks for the resource as it is now, shown as JSON; called only when a body holds members to compare."""


def timestamp(micros: int | None) -> str | None:
    """`2026-01-31T12:00:00.000000`: UTC without saying so, always six digits."""
    return None if micros is None else (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")


# -- zones


class ZoneOut(msgspec.Struct):
    """A zone as v2 shows it."""

    id: str
    pool_id: str
    project_id: str | None
    name: str
    email: str
    description: str | None
    ttl: int
    serial: int
    status: str
    action: str
    version: int
    attributes: Mapping[str, str]
    type: str
    masters: tuple[str, ...]
    shared: bool
    created_at: str | None
    updated_at: str | None
    transferred_at: str | None
    links: dict[str, str]


def zone(value: Zone, base: str) -> ZoneOut:
    """A zone's JSON. `base` is what links begin with."""
    return ZoneOut(
        id=value.id,
        pool_id=value.pool_id,
        project_id=value.project_id,
        name=value.name,
        email=value.email,
        description=value.description,
        ttl=value.ttl,
        serial=value.serial,
        status=value.status.value,
        action=value.action.value,
        version=value.version,
        attributes=value.attributes,
        type=value.type.value,
        masters=value.primaries,
        shared=value.shared,
        created_at=timestamp(value.created_at),
        updated_at=timestamp(value.updated_at),
        transferred_at=timestamp(value.transferred_at),
        links={"self": f"{base}/v2/zones/{value.id}"},
    )


_ZONE_WRITABLE = frozenset({"name", "type", "email", "ttl", "description", "attributes", "masters"})
_ZONE_CHANGEABLE = _ZONE_WRITABLE
_ZONE_READ_ONLY = frozenset(ZoneOut.__struct_fields__) - _ZONE_WRITABLE


def new_zone(body: Body) -> NewZone:
    """A POST's body. `pool_id` is taken and ignored: the scheduler decides.

    Raises InvalidObject.
    """
    check_keys("zone", body, _ZONE_WRITABLE | {"pool_id"}, dict.fromkeys(_ZONE_READ_ONLY))
    require(body, "name")
    sent = {key: value for key, value in body.items() if value is not None}
    return NewZone(
        name=text("name", sent["name"]),
        type=_zone_type(sent["type"]) if "type" in sent else ZoneType.PRIMARY,
        email=optional_text("email", sent.get("email")),
        ttl=ttl(sent["ttl"]) if "ttl" in sent else None,
        description=optional_text("description", sent.get("description")),
        attributes=text_map("attributes", sent.get("attributes", {})),
        primaries=texts("masters", sent.get("masters", [])),
    )


def zone_change(body: Body, present: Present) -> ZoneChange:
    """A PATCH's body. Raises InvalidObject. Cost: `present` only where read-only members came back."""
    check_keys("zone", body, _ZONE_CHANGEABLE, _compared(body, _ZONE_READ_ONLY, present))
    return ZoneChange(
        email=text("email", body["email"]) if "email" in body else UNSET,
        ttl=ttl(body["ttl"]) if "ttl" in body else UNSET,
        description=_description(body),
        attributes=text_map("attributes", body["attributes"]) if "attributes" in body else UNSET,
        primaries=texts("masters", body["masters"]) if "masters" in body else UNSET,
        same_name=text("name", body["name"]) if "name" in body else UNSET,
        same_type=_zone_type(body["type"]) if "type" in body else UNSET,
    )


def _zone_type(value: object) -> ZoneType:
    name = text("type", value)
    try:
        return ZoneType(name)
    except ValueError:
        raise refuse(f"type must be one of PRIMARY, SECONDARY, not {name[:60]!r}") from None


def _description(body: Body) -> str | msgspec.UnsetType | None:
    if "description" not in body:
        return UNSET
    return optional_text("description", body["description"])


def _compared(body: Body, read_only: frozenset[str], present: Present) -> Body:
    return present() if read_only & body.keys() else dict.fromkeys(read_only)


def nameservers(records: Iterable[NSRecord]) -> dict[str, list[dict[str, Any]]]:
    """The names that a zone is delegated to."""
    return {"nameservers": [{"hostname": record.hostname, "priority": record.priority} for record in records]}


def peers(views: Iterable[PeerView]) -> dict[str, list[dict[str, Any]]]:
    """On which server a zone is, and why not on the others."""
    return {
        "peers": [
            {
                "address": view.address,
                "role": view.role.value,
                "state": view.state,
                "serial": view.serial,
                "since": timestamp(view.since),
                "attempts": view.attempts,
                "error": view.error,
                "next_try": timestamp(view.next_try),
            }
            for view in views
        ]
    }


# -- recordsets


class RecordsetOut(msgspec.Struct):
    """An RRset as v2 shows it."""

    id: str
    zone_id: str
    zone_name: str
    project_id: str | None
    name: str
    type: str
    records: tuple[str, ...]
    ttl: int | None
    description: str | None
    status: str
    action: str
    version: int
    created_at: str | None
    updated_at: str | None
    links: dict[str, str]


def recordset(value: RRset, base: str) -> RecordsetOut:
    """An RRset's JSON; its link always leads through its zone."""
    return RecordsetOut(
        id=value.id,
        zone_id=value.zone_id,
        zone_name=value.zone_name,
        project_id=value.project_id,
        name=value.name,
        type=value.type,
        records=value.records,
        ttl=value.ttl,
        description=value.description,
        status=value.status.value,
        action=value.action.value,
        version=value.version,
        created_at=timestamp(value.created_at),
        updated_at=timestamp(value.updated_at),
        links={"self": f"{base}/v2/zones/{value.zone_id}/recordsets/{value.id}"},
    )


_RECORDSET_WRITABLE = frozenset({"name", "type", "ttl", "records", "description"})
_RECORDSET_READ_ONLY = frozenset(RecordsetOut.__struct_fields__) - _RECORDSET_WRITABLE


def new_recordset(body: Body) -> NewRRset:
    """A POST's body. Raises InvalidObject."""
    check_keys("recordset", body, _RECORDSET_WRITABLE, dict.fromkeys(_RECORDSET_READ_ONLY))
    require(body, "name", "type")
    return NewRRset(
        name=text("name", body["name"]),
        type=text("type", body["type"]),
        ttl=ttl(body["ttl"]) if body.get("ttl") is not None else None,
        records=texts("records", body.get("records", [])),
        description=optional_text("description", body.get("description")),
    )


def recordset_change(body: Body, present: Present) -> RRsetChange:
    """A PUT's body: only what it holds changes. Raises InvalidObject. Cost: as `zone_change`."""
    check_keys("recordset", body, _RECORDSET_WRITABLE, _compared(body, _RECORDSET_READ_ONLY, present))
    seconds: int | msgspec.UnsetType | None = UNSET
    if "ttl" in body:
        seconds = None if body["ttl"] is None else ttl(body["ttl"])
    return RRsetChange(
        ttl=seconds,
        records=texts("records", body["records"]) if "records" in body else UNSET,
        description=_description(body),
        same_name=text("name", body["name"]) if "name" in body else UNSET,
        same_type=text("type", body["type"]) if "type" in body else UNSET,
    )


# -- quotas, pools, services


def quota_limits(body: Body) -> dict[str, int]:
    """A PATCH's body: any of the quotas, each -1 (no limit) to 2**31-1. Raises InvalidObject."""
    check_keys("quota", body, quota.NAMES, _NONE)
    return {name: whole(name, value, -1, INT32_MAX) for name, value in body.items()}


class PoolOut(msgspec.Struct):
    """A pool as v2 shows it: without the servers behind it."""

    id: str
    project_id: str | None
    name: str
    description: str | None
    attributes: Mapping[str, str]
    ns_records: list[dict[str, Any]]
    created_at: str | None
    updated_at: str | None
    links: dict[str, str]


def pool(value: Pool, base: str) -> PoolOut:
    """A pool's JSON."""
    return PoolOut(
        id=value.id,
        project_id=value.project_id,
        name=value.name,
        description=value.description,
        attributes=value.attributes,
        ns_records=[{"hostname": record.hostname, "priority": record.priority} for record in value.ns_records],
        created_at=timestamp(value.created_at),
        updated_at=timestamp(value.updated_at),
        links={"self": f"{base}/v2/pools/{value.id}"},
    )


class ServiceOut(msgspec.Struct):
    """A service's last word as v2 shows it. `stats` and `capabilities` are always empty."""

    id: str
    hostname: str
    service_name: str
    status: str
    stats: dict[str, str]
    capabilities: dict[str, str]
    heartbeated_at: str | None
    created_at: str | None
    updated_at: str | None
    links: dict[str, str]


def service(value: Service, base: str) -> ServiceOut:
    """A service status's JSON."""
    return ServiceOut(
        id=value.id,
        hostname=value.hostname,
        service_name=value.service_name,
        status=value.status.value,
        stats={},
        capabilities={},
        heartbeated_at=timestamp(value.heartbeated_at),
        created_at=timestamp(value.created_at),
        updated_at=timestamp(value.updated_at),
        links={"self": f"{base}/v2/service_statuses/{value.id}"},
    )


def limits(found: Mapping[str, int], page: int) -> dict[str, int]:
    """What the caller runs into: central's limits and the largest page of a list."""
    return {**found, "max_page_limit": page}
