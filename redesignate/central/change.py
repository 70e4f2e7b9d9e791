# SPDX-License-Identifier: Apache-2.0
"""Applies edits: this module alone writes a change's rows, counts, serial, journal and outbox, in one transaction.

The caller holds the lock on the zone's row, so that writers queue; the row is compared all the same when it is written
(see `store.zones.advance`). One edit is one revision, one serial, one journal row and one row of the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import replace

from redesignate.central.edit import Change, Edit, Stored
from redesignate.commands.hint import Hint, Kind
from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND
from redesignate.model.rrset import Held
from redesignate.model.serial import following
from redesignate.model.zone import Action, Status, Zone
from redesignate.store.journal import Entry
from redesignate.store.outbox import releaser
from redesignate.store.unit import Work
from redesignate.wire.rrset import retime
from redesignate.wire.rrset import soa as soa_blob

JOURNAL_ENTRY_MAX = 4 * 2**20
"""A difference larger than this (octets) is not kept: a server with an older serial transfers the whole zone."""
BULK = 1000
"""The number of RRsets that one statement writes."""


@dataclass(slots=True)
class _Sum:
    """The sum of an edit's changes. `full`: the difference is not kept."""

    edit: Edit
    full: bool
    rrsets: int = 0
    records: int = 0
    served: bool = False
    removed: list[bytes] = field(default_factory=list)
    added: list[bytes] = field(default_factory=list)
    octets: int = 0
    untimed: set[str] = field(default_factory=set)
    """Ids of RRsets that take the zone's TTL and are counted already."""

    def take(self, stored: Stored) -> None:
        """Begin with what was stored ahead: it is counted already, and belongs to the journal's row."""
        self.full = self.full or stored.full
        if not self.full:
            self.removed, self.added, self.octets = [*stored.removed], [*stored.added], stored.octets

    def count(self, change: Change) -> None:
        """Add one change to the sum."""
        before, after = change
        gone = come = b""
        ttl = self.edit.zone.ttl
        if before is not None:
            self.rrsets -= 1
            self.records -= 0 if before.managed else len(before.records)
            gone = retime(before.wire, ttl) if before.ttl is None else before.wire
        if after is not None:
            self.rrsets += 1
            self.records += 0 if after.managed else len(after.records)
            come = after.wire
            if after.ttl is None:
                come = retime(after.wire, self.edit.fields.get("ttl", ttl))
                if "ttl" in self.edit.fields:
                    self.untimed.add(after.id)
        self.served = self.served or bool(gone or come)
        if gone != come and not self.full:
            self.removed.append(gone)
            self.added.append(come)
            self.octets += len(gone) + len(come)
            if self.octets > JOURNAL_ENTRY_MAX:
                self.full, self.removed, self.added = True, [], []


def apply(work: Work, caller: Caller | None, *edits: Edit) -> tuple[Zone, ...]:
    """Write edits, each of a different zone; return the zones as they are afterwards.

    The changes that the edits hold in memory are written together, with one statement per table and kind; those of
    `more` are written a thousand at a time. Where an edit changes nothing that is visible in DNS and sets nothing of
    the zone, its RRsets are only counted: the zone gets no new revision and no new serial.

    Raises Stale; IntegrityError where a name and type, or a new zone's name, is taken.
    Cost   two to four statements, two for each zone, three at the end of the transaction
    """
    sums = [_Sum(edit, full=edit.is_new or edit.zone.waiting) for edit in edits]
    for one in sums:
        if one.edit.stored is not None:
            one.take(one.edit.stored)
    _write(work, [(one, change) for one in sums for change in one.edit.changes.values()])
    for one in sums:
        more = iter(one.edit.more)
        while some := list(islice(more, BULK)):
            _write(work, [(one, change) for change in some])
    return tuple([_published(work, caller, one) for one in sums])


def _write(work: Work, changes: Sequence[tuple[_Sum, Change]]) -> None:
    """Write RRsets: deletions come first, so that their names and types are free for the new ones."""
    gone: list[str] = []
    changed: list[Held] = []
    new: list[Held] = []
    replaced: list[str] = []
    texts: list[Held] = []
    for one, change in changes:
        one.count(change)
        before, after = change
        if after is None:
            if before is not None:
                gone.append(before.id)
        elif before is None:
            new.append(after)
        else:
            changed.append(after)
            if before.records != after.records:
                replaced.append(after.id)
                texts.append(after)
    if gone:
        work.rrsets.remove(gone)
    if changed:
        work.rrsets.change(changed)
    if new:
        work.rrsets.add(new)
    work.ending.texts(gone=gone + replaced, come=texts + new)


def _published(work: Work, caller: Caller | None, one: _Sum) -> Zone:
    edit, before = one.edit, one.edit.zone
    if edit.is_new:
        after = before
        work.zones.add(after, apex_version=edit.apex_version or 0, rrsets=one.rrsets, records=one.records)
    elif edit.touched or (one.served and not edit.ahead):
        after = _advanced(work, one)
    else:
        if one.rrsets or one.records:
            work.zones.advance(before, before, rrsets=one.rrsets, records=one.records)
        return before
    entry = Entry(
        zone_id=after.id,
        revision=after.revision,
        serial_from=0 if edit.is_new else before.serial,
        serial_to=after.serial,
        full=one.full,
        removed=b"".join(one.removed),
        added=b"".join(one.added),
        soa_from=soa_blob(before),
        soa_to=soa_blob(after),
        at=work.now,
    )
    work.ending.journal(entry, caller)
    queue(work, after, edit.earlier)
    return after


def _advanced(work: Work, one: _Sum) -> Zone:
    """Write the zone with the next revision and serial, PENDING. The cost grows with the zone where its TTL changes,
    because every RRset without a TTL of its own changes with it."""
    edit, before = one.edit, one.edit.zone
    after = replace(
        before,
        serial=following(before.serial, edit.now // SECOND),
        revision=before.revision + 1,
        action=Action.UPDATE,
        status=Status.PENDING,
        version=before.version + 1,
        updated_at=edit.now,
    )
    if edit.fields:
        after = replace(after, **edit.fields)
    if after.ttl != before.ttl:
        for held in work.rrsets.untimed(after.id):
            if one.full:
                break
            if held.id not in one.untimed:
                one.count(Change(held, held))
    more = {} if edit.apex_version is None else {"apex_version": edit.apex_version}
    work.zones.advance(before, after, rrsets=one.rrsets, records=one.records, **more)
    return after


def queue(work: Work, zone: Zone, earlier: Sequence[Zone] = ()) -> None:
    """Queue the zone's newest revision for its servers, once this transaction is committed.

    Work that is still queued for an earlier zone of the name passes to this zone. A worker that is deleting the earlier
    zone at this moment must not delete this one, so no worker may begin before that one releases its work: it is asked
    to at once (`central/work.py`), and its lease bounds the wait.
    """
    if zone.waiting:
        return
    held = work.outbox.take([gone.id for gone in earlier], work.now) if earlier else []
    if not held:
        work.ending.queued[zone.id] = zone
        return
    one = releaser(held[0][0], held[0][1]) if len(held) == 1 else None
    until = max(lease_until for _, _, lease_until in held)
    work.outbox.enqueue_after(zone, work.now, until=until, released_by=one)
    work.hints += [Hint(Kind.OUTBOUND, zone_id) for zone_id, _, _ in held]
