# SPDX-License-Identifier: Apache-2.0
"""All records of one name and type (RFC 2181 §5): an RRset, a new one, and a change of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from redesignate.model.clock import new_id
from redesignate.model.names import order_key
from redesignate.model.zone import Action, SOAFields, Status, Zone, soa_text

SINGLETONS = frozenset({"CNAME", "DNAME"})
"""Types of which a name has at most one record (RFC 2181 §10.1, RFC 6672 §2.4): no nameserver loads a zone with two."""


RRSIG, NSEC3 = "TYPE46", "TYPE50"
APART = frozenset({RRSIG, NSEC3})
"""Types that do not put their owner's name among the names of the zone."""
HASHED, SIGNATURES = b"\0", b"\0\0"
"""The order key of an NSEC3 RRset begins with the one, and that of a name never; that of RRSIGs is the other. Only the
apex's key, which is empty, sorts before them."""


def place(name: str, rrtype: str, zone: str) -> bytes:
    """The order key of an RRset that holds records. At most 512 octets.

    The owners of NSEC3 records are hashes, which are not names of the zone (RFC 5155 §7.2.8): they stand before all
    names, in an order of their own. So do signatures: those of a name have what they sign beside them.
    """
    if rrtype == RRSIG:
        return SIGNATURES
    key = order_key(name, zone)
    return (HASHED + key)[:512] if rrtype == NSEC3 else key


class RRset(msgspec.Struct, frozen=True, kw_only=True):
    """An RRset as the API shows it, with the facts of its zone from which its status is computed.

    name zone_name   absolute, in A-label form, in the case that was typed: "WWW.example.org."; `Held` has the one that
              is compared
    type      mnemonic, "A" or "TYPE65280"
    ttl       seconds, 0 to 2**31-1 (RFC 2181 §8); None takes the zone's
    records   presentation texts in the order given, no duplicates; may be empty (nothing is served then)
    managed   made by us (SOA, apex NS, PTR of a floating IP): changed with a switch only
    revision  the zone's revision that last changed it; `born` the one that made it
    status action   computed: PENDING while the zone's confirmed revision is below `revision`
    """

    id: str
    zone_id: str
    zone_name: str
    project_id: str | None
    name: str
    type: str
    ttl: int | None
    records: tuple[str, ...]
    description: str | None
    managed: bool
    revision: int
    born: int
    version: int
    created_at: int
    updated_at: int | None
    status: Status
    action: Action


class Held(NamedTuple):
    """An RRset as stored, one member for each column, with the RRs that are sent.

    records  presentation texts in the order given; none for the SOA, whose data is the zone's row
    wire     the RRs in the form of `wire/rrset.py`; with TTLs of 0 where `ttl` is None, for the zone's is written in
    name     absolute, lower case, A-label form: "www.example.org."; `typed_name` as it was typed, where that differs
    order_key  where the name stands in canonical order (`place`); None where nothing is served
    order_key revision born version created_at updated_at   given by the edit that puts it (`central/edit.py`)
    """

    id: str
    zone_id: str
    project_id: str | None
    name: str
    type: str
    ttl: int | None
    records: tuple[str, ...]
    wire: bytes
    order_key: bytes | None
    description: str | None
    managed: bool
    revision: int
    born: int
    version: int
    created_at: int
    updated_at: int | None
    typed_name: str | None = None


def new_rrset(
    zone: Zone,
    name: str,
    rrtype: str,
    records: Sequence[str],
    wire: bytes,
    *,
    ttl: int | None = None,
    project_id: str | None,
    description: str | None = None,
    managed: bool = False,
    typed_name: str | None = None,
) -> Held:
    """An RRset that is not in its zone yet."""
    return Held(
        id=new_id(),
        zone_id=zone.id,
        project_id=project_id,
        name=name,
        type=rrtype,
        ttl=ttl,
        records=tuple(records),
        wire=wire,
        order_key=None,
        description=description,
        managed=managed,
        revision=0,
        born=0,
        version=0,
        created_at=0,
        updated_at=None,
        typed_name=typed_name,
    )


class ZoneFacts(SOAFields, Protocol):
    """The facts of a zone with which its RRsets are shown: a `Zone` has them, or a row with these columns."""

    @property
    def shown_name(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def confirmed(self) -> int: ...
    @property
    def status(self) -> Status: ...


def seen(row: Held, zone: ZoneFacts) -> RRset:
    """The RRset as the API shows it: the stored row with its zone's name, status and action, and the SOA's text.

    PENDING (ERROR where the zone failed) while the zone's confirmed revision is below the one that changed it last. An
    RRset without records is not served, and so is never behind.
    """
    is_soa = row.type == "SOA"
    status, action = Status.ACTIVE, Action.NONE
    if (is_soa or row.records) and (zone.revision if is_soa else row.revision) > zone.confirmed:
        status = Status.ERROR if zone.status is Status.ERROR else Status.PENDING
        action = Action.CREATE if row.born > zone.confirmed else Action.UPDATE
    return RRset(
        id=row.id,
        zone_id=row.zone_id,
        zone_name=zone.shown_name,
        project_id=row.project_id,
        name=row.typed_name or row.name,
        type=row.type,
        ttl=row.ttl,
        records=(soa_text(zone),) if is_soa else row.records,
        description=row.description,
        managed=row.managed,
        revision=zone.revision if is_soa else row.revision,
        born=row.born,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        status=status,
        action=action,
    )


class NewRRset(msgspec.Struct, frozen=True, kw_only=True):
    """An RRset as requested: `records` are presentation texts, not yet parsed."""

    name: str
    type: str
    ttl: int | None = None
    records: tuple[str, ...] = ()
    description: str | None = None


class RRsetChange(msgspec.Struct, frozen=True, kw_only=True):
    """The members that a PUT changes; those that are UNSET stay. `records` replaces the list."""

    ttl: int | UnsetType | None = UNSET
    records: tuple[str, ...] | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    same_name: str | UnsetType = UNSET
    """Read-only members that a client sent back; central refuses where they differ from the row."""
    same_type: str | UnsetType = UNSET
