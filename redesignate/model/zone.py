# SPDX-License-Identifier: Apache-2.0
"""A zone, a new zone, and a change of one. Times are UTC, in microseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from redesignate.model.clock import new_id


class ZoneType(Enum):
    """The source of the zone's content: the API (PRIMARY), its primaries (SECONDARY), the list of zones (RFC 9432)."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"
    CATALOG = "CATALOG"


class Status(Enum):
    """The progress of the newest revision. ERROR: tried `poll_max_retries` times and still below the threshold."""

    ACTIVE = "ACTIVE"
    PENDING = "PENDING"
    ERROR = "ERROR"
    DELETED = "DELETED"


class Action(Enum):
    """The operation that is under way."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    NONE = "NONE"


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone as stored.

    name       absolute, lower case, A-label form: "example.org."; `typed_name` as it was typed, where that differs
    serial     as seen in DNS, 1 to 2**32-1; rises with every change, in the change's transaction
    revision   internal order of changes, from 1; `confirmed` is the highest that enough of the pool's servers serve
    mname      the SOA's primary server: the pool's NS record of best priority when last changed
    refresh retry expire minimum ttl   seconds
    shares     with how many projects it is shared; None: it never was
    handed     RRsets born up to this revision are the owner's, though their rows may name another; None: rows are right
    transferred_at  when a SECONDARY zone was last fetched, or when a CATALOG zone was complete
    deleted_at set once the pool has dropped the zone; the row is kept until purged
    """

    id: str
    name: str
    type: ZoneType
    pool_id: str
    project_id: str | None
    email: str
    ttl: int
    serial: int
    revision: int
    confirmed: int
    mname: str
    refresh: int
    retry: int
    expire: int
    minimum: int
    action: Action
    status: Status
    version: int
    created_at: int
    description: str | None = None
    parent_id: str | None = None
    attributes: Mapping[str, str] = msgspec.field(default_factory=dict)
    primaries: tuple[str, ...] = ()
    shares: int | None = None
    handed: int | None = None
    updated_at: int | None = None
    transferred_at: int | None = None
    deleted_at: int | None = None
    typed_name: str | None = None

    @property
    def shown_name(self) -> str:
        """The name as users see it: in the case that was typed."""
        return self.typed_name or self.name

    @property
    def shared(self) -> bool:
        """Whether any other project may use it."""
        return bool(self.shares)

    @property
    def waiting(self) -> bool:
        """Whether it is a SECONDARY zone that was never fetched, or a catalog that does not list all of its zones yet:
        no server can have it."""
        return self.type is not ZoneType.PRIMARY and self.transferred_at is None and self.action is not Action.DELETE


def new_zone(
    name: str,
    kind: ZoneType,
    *,
    pool_id: str,
    project_id: str | None,
    email: str,
    ttl: int,
    serial: int,
    mname: str,
    refresh: int,
    retry: int,
    expire: int,
    minimum: int,
    now: int,
    description: str | None = None,
    parent_id: str | None = None,
    attributes: Mapping[str, str] | None = None,
    primaries: tuple[str, ...] = (),
) -> Zone:
    """Make a zone that no server has yet, at its first revision. `now` in µs."""
    return Zone(
        id=new_id(),
        name=name,
        type=kind,
        pool_id=pool_id,
        project_id=project_id,
        email=email,
        ttl=ttl,
        serial=serial,
        revision=1,
        confirmed=0,
        mname=mname,
        refresh=refresh,
        retry=retry,
        expire=expire,
        minimum=minimum,
        action=Action.CREATE,
        status=Status.PENDING,
        version=1,
        created_at=now,
        description=description,
        parent_id=parent_id,
        attributes=attributes or {},
        primaries=primaries,
    )


def rname(email: str) -> str:
    """A mail address as the SOA's RNAME (RFC 1035 §8): "first.last@example.org" is "first\\.last.example.org."."""
    local, _, domain = email.rpartition("@")
    return local.replace(".", "\\.") + "." + domain.rstrip(".") + "."


class SOAFields(Protocol):
    """The fields of an SOA's text: a `Zone` has them, or a row with these columns. Times in seconds."""

    @property
    def mname(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def serial(self) -> int: ...
    @property
    def refresh(self) -> int: ...
    @property
    def retry(self) -> int: ...
    @property
    def expire(self) -> int: ...
    @property
    def minimum(self) -> int: ...


def soa_text(zone: SOAFields) -> str:
    """Return a zone's SOA rdata (RFC 1035 §3.3.13), computed from its row, so that no change has to write it."""
    times = f"{zone.refresh} {zone.retry} {zone.expire} {zone.minimum}"
    return f"{zone.mname} {rname(zone.email)} {zone.serial} {times}"


class NewZone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone as requested; central fills in the rest. `ttl` None takes the operator's default."""

    name: str
    type: ZoneType = ZoneType.PRIMARY
    email: str | None = None
    ttl: int | None = None
    description: str | None = None
    attributes: dict[str, str] = {}
    primaries: tuple[str, ...] = ()


class ZoneChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PATCH changes; those that are UNSET stay."""

    email: str | UnsetType = UNSET
    ttl: int | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    attributes: dict[str, str] | UnsetType = UNSET
    primaries: tuple[str, ...] | UnsetType = UNSET
    same_name: str | UnsetType = UNSET
    """Read-only members that a client sent back; central refuses where they differ from the row."""
    same_type: ZoneType | UnsetType = UNSET
