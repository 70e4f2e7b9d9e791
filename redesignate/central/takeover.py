# SPDX-License-Identifier: Apache-2.0
"""Replaces a zone's content by its primary's: only the difference is written, as one revision."""

from __future__ import annotations

from msgspec.structs import replace

from redesignate.central.arrival import Content, Unacceptable, Unpacked, changes, check_quota, differing
from redesignate.central.change import apply
from redesignate.central.edit import Edit, Stored
from redesignate.central.rules import Rules
from redesignate.model.errors import Unavailable
from redesignate.model.inbound import Inbound
from redesignate.model.serial import following, newer
from redesignate.model.zone import Action, Zone
from redesignate.store.unit import Work
from redesignate.store.zones import Counts

ANOTHER_RUN = "Another report of this zone is being stored, or the zone has changed meanwhile; retry."


def check(rules: Rules, work: Work, found: tuple[Zone, Counts], row: Inbound, content: Content) -> Zone:
    """The zone with the primary's SOA. Raises Unacceptable where the content cannot be published. At most one query."""
    zone, counts = found
    if row.kept_rrsets is not None and row.kept_records is not None:
        counts = Counts(row.kept_rrsets, row.kept_records)
    check_quota(rules, work, zone, counts, content)
    return replace(_taken(rules, work, zone, content), serial=_serial(zone, content))


def replaced(rules: Rules, work: Work, found: tuple[Zone, Counts], row: Inbound, heard: Unpacked) -> tuple[Zone, int]:
    """Replace the zone's content by its primary's and queue it; return the zone as it is now, and the primary's serial.

    RRsets that stay keep their ids, also where they change. The records count against the project's quota as those of
    any zone, within the operator's `xfr_max_…`. Raises Unacceptable, and then nothing is written.

    heard    with its content, what differs, and what of it was stored ahead
    Cost  six statements and some for each thousand that differ; where the stored zone was changed since the difference
          was found, one query for each thousand RRsets of the zone
    Raises Unavailable where another run is storing parts of a report of this zone.
    """
    zone, content = found[0], heard.content
    assert content is not None
    if heard.stored is not None and heard.stored.run != row.loader:
        raise Unavailable(ANOTHER_RUN)
    unchanged = heard.seen == (zone.revision, row.version)
    pairs = heard.pairs if unchanged else list(differing(work.rrsets.walk(zone.id), content))
    for _, wanted in pairs:
        if wanted is not None:
            content.text(wanted[0])
    serial = content.soa.serial
    taken = _taken(rules, work, zone, content)
    same = taken == replace(zone, transferred_at=work.now)
    kept = row.kept_rrsets is not None
    if not pairs and same and serial in (zone.serial, row.serial) and not zone.waiting and not kept:
        work.zones.advance(zone, taken)
        return taken, serial
    taken = check(rules, work, found, row, content)
    edit = Edit(zone, work.now)
    if kept:
        edit.stored = heard.stored or Stored(run=None, full=True)
    if zone.waiting:
        edit.earlier = work.zones.departed(zone.name, zone.pool_id)
    edit.set(
        serial=taken.serial,
        action=Action.CREATE if zone.confirmed == 0 else Action.UPDATE,
        mname=taken.mname,
        email=taken.email,
        ttl=taken.ttl,
        refresh=taken.refresh,
        retry=taken.retry,
        expire=taken.expire,
        minimum=taken.minimum,
        transferred_at=taken.transferred_at,
    )
    edit.more = changes(edit, content, pairs)
    (after,) = apply(work, None, edit)
    return after, serial


def _taken(rules: Rules, work: Work, zone: Zone, content: Content) -> Zone:
    """The zone with the primary's SOA. Raises Unacceptable where the SOA is signed and a row cannot hold it."""
    soa = content.soa
    if soa.email is None and content.signed:
        raise Unacceptable("the SOA is signed and its mailbox is not a mail address that can be stored")
    return replace(
        zone,
        mname=soa.mname,
        email=soa.email or rules.settings.managed_resource_email,
        ttl=content.ttl,
        refresh=soa.refresh,
        retry=soa.retry,
        expire=soa.expire,
        minimum=soa.minimum,
        transferred_at=work.now,
    )


def _serial(zone: Zone, content: Content) -> int:
    """The primary's serial where it is newer than ours; otherwise our next one, or no server would accept the change.

    Raises Unacceptable where the SOA is signed, because a signed SOA must not be changed.
    """
    wanted = content.soa.serial
    if zone.waiting or newer(wanted, zone.serial):
        return wanted
    if content.signed:
        raise Unacceptable(
            f"the primary's serial {wanted} does not come after {zone.serial}, which is published, and a signed SOA "
            "must not be changed: raise the serial on the primary (RFC 1982)"
        )
    return following(zone.serial, zone.serial)
