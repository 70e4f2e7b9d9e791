# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones: when their primaries are queried, and how the result is stored (RFC 1034 §4.3.5, RFC 1996).

Each function is one transaction. No stale content wins: content counts only from the worker that holds the zone's
lease, and only if the zone still has the serial that the worker started from. Both are compared under the zone's lock,
and a change of the primaries revokes the lease.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from redesignate.central.arrival import Unacceptable, Unpacked
from redesignate.central.change import queue
from redesignate.central.rules import Answers, Rules, locked, target_of
from redesignate.central.takeover import replaced
from redesignate.commands.hint import Hint, Kind
from redesignate.commands.inbound import (
    BeginInbound,
    DueInbound,
    ForgetCopies,
    NotifiedInbound,
    SweepInbound,
    TransferZone,
)
from redesignate.model.clock import SECOND
from redesignate.model.errors import BadInput
from redesignate.model.inbound import Inbound, InboundTask, Result
from redesignate.model.tsigkey import Scope
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.observe.log import events
from redesignate.store.kept import Kept
from redesignate.store.outbox import NEVER
from redesignate.store.unit import Work
from redesignate.store.zones import Counts

log = events(__name__)

REFRESH_S = (60, 28 * 86400)
"""Lowest and highest refresh (seconds) that a primary may set: a refresh each second would keep a worker busy."""
RETRY_S = (10, 14 * 86400)
FIRST_RETRY_S = 60
"""The longest pause (seconds) before a zone that was never fetched is retried: a user waits for it."""
WORDS = 255
RRSETS_A_SECOND = 1000
"""The highest rate of repeated transfers that users request: a zone of 60,000 RRsets is fetched once a minute at most,
a tiny one as often as they ask."""

LONGEST_REST_S = 60
"""The longest pause (seconds) between two queries because of NOTIFYs."""
COPIES = 100
"""The number of zones with a copy that are looked at for one whose copy may be deleted; no others are looked at while
so many are served or being made."""


def transfer_zone(rules: Rules, work: Work, command: TransferZone) -> None:
    """Request a transfer of a SECONDARY zone now, whatever its serial. Raises ZoneNotFound, Forbidden, BadInput."""
    zone, counts = locked(work, command.caller, command.zone_id)
    rules.policy.may("xfr_zone", command.caller, target_of(zone, command.caller))
    if zone.type is not ZoneType.SECONDARY:
        raise BadInput("Can't XFR a non Secondary zone.")
    if zone.action is Action.DELETE:
        raise BadInput("Can not update a deleting zone")
    rest = counts.rrsets // RRSETS_A_SECOND * SECOND
    wait = min(max((zone.transferred_at or 0) + rest - work.now, 0), rest)
    work.inbound.wish([zone.id], work.now, wait=wait, forced=True)
    if wait == 0:
        work.hints.append(Hint(Kind.INBOUND, zone.id))


def begin_watch(work: Work, zone: Zone) -> None:
    """Schedule a new SECONDARY zone, whose primaries are queried at once. One statement."""
    work.inbound.add(zone.id, work.now)
    work.hints.append(Hint(Kind.INBOUND, zone.id))


def primaries_changed(work: Work, zone: Zone) -> None:
    """Query the new primaries at once; a running transfer from the former ones no longer counts. Two statements."""
    work.inbound.revoke(zone.id)
    work.inbound.wish([zone.id], work.now, forced=True)
    work.hints.append(Hint(Kind.INBOUND, zone.id))


def notified(_rules: Rules, work: Work, command: NotifiedInbound) -> int:
    """Schedule the zones for which primaries sent NOTIFY; return how many.

    A NOTIFY can be forged. While the queries that follow find nothing new, the next one waits longer (`_rested`).
    Cost  one statement per address, and a query
    """
    by_address: dict[str, list[str]] = {}
    for zone_id, address in command.zones:
        by_address.setdefault(address[:64], []).append(zone_id)
    count = sum(work.inbound.notified(found, work.now, address) for address, found in by_address.items())
    ready = work.inbound.due_of([zone_id for zone_id, _ in command.zones], work.now)
    work.hints += [Hint(Kind.INBOUND, zone_id) for zone_id in ready]
    return count


def due(_rules: Rules, work: Work, command: DueInbound) -> tuple[str, ...]:
    """List SECONDARY zones that are due and not leased, the longest due first. One query."""
    return work.inbound.due(work.now, command.limit)


