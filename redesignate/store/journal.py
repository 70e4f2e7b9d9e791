# SPDX-License-Identifier: Apache-2.0
"""The journal: the RRs that each revision of a zone removed and added, with author, time and request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import bindparam, case, func, select

from redesignate.model.caller import Caller
from redesignate.store.fast import Module, run
from redesignate.store.schema import journal

# Built once, as in store.zones: under load most reports ask it, since a server is often ahead of what they are about.
_PUBLISHED = select(journal.c.zone_id, journal.c.serial_to).where(
    journal.c.zone_id.in_(bindparam("zones", expanding=True)),
    journal.c.serial_to.in_(bindparam("serials", expanding=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One revision. `removed` and `added` are RRs with their TTLs, without the SOAs, which are separate.

    full   the difference is not kept (the zone's first revision): older copies need the whole zone
    """

    zone_id: str
    revision: int
    serial_from: int
    serial_to: int
    full: bool
    removed: bytes
    added: bytes
    soa_from: bytes
    soa_to: bytes
    at: int


class Journal(Module):
    """The journal of one transaction, read and shortened. `ending` writes it."""

    def published(self, pairs: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
        """Those of these (zone, serial) pairs that some revision in the journal had. One query."""
        zone_ids, serials = zip(*pairs, strict=True)
        given = {"zones": list(set(zone_ids)), "serials": list(set(serials))}
        return {(row.zone_id, row.serial_to) for row in run(self._conn, _PUBLISHED, given)}

    def weight(self, zone_id: str, after: int) -> tuple[int, bool]:
        """How many octets the journal holds of a zone's revisions behind `after`, and whether a difference among them
        is not kept. One query."""
        octets = func.coalesce(func.sum(func.length(journal.c.removed) + func.length(journal.c.added)), 0)
        fulls = func.coalesce(func.max(case((journal.c.full, 1), else_=0)), 0)
        query = select(octets, fulls).where(journal.c.zone_id == zone_id, journal.c.revision > after)
        row = self._conn.execute(query).one()
        return int(row[0]), bool(row[1])

    def since(self, zone_id: str, after: int) -> list[tuple[bytes, bytes]]:
        """What a zone's revisions behind `after` removed and added, the oldest first. One query, as large as `weight`
        says."""
        query = select(journal.c.removed, journal.c.added).where(
            journal.c.zone_id == zone_id, journal.c.revision > after
        )
        rows = self._conn.execute(query.order_by(journal.c.revision))
        return [(bytes(row.removed), bytes(row.added)) for row in rows]

    def jumps(self, zone_id: str, author: Caller, since: int) -> int:
        """How many of a zone's revisions since a time (µs) bear the request id of `author`. One query."""
        query = select(func.count()).where(
            journal.c.zone_id == zone_id, journal.c.at >= since, journal.c.request_id == author.request_id
        )
        return int(self._conn.execute(query).scalar_one())

    def trim(self, before: int, first_shard: int, last_shard: int, limit: int) -> int:
        """Drop at most `limit` revisions older than a time (µs). Two statements a zone touched; how many revisions."""
        chosen = (
            select(journal.c.zone_id, journal.c.revision)
            .where(journal.c.at < before, journal.c.shard.between(first_shard, last_shard))
            .limit(limit)
        )
        rows = self._conn.execute(chosen).all()
        highest: dict[str, int] = {}
        for row in rows:
            highest[row.zone_id] = max(row.revision, highest.get(row.zone_id, 0))
        for zone_id, revision in highest.items():
            # all up to the newest that is too old, so that what is left has no gap
            self._conn.execute(journal.delete().where(journal.c.zone_id == zone_id, journal.c.revision <= revision))
        return len(rows)

    def forget(self, zone_ids: list[str]) -> None:
        """Drop the whole journal of zones that are purged."""
        self._conn.execute(journal.delete().where(journal.c.zone_id.in_(zone_ids)))
