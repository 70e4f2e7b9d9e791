# SPDX-License-Identifier: Apache-2.0
"""The statements of `serving`: for DNS, each one query on an index. Nothing is run here."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Executable,
    ScalarSelect,
    Select,
    String,
    TableValuedAlias,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.types import TypeEngine

from redesignate.model.rrset import NSEC3
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Action, ZoneType
from redesignate.store.schema import inbound, journal, kept_rrsets, rrsets, zones
from redesignate.store.served_zone import ServedZone
from redesignate.store.settings_schema import pools
from redesignate.store.zones import LIVE

# Constants that stand in the text: a bind that is the same each time costs as much as one that is not.
_APART = text("OFFSET 0")  # PostgreSQL then runs it for each value, and does not join it as it pleases
_FIRST = text("LIMIT 1")  # SQLAlchemy's own has an OFFSET on SQLite, which is a bind
_STANDS = and_(
    zones.c.deleted == literal_column(f"'{LIVE}'"), zones.c.action != literal_column(f"'{Action.DELETE.value}'")
)
_LOADED = func.coalesce(inbound.c.loaded, false())
_OF_TYPE = {
    "loaded": case(
        (zones.c.type == literal_column(f"'{ZoneType.PRIMARY.value}'"), true()),
        (zones.c.type == literal_column(f"'{ZoneType.SECONDARY.value}'"), _LOADED),
        else_=zones.c.transferred_at.is_not(None),
    ),
    "kept": and_(
        zones.c.type == literal_column(f"'{ZoneType.SECONDARY.value}'"), _LOADED, inbound.c.kept_rrsets.is_not(None)
    ),
}
_ZONE = (
    select(
        *[_OF_TYPE[name].label(name) if name in _OF_TYPE else zones.c[name] for name in ServedZone.__struct_fields__]
    )
    .select_from(zones.outerjoin(inbound, inbound.c.zone_id == zones.c.id))
    .where(_STANDS)
)
BY_ID = _ZONE.where(zones.c.id == bindparam("z"))
_REACH = {Scope.POOL: zones.c.pool_id, Scope.ZONE: zones.c.id}
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
_BY_NAME = {kept: whole.order_by(_TABLE[kept].c.name, _TABLE[kept].c.type) for kept, whole in _WHOLE.items()}
# In the order of ix_rrsets_revision, nearly that of the table itself. On SQLite that is three times as fast as by name,
# and as settled; MariaDB would sort all of them before it gives the first.
_BY_REVISION = (
    _WHOLE[False]
    .with_hint(rrsets, "FORCE INDEX (ix_rrsets_revision)", "mysql")
    .with_hint(rrsets, "FORCE INDEX (ix_rrsets_revision)", "mariadb")
    .order_by(rrsets.c.revision, rrsets.c.id)
)
WHOLE_ZONE = {
    "postgresql": _BY_NAME,
    "mysql": _BY_NAME | {False: _BY_REVISION},
    "mariadb": _BY_NAME | {False: _BY_REVISION},
    "sqlite": _BY_NAME | {False: _WHOLE[False].order_by(rrsets.c.revision, literal_column("rowid"))},
}
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
BINDS = tuple(f"b{at}" for at in range(64))
"""The binds of the values of which a statement has as many as are asked for."""
AT_ONCE = len(BINDS)
"""Names or keys that one statement asks for at most."""


def _some(count: int, kind: TypeEngine[Any] | None = None) -> list[BindParameter[Any]]:
    return [bindparam(name, type_=kind) for name in BINDS[:count]]


_NAMES = String(collation="C")
"""Names as a list's values. Not as long as the column's: to cut one to that length would make it another name."""


def _listed(kind: TypeEngine[Any]) -> TableValuedAlias:
    """The values of a list as a table, `at` their places in it: one text for any number of them, on PostgreSQL."""
    given = func.unnest(bindparam("listed", type_=ARRAY(kind)))
    return given.table_valued("value", with_ordinality="at").render_derived(name="listed")


def _probed(each: Select[Any], listed: TableValuedAlias) -> Select[Any]:
    """What `each`, which names a value of the list, finds for every value, each looked for by itself."""
    found = each.suffix_with(_APART).lateral("found")
    return select(*found.c).select_from(listed.join(found, true()))


@cache
def zones_at(scope: Scope, count: int, database: str) -> Executable:
    """The zones within reach that have one of so many names.

    Where the statistics say that zones are few, PostgreSQL and MariaDB would read all of them for a list of names: they
    are told to probe, and the index."""
    within = _ZONE.where(_REACH[scope] == bindparam("reach"))
    if database == "postgresql":
        listed = _listed(_NAMES)
        return _probed(within.where(zones.c.name == listed.c.value), listed)
    hint, some = "FORCE INDEX (uq_zones_name)", within.where(zones.c.name.in_(_some(count)))
    return some.with_hint(zones, hint, "mysql").with_hint(zones, hint, "mariadb")


@cache
def at_names(kept: bool, count: int, database: str) -> Executable:
    """The RRsets at so many names.

    PostgreSQL and MariaDB would read a whole zone for a list of names where their statistics say that it is small:
    a probe, or a SELECT, for each name."""
    table = _TABLE[kept]
    some = _by("name", kept, table.c.name, table.c.ttl, table.c.wire)
    if database == "sqlite":
        return some.where(table.c.name.in_(_some(count)))
    if database == "postgresql":
        listed = _listed(_NAMES)
        return _probed(some.where(table.c.name == listed.c.value), listed)
    return union_all(*[some.where(table.c.name == name) for name in _some(count)])


@cache
def next_to(kept: bool, count: int, database: str) -> Select[Any]:
    """The order keys before and after each of so many: of all in one row, on PostgreSQL of each in one, in order."""
    key = _TABLE[kept].c.order_key
    of_zone = _by("order_key", kept, key)

    def around(given: ColumnElement[Any]) -> list[ScalarSelect[Any]]:
        probes = of_zone.where(key < given).order_by(key.desc()), of_zone.where(key > given).order_by(key)
        return [probe.suffix_with(_FIRST).scalar_subquery() for probe in probes]

    if database == "postgresql":
        listed = _listed(key.type)
        before, after = around(listed.c.value)
        return select(before.label("p0"), after.label("p1")).select_from(listed).order_by(listed.c.at)
    found = [probe for given in _some(count, key.type) for probe in around(given)]
    return select(*[probe.label(f"p{at}") for at, probe in enumerate(found)])