def begin(_rules: Rules, work: Work, command: BeginInbound) -> tuple[InboundTask, ...]:
    """Lease zones and return how to query each. At most four statements for all."""
    rows = work.inbound.lease(command.worker, command.zone_ids, work.now, work.now + int(command.lease_s * SECOND),
                              renew=command.renew)  # fmt: skip
    if not rows:
        return ()
    zones, keys = work.zones.many(rows), work.tsigkeys.of_many(Scope.ZONE, rows)
    for zone_id in rows.keys() - zones.keys():
        work.inbound.forget(zone_id)
    return tuple(
        InboundTask(
            zone_id=zone.id,
            name=zone.name,
            primaries=zone.primaries,
            serial=rows[zone.id].serial,
            # a zone of which DNS serves a copy is fetched anew, so that its RRsets are whole again
            forced=rows[zone.id].forced or rows[zone.id].kept_rrsets is not None,
            asked=rows[zone.id].asked,
            generation=rows[zone.id].generation,
            notified_by=rows[zone.id].notified_by,
            key=keys.get(zone.id),
        )
        for zone in zones.values()
    )


def report(rules: Rules, work: Work, command: Unpacked) -> None:
    """Store the result of a query or transfer; a worker that no longer holds the zone's lease changes nothing.

    Cost  five statements where nothing is new; of a fetched zone only what differs is written (`takeover.replaced`).
    """
    outcome = command.said.outcome
    found = work.zones.lock(outcome.zone_id)
    row = work.inbound.get(outcome.zone_id, work.now)
    held = row is not None and (row.lease_owner, row.generation) == (command.worker, outcome.generation)
    if found is None or row is None or not held or found[0].action is Action.DELETE:
        log.info("report of a zone that its worker no longer holds", zone=outcome.zone_id, worker=command.worker)
        return
    zone, after = found[0], replace(row, lease_owner=None, lease_until=NEVER)
    if outcome.since == row.serial and outcome.result is not Result.UNTOUCHED:
        after = _rested(row.read_at, _judged(rules, work, found, after, command), old=row.serial)
        if row.asked == outcome.asked:
            after = replace(after, notified_by=None)
        else:  # another query was requested since this one began
            rest = 0 if row.notified_by is None or row.forced else after.rest_until or 0
            after = replace(after, due_at=max(row.due_at, rest), forced=row.forced)
    work.inbound.save(row, replace(after, loader=None))
    if after.due_at <= row.read_at:
        work.hints.append(Hint(Kind.INBOUND, zone.id))


def _rested(now: int, row: Inbound, *, old: int | None) -> Inbound:
    """After a query because of a NOTIFY the next NOTIFY waits: a second, twice as long with each that brought nothing
    newer than serial `old`, a minute at most. All is forgotten once no NOTIFY has come for a minute."""
    if row.notified_by is None:
        return row
    before = row.vain_notifies or 0 if now < (row.rest_until or 0) + LONGEST_REST_S * SECOND else 0
    vain = before + 1 if row.serial == old else 0
    pause = min(2 ** min(vain, 16), LONGEST_REST_S)
    return replace(row, rest_until=now + pause * SECOND, vain_notifies=vain)


def _judged(rules: Rules, work: Work, found: tuple[Zone, Counts], row: Inbound, heard: Unpacked) -> Inbound:
    zone = found[0]
    outcome = heard.said.outcome
    row = replace(row, primary=_words(outcome.primary) or row.primary)
    if outcome.result is Result.CURRENT:
        return _in_touch(rules, work, zone, replace(row, attempts=0, error=_words(outcome.why)))
    if outcome.result is Result.FAILED or heard.content is None:
        return _failed(rules, work, zone, row, heard.why or outcome.why)
    try:
        after, serial = replaced(rules, work, found, row, heard)
    except Unacceptable as fault:
        return _failed(rules, work, zone, row, str(fault))
    log.info("zone fetched", zone=zone.id, name=zone.name, primary=outcome.primary, serial=serial,
             published=after.serial, revision=after.revision)  # fmt: skip
    moved = after.revision != zone.revision
    row = replace(row, serial=serial, attempts=0, error=_words(outcome.why), forced=False, loaded=row.loaded or moved,
                  kept_rrsets=None, kept_records=None, kept_revision=None)  # fmt: skip
    return _in_touch(rules, work, after, row)


