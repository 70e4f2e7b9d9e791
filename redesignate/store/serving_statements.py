# SPDX-License-Identifier: Apache-2.0
"""The statements of `serving`: for DNS, each one query on an index. Nothing is run here."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Executable,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.types import TypeEngine

from redesignate.model.rrset import NSEC3
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Action, ZoneType
from redesignate.store.schema import inbound, journal, kept_rrsets, pools, rrsets, zones
from redesignate.store.served_zone import ServedZone
from redesignate.store.zones import LIVE

# Constants that stand in the text: a bind that is the same each time costs as much as one that is not.
_FIRST = text("LIMIT 1")  # SQLAlchemy's own has an OFFSET on SQLite, which is a bind
_STANDS = and_(
    zones.c.deleted == literal_column(f"'{LIVE}'"), zones.c.action != literal_column(f"'{Action.DELETE.value}'")
)
_OF_INBOUND = ("loaded", "kept")
_ZONE = select(
    *[zones.c[name] for name in ServedZone.__struct_fields__ if name not in _OF_INBOUND], zones.c.type
).where(_STANDS)
BY_ID = _ZONE.where(zones.c.id == bindparam("z"))
_REACH = {Scope.POOL: zones.c.pool_id, Scope.ZONE: zones.c.id}
LOADED = select(inbound.c.kept_rrsets.is_not(None)).where(inbound.c.zone_id == bindparam("z"), inbound.c.loaded)
COMPLETE = select(zones.c.transferred_at.is_(None)).where(
    zones.c.id == bindparam("z"), zones.c.transferred_at.is_not(None)
)
POOL_VERSIONS = select(pools.c.id, pools.c.version)
SECONDARIES = select(zones.c.id, zones.c.primaries).where(
    zones.c.name == bindparam("n"), zones.c.type == ZoneType.SECONDARY.value, zones.c.deleted == LIVE
)
_TABLE = {False: rrsets, True: kept_rrsets}
OCTETS = {
    kept: select(func.coalesce(func.sum(func.length(table.c.wire)), 0)).where(table.c.zone_id == bindparam("z"))
    for kept, table in _TABLE.items()
}
_WHOLE = {
    kept: select(table.c.ttl, table.c.wire).where(table.c.zone_id == bindparam("z")) for kept, table in _TABLE.items()
}
WHOLE_ZONE = {kept: whole.order_by(_TABLE[kept].c.name, _TABLE[kept].c.type) for kept, whole in _WHOLE.items()}
# In the order of ix_rrsets_revision and so nearly of the table itself: three times as fast as by name, and as settled.
WHOLE_ZONE_OF_SQLITE = WHOLE_ZONE | {False: _WHOLE[False].order_by(rrsets.c.revision, literal_column("rowid"))}
_LENGTH = func.length(journal.c.removed) + func.length(journal.c.added)
_OF_JOURNAL = journal.c.zone_id == bindparam("z")
MARKS = (
    select(journal.c.revision, journal.c.serial_from, journal.c.serial_to, journal.c.full, _LENGTH)
    .where(_OF_JOURNAL, journal.c.revision < bindparam("before"))
    .order_by(journal.c.revision.desc())
    .limit(bindparam("most"))
)
_CHANGE = (journal.c.removed, journal.c.added, journal.c.soa_from, journal.c.soa_to)
# What is left out breaks the chain of serials, so that its reader falls back on the marks.
LATEST = (
    select(journal.c.serial_from, journal.c.serial_to, *_CHANGE)
    .where(_OF_JOURNAL, journal.c.revision > bindparam("after"), journal.c.revision <= bindparam("last"))
    .where(journal.c.serial_from >= bindparam("since"), ~journal.c.full, bindparam("short") >= _LENGTH)
    .order_by(journal.c.revision)
)
CHANGES = (
    select(*_CHANGE)
    .where(_OF_JOURNAL, journal.c.revision.between(bindparam("first"), bindparam("last")))
    .order_by(journal.c.revision)
)
_INDEXES = {"name": ("uq_rrsets_name_type", "PRIMARY"), "order_key": ("ix_rrsets_order", "ix_kept_rrsets_order")}


def _by(column: str, kept: bool, *wanted: ColumnElement[Any]) -> Select[Any]:
    """A SELECT of a zone's RRsets. MariaDB, whose statistics may say that the zone is small, is told the index."""
    table, hint = _TABLE[kept], f"FORCE INDEX ({_INDEXES[column][kept]})"
    query = select(*wanted).where(table.c.zone_id == bindparam("z"))
    return query.with_hint(table, hint, "mysql").with_hint(table, hint, "mariadb")


UNPLACED = {
    kept: _by("order_key", kept, table.c.name, table.c.type, func.length(table.c.wire))
    .where(table.c.order_key.is_(None))
    .limit(bindparam("most"))
    for kept, table in _TABLE.items()
}


def _hashed_before(kept: bool) -> Select[Any]:
    table = _TABLE[kept]
    some = _by("name", kept, table.c.name, table.c.type).where(table.c.name < bindparam("n"))
    near = some.order_by(table.c.name.desc()).limit(bindparam("most")).subquery("near")
    return select(near.c.name).where(near.c.type == NSEC3).order_by(near.c.name.desc()).limit(8)


HASHED_BEFORE = {kept: _hashed_before(kept) for kept in _TABLE}
BINDS = tuple(f"b{at}" for at in range(128))
"""The binds of the values of which a statement has as many as are asked for: a name has 127 labels at most."""
AT_ONCE = 64
"""Names that one statement asks for: there is a statement for each number of them."""


def _some(count: int, kind: TypeEngine[Any] | None = None) -> list[BindParameter[Any]]:
    return [bindparam(name, type_=kind) for name in BINDS[:count]]


@cache
def nearest(scope: Scope, count: int) -> Select[Any]:
    """The zone within reach with the longest of so many names."""
    query = _ZONE.where(zones.c.name.in_(_some(count)), _REACH[scope] == bindparam("reach"))
    return query.order_by(func.length(zones.c.name).desc()).suffix_with(_FIRST)


@cache
def at_names(kept: bool, count: int, sqlite: bool) -> Executable:
    """The RRsets at so many names.

    PostgreSQL and MariaDB would read a whole zone for a list of names where their statistics say that it is small:
    a SELECT for each name."""
    table = _TABLE[kept]
    some = _by("name", kept, table.c.name, table.c.ttl, table.c.wire)
    if sqlite:
        return some.where(table.c.name.in_(_some(count)))
    return union_all(*[some.where(table.c.name == name) for name in _some(count)])


@cache
def next_to(kept: bool, count: int) -> Select[Any]:
    """The order keys before and after each of so many."""
    key = _TABLE[kept].c.order_key
    of_zone = _by("order_key", kept, key)
    probes = [
        probe.suffix_with(_FIRST).scalar_subquery()
        for given in _some(count, key.type)
        for probe in (of_zone.where(key < given).order_by(key.desc()), of_zone.where(key > given).order_by(key))
    ]
    return select(*[probe.label(f"p{at}") for at, probe in enumerate(probes)])
