# SPDX-License-Identifier: Apache-2.0
"""What a transaction writes at its end, in one statement a table however many changes it holds.

Journal rows, the texts that filters look in, and the outbox: nobody reads them in the transaction that changes them,
so they wait here, and the last word on a row is the one that is written. Everything else is written at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from redesignate.model.caller import Caller
from redesignate.model.rrset import Held
from redesignate.model.zone import Zone
from redesignate.store import rrsetdata
from redesignate.store.journal import Entry, Journal
from redesignate.store.outbox import Outbox

MOST = 2000
"""Texts that are kept waiting: beyond, they are written at once, so that memory does not grow with an import."""
MOST_OCTETS = 16 * 2**20
"""Octets of journal rows that are kept waiting."""


class Ending:
    """The end of one transaction.

    queued  zones whose servers are to be brought to their newest revision, by id
    """

    def __init__(self, connection: Connection, journal: Journal, outbox: Outbox) -> None:
        self._conn = connection
        self._journal = journal
        self._outbox = outbox
        self._gone: set[str] = set()
        self._texts: dict[str, Held] = {}
        self._entries: list[tuple[Entry, Caller | None]] = []
        self._octets = 0
        self.queued: dict[str, Zone] = {}

    def texts(self, *, gone: Collection[str], come: Sequence[Held]) -> None:
        """RRsets whose texts are taken away (those that are replaced too), and such as have texts now."""
        for ident in gone:
            if self._texts.pop(ident, None) is None:
                self._gone.add(ident)
        for held in come:
            self._texts[held.id] = held
        if len(self._texts) + len(self._gone) > MOST:
            self._write_rows()

    def journal(self, entry: Entry, caller: Caller | None) -> None:
        """One revision of a zone, and who made it."""
        self._entries.append((entry, caller))
        self._octets += len(entry.removed) + len(entry.added)
        if self._octets > MOST_OCTETS:
            self._write_rows()

    def write(self, now: int) -> list[str]:
        """Write it all; the zones that workers are to be hinted at. At most six statements. Raises Stale."""
        self._write_rows()
        queued, self.queued = self.queued, {}
        return self._outbox.enqueue(queued.values(), now) if queued else []

    def _write_rows(self) -> None:
        if self._gone:
            rrsetdata.remove(self._conn, self._gone)
            self._gone = set()
        if self._texts:
            rrsetdata.add(self._conn, self._texts.values())
            self._texts = {}
        if self._entries:
            self._journal.add(self._entries)
            self._entries, self._octets = [], 0
