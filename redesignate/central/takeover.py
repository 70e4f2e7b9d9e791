# SPDX-License-Identifier: Apache-2.0
"""A zone's content made what its primary has: the difference alone is written, as one revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from redesignate.central.arrival import Content, Key, Unacceptable, differing
from redesignate.central.change import publish, timed
from redesignate.central.rules import Rules
from redesignate.model.ids import new_id
from redesignate.model.inbound import Inbound
from redesignate.model.rrset import RRset
from redesignate.model.serial import following, newer
from redesignate.model.zone import Action, Status, Zone
from redesignate.store.rrsets import Held
from redesignate.store.unit import Work
from redesignate.wire import rrset


@dataclass(frozen=True, slots=True)
class _Difference:
    gone: tuple[Held, ...]
    come: tuple[Key, ...]

    @property
    def nothing(self) -> bool:
        return not self.gone and not self.come


def replaced(rules: Rules, work: Work, zone: Zone, row: Inbound, content: Content) -> tuple[Zone, int]:
    """Make the zone what its primary has and queue it; the zone as it is now, and the primary's serial.

    Ids of RRsets that stay are kept, changed ones too. No quota counts here: what a primary may send is limited by
    the operator's `xfr_max_…`. Raises Unacceptable.
    Cost  one query for the whole zone; six statements and some for each thousand RRsets that differ.
    """
    stored = work.rrsets.whole(zone.id)
    difference = _compared(stored, content)
    start = content.start
    taken = _taken(rules, work, zone, content)
    same = taken == replace(zone, transferred_at=work.now)
    if difference.nothing and same and start.serial in (zone.serial, row.serial) and not zone.waiting:
        work.zones.advance(zone, taken)
        return taken, start.serial
    after = replace(
        taken,
        serial=_serial(zone, content),
        revision=zone.revision + 1,
        action=Action.CREATE if zone.confirmed == 0 else Action.UPDATE,
        status=Status.PENDING,
        version=zone.version + 1,
        updated_at=work.now,
    )
    removed = b"".join(timed(held.wire, held.ttl, zone) for held in difference.gone)
    added = b"".join(content.sets[which].wire for which in difference.come)
    _write(work, after, stored, difference, content)
    publish(
        work,
        None,
        zone,
        after,
        removed=removed,
        added=added,
        rrsets=len(difference.come) - len(difference.gone),
        records=sum(len(content.sets[which].rdatas) for which in difference.come) - _records(difference.gone),
        full=zone.waiting,
        earlier=work.zones.departed(zone.name, zone.pool_id) if zone.waiting else (),
    )
    return after, start.serial


def _taken(rules: Rules, work: Work, zone: Zone, content: Content) -> Zone:
    """The zone with the primary's SOA. Raises Unacceptable where the SOA is signed and a row cannot hold it."""
    start = content.start
    if start.email is None and content.signed:
        raise Unacceptable("the SOA is signed and its mailbox is no mail address that could be stored")
    return replace(
        zone,
        mname=start.mname,
        email=start.email or rules.settings.managed_resource_email,
        ttl=start.ttl,
        refresh=start.refresh,
        retry=start.retry,
        expire=start.expire,
        minimum=start.minimum,
        transferred_at=work.now,
    )


def _serial(zone: Zone, content: Content) -> int:
    """The primary's serial, where it comes after ours; else the next of ours, or no server would take the change.

    Raises Unacceptable where the SOA is signed, for then we may not change it.
    """
    wanted = content.start.serial
    if zone.waiting or newer(wanted, zone.serial):
        return wanted
    if content.signed:
        raise Unacceptable(
            f"the primary's serial {wanted} does not come after {zone.serial}, which is published, and a signed SOA "
            "must not be changed: raise the serial on the primary (RFC 1982)"
        )
    return following(zone.serial, zone.serial)


def _compared(stored: Mapping[Key, Held], content: Content) -> _Difference:
    come = tuple(differing(stored, content))
    changed = {which for which in come if which in stored}
    gone = tuple(held for which, held in stored.items() if which in changed or which not in content.sets)
    return _Difference(gone, come)


def _records(gone: Iterable[Held]) -> int:
    return sum(rrset.ready(held.wire, None)[0] for held in gone if held.wire and not held.managed)


def _write(work: Work, after: Zone, stored: Mapping[Key, Held], difference: _Difference, content: Content) -> None:
    work.rrsets.remove_many([held.id for held in difference.gone])
    new = [
        (_made(work, after, which, stored.get(which), content), content.sets[which].wire) for which in difference.come
    ]
    if new:
        work.rrsets.add(new)


def _made(work: Work, after: Zone, which: Key, held: Held | None, content: Content) -> RRset:
    return RRset(
        id=held.id if held else new_id(),
        zone_id=after.id,
        zone_name=after.name,
        project_id=held.project_id if held else after.project_id,
        name=which[0],
        type=which[1],
        ttl=content.sets[which].ttl,
        records=content.text(which),
        description=held.description if held else None,
        managed=False,
        revision=after.revision,
        born=held.born if held else after.revision,
        version=held.version + 1 if held else 1,
        created_at=held.created_at if held else work.now,
        updated_at=work.now if held else None,
        status=Status.PENDING,
        action=Action.UPDATE if held else Action.CREATE,
    )
