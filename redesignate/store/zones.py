# SPDX-License-Identifier: Apache-2.0
"""Maps zones to rows and back, locks and compares them, and answers the rules' queries about neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from sqlalchemy import Integer, Row, Update, and_, bindparam, func, literal_column, select

from redesignate.model.clock import shard_of
from redesignate.model.names import reverse_key
from redesignate.model.paging import ListQuery, Page
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.store import zone_list
from redesignate.store.deferred import Deferred
from redesignate.store.fast import Module, run
from redesignate.store.schema import outbox, zones
from redesignate.store.zone_list import limits_below

AT_ONCE = 1000
LIVE = ""
"""`deleted` of a live zone; a deleted one holds its own id there, so that its name is free again."""


# The statements on the path of every change are built once: building and hashing them costs more than running them.
_LIVING = select(zones).where(zones.c.id == bindparam("z"), zones.c.deleted == LIVE)
_LOCK = _LIVING.with_for_update()
_MANY = select(zones).where(zones.c.id.in_(bindparam("ids", expanding=True)))
_HOLD = (
    select(zones.c.id).where(zones.c.id.in_(bindparam("ids", expanding=True))).order_by(zones.c.id).with_for_update()
)
NOT_THE_POOLS = 2**31 - 1
"""The apex version of every catalog zone, and of no other: its NS set does not follow the pool's."""
HAS_A_NAME = and_(zones.c.name.in_(bindparam("names", expanding=True)), zones.c.deleted == LIVE)
"""Live zones of the names of the bind `names`."""
_NAMED = select(zones).where(HAS_A_NAME)
_DEPARTED = (
    select(zones)
    .where(zones.c.name == bindparam("n"), zones.c.pool_id == bindparam("p"), zones.c.deleted != LIVE)
    .order_by(zones.c.deleted_at.desc())
    .limit(100)
)
_ADD = zones.insert()
_ONE_REVISION = and_(zones.c.id == bindparam("z"), zones.c.revision == bindparam("r"))
_MOVING = ("serial", "revision", "action", "status", "version", "updated_at")
_ADVANCE = (
    zones.update()
    .where(_ONE_REVISION, zones.c.deleted == LIVE)
    .values(
        {name: bindparam(f"v_{name}") for name in _MOVING}
        | {
            "rrset_count": zones.c.rrset_count + bindparam("more_rrsets", type_=Integer),
            "record_count": zones.c.record_count + bindparam("more_records", type_=Integer),
        }
    )
)
# Functions around columns that are equal for most zones: SQLite without statistics prefers their index to the range of
# reversed names, and reads every zone.
_IS_LIVE = func.coalesce(zones.c.deleted, LIVE) == LIVE
_UNDER = and_(zones.c.reverse_key > bindparam("low"), zones.c.reverse_key < bindparam("high"), _IS_LIVE)
# A range of one: where most zones have no parent, SQLite's statistics say that an index of parents finds nothing.
_CHILD_OF = zones.c.parent_id.between(bindparam("z"), bindparam("z"))
_A_CHILD = select(zones.c.id).where(_CHILD_OF, _IS_LIVE).limit(literal_column("1"))
# Likewise: where most zones have one version of the apex, they say that every zone would be found. The others would
# lock the zone that follows in the index too.
_IS_A_CATALOGS = {"sqlite": zones.c.apex_version.between(NOT_THE_POOLS, NOT_THE_POOLS)}
_DISOWN = zones.update().where(_CHILD_OF).values(parent_id=bindparam("v_parent_id"))
_FOREIGN = select(zones.c.id).where(_UNDER, func.coalesce(zones.c.project_id, " ") != bindparam("p")).limit(1)
_NAMES_BELOW = (
    select(zones.c.name).where(_UNDER, func.coalesce(zones.c.pool_id, "") == bindparam("pool")).limit(bindparam("most"))
)
_CHILDREN = select(zones.c.id).where(
    _UNDER,
    func.coalesce(zones.c.pool_id, "") == bindparam("pool"),
    func.coalesce(zones.c.parent_id, "") == bindparam("old"),
)
_SETTLE = (
    zones.update()
    .where(_ONE_REVISION)
    .values(confirmed=bindparam("v_confirmed"), status=bindparam("v_status"), action=bindparam("v_action"))
)
_DEPART = _SETTLE.values(deleted=bindparam("z"), deleted_at=bindparam("v_deleted_at"), version=bindparam("v_version"))


