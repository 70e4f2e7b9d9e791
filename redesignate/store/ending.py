# SPDX-License-Identifier: Apache-2.0
"""Writes rows at the end of a transaction, in one statement a table however many changes it holds.

No code reads journal rows, the texts that filters search, and the outbox in the transaction that changes them,
so they wait here, and only the last state of a row is written. All other rows are written at once, save new RRsets and
the zones' new revisions where several changes of RRsets share the transaction (`defer`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam

from redesignate.commands.hint import Hint, Kind
from redesignate.model.caller import Caller
from redesignate.model.clock import shard_of
from redesignate.model.rrset import Held
from redesignate.model.zone import Zone
from redesignate.store.fast import run
from redesignate.store.journal import Entry
from redesignate.store.outbox import Outbox
from redesignate.store.rrsets import RRsets
from redesignate.store.schema import DATA_PREFIX, journal, rrset_data
from redesignate.store.zones import Zones

MOST = 2000
"""Most texts that wait: further ones are written at once, so that memory does not grow with an import."""
MOST_OCTETS = 16 * 2**20
"""Most octets of journal rows that wait."""
_BULK = 1000
_ADD = rrset_data.insert()
_ADD_ENTRY = journal.insert()
_REMOVE = rrset_data.delete().where(rrset_data.c.rrset_id.in_(bindparam("ids", expanding=True)))


class Ending:
    """The end of one transaction.

    queued  zones whose servers need their newest revision, by id
    """

    def __init__(self, connection: Connection, outbox: Outbox, zones: Zones, rrsets: RRsets) -> None:
        self._conn = connection
        self._outbox = outbox
        self._zones, self._rrsets = zones, rrsets
        self._gone: set[str] = set()
        self._texts: dict[str, Held] = {}
        self._entries: list[tuple[Entry, Caller | None]] = []
        self._octets = 0
        self.queued: dict[str, Zone] = {}

    def defer(self) -> None:
        """From here on new RRsets and new revisions of zones wait for `write` too. For use-cases of single RRsets:
        others read them by methods that do not know of it."""
        self._zones.deferred, self._rrsets.deferred = {}, []

    def texts(self, *, gone: Collection[str], come: Sequence[Held]) -> None:
        """RRsets whose texts are deleted (also replaced ones), and RRsets that have texts now."""
        for ident in gone:
            if self._texts.pop(ident, None) is None:
                self._gone.add(ident)
        for held in come:
            self._texts[held.id] = held
        if len(self._texts) + len(self._gone) > MOST:
            self._write_rows()

    def journal(self, entry: Entry, author: Caller | None) -> None:
        """One revision of a zone, and its author."""
        self._entries.append((entry, author))
        self._octets += len(entry.removed) + len(entry.added)
        if self._octets > MOST_OCTETS:
            self._write_rows()

    def write(self, now: int) -> list[Hint]:
        """Write everything; returns the hints for workers. At most six statements, two more after `defer`.

        Raises Stale; after `defer` IntegrityError, where a name and type is taken.
        """
        if self._zones.deferred is not None:
            self._rrsets.write_deferred()
            self._zones.write_deferred()
        self._write_rows()
        queued, self.queued = self.queued, {}
        hinted = self._outbox.enqueue(queued.values(), now) if queued else ()
        return [Hint(Kind.OUTBOUND, zone_id) for zone_id in hinted]

    def _write_rows(self) -> None:
        if self._gone:
            ids = list(self._gone)
            for at in range(0, len(ids), _BULK):
                run(self._conn, _REMOVE, {"ids": ids[at : at + _BULK]})
            self._gone = set()
        if self._texts:
            rows = [
                {"rrset_id": held.id, "position": at, "zone_id": held.zone_id, "data": text[:DATA_PREFIX]}
                for held in self._texts.values()
                for at, text in enumerate(held.records)
            ]
            if rows:
                run(self._conn, _ADD, rows)
            self._texts = {}
        if self._entries:
            run(self._conn, _ADD_ENTRY, [_entry_row(entry, author) for entry, author in self._entries])
            self._entries, self._octets = [], 0


def _entry_row(entry: Entry, author: Caller | None) -> dict[str, object]:
    """A revision's row in the journal."""
    return {
        "zone_id": entry.zone_id,
        "revision": entry.revision,
        "shard": shard_of(entry.zone_id),
        "serial_from": entry.serial_from,
        "serial_to": entry.serial_to,
        "full": entry.full,
        "removed": entry.removed,
        "added": entry.added,
        "soa_from": entry.soa_from,
        "soa_to": entry.soa_to,
        "at": entry.at,
        "user_id": author.user_id[:64] if author and author.user_id else None,
        "project_id": author.project_id[:36] if author and author.project_id else None,
        "request_id": author.request_id[:64] if author else None,
    }
