# SPDX-License-Identifier: Apache-2.0
"""How a zone moves on: serial, journal and outbox in the change's own transaction. Nothing else advances a zone.

The zone's row is held by the caller of these functions, so that writers queue; the row is compared all the same when
it is written (see `store.zones.advance`). One change is one revision, one serial and one journal entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND
from redesignate.model.serial import following
from redesignate.model.zone import Action, Status, Zone
from redesignate.store.journal import Entry
from redesignate.store.outbox import releaser
from redesignate.store.unit import Work
from redesignate.wire.rrset import retime
from redesignate.wire.rrset import soa as soa_blob

JOURNAL_ENTRY_MAX = 4 * 2**20
"""A difference larger than this (octets) is not kept: whoever is older transfers the zone whole."""


def advanced(zone: Zone, now: int, **changes: object) -> Zone:
    """The zone one revision and one serial further, PENDING."""
    moved = replace(
        zone,
        serial=following(zone.serial, now // SECOND),
        revision=zone.revision + 1,
        action=Action.UPDATE,
        status=Status.PENDING,
        version=zone.version + 1,
        updated_at=now,
    )
    return replace(moved, **changes) if changes else moved  # type: ignore[arg-type]


def publish(
    work: Work,
    caller: Caller | None,
    before: Zone,
    after: Zone,
    *,
    removed: bytes = b"",
    added: bytes = b"",
    rrsets: int = 0,
    records: int = 0,
    apex_version: int | None = None,
    full: bool = False,
    earlier: Sequence[Zone] = (),
) -> None:
    """Write the zone over its row, what changed into the journal, and have its servers told. Raises Stale.

    removed added     RRs with their TTLs, without the SOA
    rrsets records    by how much the zone's counts change
    full              nobody may go this way by differences: whoever is older transfers the zone whole
    earlier           as `queue_first`, for a zone that its servers have not been told of before
    Cost              four statements
    """
    more = {} if apex_version is None else {"apex_version": apex_version}
    work.zones.advance(before, after, rrsets=rrsets, records=records, **more)
    full = full or len(removed) + len(added) > JOURNAL_ENTRY_MAX
    entry = Entry(
        zone_id=after.id,
        revision=after.revision,
        serial_from=before.serial,
        serial_to=after.serial,
        full=full,
        removed=b"" if full else removed,
        added=b"" if full else added,
        soa_from=soa_blob(before),
        soa_to=soa_blob(after),
        at=work.now,
    )
    work.journal.add(entry, caller)
    queue_first(work, after, earlier)


def queue(work: Work, zone: Zone) -> None:
    """Have the zone's servers told of its newest revision, once this transaction is committed. Two statements."""
    if zone.waiting:
        return
    if work.outbox.enqueue(zone.id, zone.pool_id, zone.revision, work.now):
        work.hints.append(zone.id)


def queue_first(work: Work, zone: Zone, earlier: Sequence[Zone]) -> None:
    """Queue a new zone. What servers still owe to an earlier zone of the name is this one's business from now on.

    A worker that is deleting the earlier zone at this moment must not hit this one, so nobody may begin before it lets
    go of that: it is asked to at once (`central/work.py`), and its lease bounds the wait.
    """
    held = work.outbox.take([gone.id for gone in earlier], work.now) if earlier else []
    if not held:
        queue(work, zone)
        return
    one = releaser(held[0][0], held[0][1]) if len(held) == 1 else None
    until = max(lease_until for _, _, lease_until in held)
    work.outbox.enqueue_after(zone.id, zone.pool_id, zone.revision, work.now, until=until, released_by=one)
    work.hints.extend(zone_id for zone_id, _, _ in held)


def timed(wire: bytes, ttl: int | None, zone: Zone) -> bytes:
    """An RRset's stored RRs with the TTL they are served with: their own, or the zone's."""
    return retime(wire, zone.ttl) if ttl is None and wire else wire