def _in_touch(rules: Rules, work: Work, zone: Zone, row: Inbound) -> Inbound:
    """A primary has answered: the copy is valid for another `expire` seconds, and is served again if it had expired."""
    pause = _within(zone.refresh, REFRESH_S) * rules.random.uniform(0.9, 1.0)
    now = row.read_at
    row = replace(row, due_at=now + int(pause * SECOND), expires_at=now + zone.expire * SECOND, forced=False)
    if row.loaded or zone.transferred_at is None:
        return row
    again = structs.replace(zone, revision=zone.revision + 1, action=Action.UPDATE, status=Status.PENDING)
    _revive(work, zone, again)
    return replace(row, loaded=True)


def _revive(work: Work, zone: Zone, again: Zone) -> None:
    """Queue a copy that had expired for its servers again, unchanged: they may have dropped theirs."""
    work.zones.advance(zone, again)
    queue(work, again)


def _failed(rules: Rules, work: Work, zone: Zone, row: Inbound, why: str | None) -> Inbound:
    attempts = row.attempts + 1
    row = replace(row, attempts=attempts, error=_words(why) or "no primary answered", due_at=0)
    log.warning("zone not fetched", zone=zone.id, name=zone.name, primary=row.primary, why=row.error, attempts=attempts)
    if not row.loaded and zone.transferred_at is None:
        pause = float(min(FIRST_RETRY_S, 2 ** min(attempts - 1, 16)))
        if attempts >= rules.settings.poll_max_retries and zone.status is not Status.ERROR:
            work.zones.settle(zone, structs.replace(zone, status=Status.ERROR))
    else:
        pause = float(_within(zone.retry, RETRY_S))
    due = row.read_at + int(pause * SECOND * rules.random.uniform(0.9, 1.1))
    if row.loaded and row.expires_at <= row.read_at:
        return replace(_expired(work, zone, row), due_at=due)
    return replace(row, due_at=min(due, row.expires_at) if row.loaded else due)


def _expired(work: Work, zone: Zone, row: Inbound) -> Inbound:
    """Mark the copy as expired (RFC 1035 §3.3.13): ERROR, and mdns answers SERVFAIL until a primary answers again."""
    log.error("zone expired", zone=zone.id, name=zone.name, why=row.error)
    work.zones.settle(zone, structs.replace(zone, status=Status.ERROR, action=Action.NONE))
    return replace(row, loaded=False)


def sweep(_rules: Rules, work: Work, command: SweepInbound) -> int:
    """Do what no worker did: expire copies, have strayed zones fetched, and hint at due zones. Three queries, four for
    each expired zone."""
    old = work.inbound.expired(work.now, command.first_shard, command.last_shard, command.limit)
    for zone_id in old:
        found, row = work.zones.lock(zone_id), work.inbound.get(zone_id, work.now)
        if found is None or row is None or not row.loaded or row.expires_at > row.read_at:
            continue
        late = row.error or "no worker has asked the primaries"
        work.inbound.save(row, _expired(work, found[0], replace(row, error=late)))
    strayed = work.inbound.strayed(work.now, command.first_shard, command.last_shard, command.limit)
    if strayed:
        log.warning("zones published beside a copy that is still served are fetched again", zones=len(strayed))
        work.inbound.wish(strayed, work.now, forced=True)
    due = work.inbound.due(work.now, command.limit)
    work.hints += [Hint(Kind.INBOUND, zone_id) for zone_id in due]
    return len(old) + len(due)


def forget_copies(_rules: Rules, work: Work, _command: ForgetCopies) -> int:
    """Delete some rows of one copy that DNS served while a zone was changed; return 1, or 0 where none is left over."""
    kept = Kept(work.conn)
    zone_id: str | None = ""
    for _ in range(COPIES):
        zone_id = kept.zone_after(zone_id or "")
        if zone_id is None:
            break
        row = work.inbound.get(zone_id, work.now)
        if row is not None:  # without its row the zone is deleted, and no run begins any more
            if row.kept_rrsets is not None or row.loader is not None:
                continue
            work.zones.lock(zone_id)
            work.inbound.step(row, kept_revision=None)
        kept.drop(zone_id)
        return 1
    return 0


def _within(seconds: int, limits: tuple[int, int]) -> int:
    return min(max(seconds, limits[0]), limits[1])


def _words(text: str | None) -> str | None:
    """A text that may come from a server, made printable and cut to fit in a row."""
    return text and "".join(c if c.isprintable() else "?" for c in text)[:WORDS]


ANSWERS: Answers = {
    TransferZone: transfer_zone,
    DueInbound: due,
    BeginInbound: begin,
    NotifiedInbound: notified,
    Unpacked: report,
    SweepInbound: sweep,
    ForgetCopies: forget_copies,
}