_MEMBERS = tuple([one.name for one in msgspec.structs.fields(Zone) if one.name in zones.c])
"""The members of a zone that are stored, each in the column of its name."""
_resting = attrgetter(*[name for name in _MEMBERS if name not in _MOVING])
"""Members of a zone that a change of its RRsets leaves unchanged."""


class Stale(Exception):
    """The zone's row changed between reading and writing it; the unit of work runs the use-case again."""


@dataclass
class Zones(Module):
    """The zones of one transaction.

    deferred  zones that `lock` has locked, with what `advance` leaves to `write_deferred`; None: it writes at once. No
              other method knows of what waits
    """

    deferred: dict[str, Deferred] | None = None

    def get(self, zone_id: str) -> Zone | None:
        """A live zone. One query."""
        row = run(self._conn, _LIVING, {"z": zone_id}).first()
        return zone_of(row) if row else None

    def counted(self, zone_id: str) -> tuple[Zone, Counts] | None:
        """A live zone with its counts. One query."""
        row = run(self._conn, _LIVING, {"z": zone_id}).first()
        return (zone_of(row), Counts(row.rrset_count, row.record_count)) if row else None

    def lock(self, zone_id: str) -> tuple[Zone, Counts] | None:
        """A live zone, its row locked until the transaction ends, so that writers of one zone queue. One query; none
        where the writes of this transaction are deferred and it has locked the zone."""
        if self.deferred is not None and (known := self.deferred.get(zone_id)) is not None:
            return known.zone, Counts(known.rrsets, known.records)
        for row in run(self._conn, _LOCK, {"z": zone_id}):
            zone, counts = zone_of(row), Counts(row.rrset_count, row.record_count)
            if self.deferred is not None:
                self.deferred[zone_id] = Deferred(zone, counts.rrsets, counts.records)
            return zone, counts
        return None

    def hold(self, zone_ids: Iterable[str]) -> None:
        """Lock zones, deleted ones too, in the order of their ids. One query; none on SQLite, which has one writer."""
        if self._conn.dialect.name != "sqlite":
            run(self._conn, _HOLD, {"ids": list(zone_ids)})

    def many(self, zone_ids: Iterable[str]) -> dict[str, Zone]:
        """Zones by id, deleted ones too. One query."""
        return {row.id: zone_of(row) for row in run(self._conn, _MANY, {"ids": list(zone_ids)})}

    def add(self, zone: Zone, *, apex_version: int, rrsets: int, records: int = 0) -> None:
        """Insert a zone with these counts. One statement. Raises IntegrityError if the pool has one of this name."""
        row = _row(zone) | {
            "shard": shard_of(zone.id),
            "reverse_key": reverse_key(zone.name),
            "apex_version": apex_version,
            "hard_delete": False,
            "rrset_count": rrsets,
            "record_count": records,
            "deleted": LIVE,
        }
        run(self._conn, _ADD, row)

    def add_departed(self, zone: Zone) -> None:
        """Insert a deleted zone, by which the servers of a pool are asked to drop what a zone left there. One
        statement."""
        row = _row(zone) | {
            "shard": shard_of(zone.id),
            "reverse_key": reverse_key(zone.name),
            "apex_version": 0,
            "hard_delete": False,
            "rrset_count": 0,
            "record_count": 0,
            "deleted": zone.id,
        }
        run(self._conn, _ADD, row)

    def advance(self, before: Zone, after: Zone, *, rrsets: int = 0, records: int = 0, **more: Any) -> None:
        """Write `after` over `before` if the row is still `before`; raises Stale if not. One statement.

        The comparison matters even under the row lock: a Galera node certifies the write, not the lock.
        """
        given = {"z": before.id, "r": before.revision, "more_rrsets": rrsets, "more_records": records}
        if not more and _resting(before) == _resting(after):
            given |= {
                "v_serial": after.serial,
                "v_revision": after.revision,
                "v_action": after.action.value,
                "v_status": after.status.value,
                "v_version": after.version,
                "v_updated_at": after.updated_at,
            }
            if self.deferred is not None and (known := self.deferred.get(before.id)) is not None:
                known.advance(after, given)
            elif run(self._conn, _ADVANCE, given).rowcount != 1:
                raise Stale
            return
        self.write_deferred()
        old = _row(before)
        changed = {name: value for name, value in _row(after).items() if old[name] != value} | more
        if rrsets:
            changed["rrset_count"] = zones.c.rrset_count + rrsets
        if records:
            changed["record_count"] = zones.c.record_count + records
        guard = and_(zones.c.id == before.id, zones.c.revision == before.revision, zones.c.deleted == LIVE)
        if self._conn.execute(zones.update().where(guard).values(changed)).rowcount != 1:
            raise Stale

    def write_deferred(self) -> None:
        """Write what `advance` has left; `lock` asks the database again from here on. A statement for each zone, in the
        order of their ids, in one message where the driver can. Raises Stale."""
        if self.deferred:
            rows = [known.row for _, known in sorted(self.deferred.items()) if known.row]
            self.deferred.clear()
            if rows and run(self._conn, _ADVANCE, rows).rowcount != len(rows):
                raise Stale

    def settle(self, before: Zone, after: Zone) -> None:
        """Write what a report changes: confirmed, status and action, and of a zone that is gone `deleted_at` and
        `version`. One statement. Raises Stale if the revision has changed."""
        self.settle_all([(before, after)])

    def settle_all(self, changes: Iterable[tuple[Zone, Zone]]) -> None:
        """As `settle`, of several zones, each as it was and is. A statement each, in one message where the driver can,
        since all of them are locked meanwhile. Raises Stale if the revision of one has changed."""
        rows: dict[Update, list[dict[str, Any]]] = {_SETTLE: [], _DEPART: []}
        for before, after in changes:
            given = {"z": before.id, "r": before.revision, "v_confirmed": after.confirmed}
            given |= {"v_status": after.status.value, "v_action": after.action.value}
            if after.deleted_at is None:
                rows[_SETTLE].append(given)
            else:
                rows[_DEPART].append(given | {"v_deleted_at": after.deleted_at, "v_version": after.version})
        for statement, some in rows.items():
            if some and run(self._conn, statement, some).rowcount != len(some):
                raise Stale

    def named(self, names: Sequence[str]) -> list[Zone]:
        """Live zones of these names, of every pool. One query on the name's index."""
        return [zone_of(row) for row in run(self._conn, _NAMED, {"names": list(names)})]

    def foreign_below(self, name: str, project_id: str | None) -> bool:
        """Whether another project owns a zone below `name`, in any pool. One query on the reversed name."""
        return run(self._conn, _FOREIGN, limits_below(name) | {"p": project_id or ""}).first() is not None

    def names_below(self, name: str, pool_id: str, most: int) -> list[str]:
        """The names of live zones of the pool strictly below `name`. One query on the reversed names."""
        given = limits_below(name) | {"pool": pool_id, "most": most}
        return list(run(self._conn, _NAMES_BELOW, given).scalars())

    def departed(self, name: str, pool_id: str) -> list[Zone]:
        """The last hundred zones of this name that the pool has deleted and not yet purged. One query."""
        return [zone_of(row) for row in run(self._conn, _DEPARTED, {"n": name, "p": pool_id})]

    def has_children(self, zone_id: str) -> bool:
        """Whether a live zone has this one as its parent. One query."""
        return run(self._conn, _A_CHILD, {"z": zone_id}).first() is not None

    def adopt(self, parent: Zone) -> int:
        """Make `parent` the parent of the zones below it in its pool that had its own parent. One query, and one
        statement where there are any: an UPDATE that looks for them would wait for locked rows of other zones."""
        given = limits_below(parent.name) | {"pool": parent.pool_id, "old": parent.parent_id or ""}
        found = list(run(self._conn, _CHILDREN, given).scalars())
        for start in range(0, len(found), AT_ONCE):
            some = zones.c.id.in_(found[start : start + AT_ONCE])
            self._conn.execute(zones.update().where(some).values(parent_id=parent.id))
        return len(found)

    def disown(self, zone: Zone) -> None:
        """Give the zone's children, if any are left, to its parent. One statement."""
        run(self._conn, _DISOWN, {"z": zone.id, "v_parent_id": zone.parent_id})

    def catalog_of(self, pool_ids: Iterable[str], *, lock: bool = False) -> dict[str, Zone]:
        """The catalog zone of each pool that has one, by pool. One query; no other zone is read or locked."""
        query = select(zones).where(
            zones.c.pool_id.in_(list(pool_ids)),
            zones.c.deleted == LIVE,
            _IS_A_CATALOGS.get(self._conn.dialect.name, zones.c.apex_version == NOT_THE_POOLS),
            zones.c.type == ZoneType.CATALOG.value,
        )
        if lock:
            query = query.with_for_update()
        return {row.pool_id: zone_of(row) for row in self._conn.execute(query)}

    def in_pool(self, pool_id: str) -> bool:
        """Whether the pool holds a live zone that is not its catalog. One query."""
        query = select(zones.c.id).where(
            zones.c.pool_id == pool_id, zones.c.deleted == LIVE, zones.c.type != ZoneType.CATALOG.value
        )
        return self._conn.execute(query.limit(1)).first() is not None

    def members(self, pool_id: str, after: str, last: str | None) -> list[tuple[str, str]]:
        """Id and name of the zones that the pool's catalog lists, with ids beyond `after`, up to `last` (None: all).

        One query, which reads that range.
        """
        query = select(zones.c.id, zones.c.name).where(
            zones.c.pool_id == pool_id,
            zones.c.deleted == LIVE,
            zones.c.type != ZoneType.CATALOG.value,
            zones.c.action != Action.DELETE.value,
            zones.c.id > after,
        )
        if last is not None:
            query = query.where(zones.c.id <= last)
        return [(row.id, row.name) for row in self._conn.execute(query)]

    def with_old_apex(self, pool_id: str, apex_version: int, limit: int) -> list[str]:
        """Zones of the pool whose apex NS set is of an older version of the pool. One query."""
        query = select(zones.c.id).where(
            zones.c.pool_id == pool_id, zones.c.deleted == LIVE, zones.c.apex_version < apex_version
        )
        return list(self._conn.execute(query.limit(limit)).scalars())

    def count_old_apexes(self, pool_id: str, apex_version: int, most: int) -> int:
        """The number of zones of `with_old_apex`, counted as far as `most`. One query."""
        old = select(zones.c.id).where(
            zones.c.pool_id == pool_id, zones.c.deleted == LIVE, zones.c.apex_version < apex_version
        )
        return int(self._conn.execute(select(func.count()).select_from(old.limit(most).subquery())).scalar_one())

    def listed(self, query: ListQuery, *, project_id: str | None, catalogs: bool) -> Page[Zone]:
        """A page of the live zones of one project and of those shared with it, or of all. Raises MarkerNotFound. Cost:
        `zone_list`."""
        return zone_list.listed(self._conn, query, _LISTED, project_id=project_id, catalogs=catalogs)

    def purgeable(self, before: int, first_shard: int, last_shard: int, limit: int) -> list[str]:
        """Zones deleted before a time (µs) whose deletion is pending on no peer. One query."""
        query = (
            select(zones.c.id)
            .outerjoin(outbox, outbox.c.zone_id == zones.c.id)
            .where(
                zones.c.deleted_at <= before,
                zones.c.shard.between(first_shard, last_shard),
                outbox.c.zone_id.is_(None),
            )
            .limit(limit)
        )
        return list(self._conn.execute(query).scalars())

    def forget(self, zone_ids: Sequence[str]) -> None:
        """Remove the rows of deleted zones permanently."""
        self._conn.execute(zones.delete().where(zones.c.id.in_(zone_ids), zones.c.deleted != LIVE))


class Counts(msgspec.Struct, frozen=True):
    """The counts of a zone: RRsets with SOA and NS, and records of RRsets that are not managed."""

    rrsets: int
    records: int


_value = attrgetter("value")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_decode_pairs = msgspec.json.Decoder(dict[str, str]).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_ENCODE: Mapping[str, Callable[[Any], Any]] = {
    "type": _value,
    "action": _value,
    "status": _value,
    "attributes": _json,
    "primaries": _json,
}
"""The members that are not stored as they are: how each becomes a column's value."""
_TYPES = {one.value: one for one in ZoneType}
_ACTIONS = {one.value: one for one in Action}
_STATUSES = {one.value: one for one in Status}
_members = attrgetter(*_MEMBERS)


def _row(zone: Zone) -> dict[str, Any]:
    """The columns of a zone's members."""
    row = dict(zip(_MEMBERS, _members(zone), strict=True))
    for name, encode in _ENCODE.items():
        row[name] = encode(row[name])
    return row


def zone_of(row: Row[Any], members: Callable[[Any], tuple[Any, ...]] = _members) -> Zone:
    """The zone of a row that has the columns of its members."""
    found = dict(zip(_MEMBERS, members(row), strict=True))
    found["type"] = _TYPES[found["type"]]
    found["action"] = _ACTIONS[found["action"]]
    found["status"] = _STATUSES[found["status"]]
    found["attributes"] = _decode_pairs(found["attributes"])
    found["primaries"] = _decode_texts(found["primaries"])
    return Zone(**found)


_LISTED = partial(zone_of, members=itemgetter(*[list(zones.c.keys()).index(name) for name in _MEMBERS]))
"""The zone of a row of the whole table. SQLAlchemy's rows take four times as long to find their columns by name."""
