# SPDX-License-Identifier: Apache-2.0
"""Zones as zone files: the exports that users make, and the parts in which a zone is read.

A file is read in parts, each a question with a snapshot of its own, so that a slow reader holds nothing. All parts are
of the zone's revision that the first one found: what has changed since is taken back by the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from msgspec import structs

from redesignate.central import quotas
from redesignate.central.rules import Answers, Rules, own, target_of, visible
from redesignate.commands.exports import CreateExport, DeleteExport, GetExport, ListExports, ReadZoneFile
from redesignate.model import names
from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND, new_id
from redesignate.model.errors import BadInput, Unavailable, ZoneExportNotFound, ZoneNotFound
from redesignate.model.paging import Page
from redesignate.model.rdata import from_wire, mnemonic
from redesignate.model.zone import Zone, ZoneType, soa_text
from redesignate.model.zonefile import Entry, write, written
from redesignate.model.zonetask import Place, TaskStatus, ZoneExport, ZoneFilePart
from redesignate.store.exports import AT_ONCE, Exports, Found
from redesignate.store.unit import Work
from redesignate.store.zones import Counts
from redesignate.wire.rrset import records

PART = 1 << 16
"""Characters of record text after which a part ends."""
LONGEST_S = 3600
"""How long after the first part of a file others are read: its reader is too slow, and the journal is cut some day."""
MOST_UNDONE = 8 * 2**20
"""Octets of the journal that one part takes back."""
_CHANGED = "The zone changes too much while it is read; retry."


def create_export(rules: Rules, work: Work, command: CreateExport) -> ZoneExport:
    """Add an export of a zone, which can be downloaded at once.

    It is returned as PENDING, which v2 publishes and clients expect; there is nothing that they would wait for.

    Raises ZoneNotFound, Forbidden, OverQuota.
    Cost   three statements.
    """
    zone, counts = _counted(work, command.caller, command.zone_id)
    rules.policy.may("create_zone_export", command.caller, target_of(zone, command.caller))
    _check_size(rules, work, zone, counts)
    ident = new_id()
    made = ZoneExport(
        id=ident,
        project_id=command.caller.project_id or zone.project_id,
        zone_id=zone.id,
        status=TaskStatus.COMPLETE,
        location=f"designate://v2/zones/tasks/exports/{ident}/export",
        created_at=work.now,
    )
    Exports(work.conn).add(made)
    return structs.replace(made, status=TaskStatus.PENDING, location=None)


def get_export(rules: Rules, work: Work, command: GetExport) -> ZoneExport:
    """Return one export of the caller's project. Raises ZoneExportNotFound, Forbidden."""
    rules.policy.may("get_zone_export", command.caller, own(command.caller))
    return _found(work, command.caller, command.export_id)


def list_exports(rules: Rules, work: Work, command: ListExports) -> Page[ZoneExport]:
    """Return a page of the project's exports, or of all with the all-projects switch. Raises Forbidden,
    MarkerNotFound."""
    rules.policy.may("find_zone_exports", command.caller, own(command.caller))
    return Exports(work.conn).listed(command.query, _project(command.caller))


def delete_export(rules: Rules, work: Work, command: DeleteExport) -> None:
    """Remove an export; the zone stays. Raises ZoneExportNotFound, Forbidden."""
    rules.policy.may("delete_zone_export", command.caller, own(command.caller))
    Exports(work.conn).remove(_found(work, command.caller, command.export_id).id)


def read_zone_file(rules: Rules, work: Work, command: ReadZoneFile) -> ZoneFilePart:
    """Return a part of a zone as a zone file, the SOA first, then the RRsets by name and type.

    Raises ZoneNotFound, Forbidden, BadInput; OverQuota for the first part; Unavailable where the journal cannot take
    back what has changed since the first part, or that is long ago.
    Cost   two queries and one for each AT_ONCE RRsets; two more where the zone has changed. Memory for a part
    """
    caller, at = command.caller, command.at
    zone, counts = _counted(work, caller, command.zone_id)
    rules.policy.may("get_zone", caller, target_of(zone, caller))
    rules.policy.may("zone_export", caller, own(caller))
    _check_settled(work, zone)
    if command.any_size:
        rules.policy.may("zone_export", caller, {})
    if at is None:
        if not command.any_size:
            _check_size(rules, work, zone, counts)
        texts, last = _texts(work, zone.id, None)
        soa = Entry(zone.shown_name, "SOA", zone.ttl, (soa_text(zone),))
        pieces = write(zone.shown_name, zone.ttl, chain((soa,), (entry for _, entry in texts)))
        revision, began = zone.revision, work.now
    else:
        if work.now - at.began > LONGEST_S * SECOND:
            raise Unavailable("The zone file was not read to its end within an hour; begin again.")
        if zone.revision < at.revision:  # a database that lags: nothing says what the first part saw
            raise Unavailable("The zone was read from a database that has not this revision yet; retry.")
        texts, last = _texts(work, zone.id, (at.name, at.type))
        if zone.revision != at.revision:
            texts = _taken_back(work, zone, at, texts, last)
        pieces = written(entry for _, entry in texts)
        revision, began = at.revision, at.began
    after = None if last is None else Place(revision=revision, began=began, name=last[0], type=last[1])
    return ZoneFilePart(text="".join(pieces), after=after)


def _texts(work: Work, zone_id: str, after: tuple[str, str] | None) -> tuple[list[Found], tuple[str, str] | None]:
    """The RRsets of a part but the SOA, and where the next one begins; None where there is none."""
    exports, found, size = Exports(work.conn), list[Found](), 0
    while size < PART:
        some, octets = exports.texts(zone_id, after)
        found += some
        if len(some) < AT_ONCE:
            return [one for one in found if one[0][1] != "SOA"], None
        size += octets
        after = some[-1][0]
    return [one for one in found if one[0][1] != "SOA"], after


def _check_settled(work: Work, zone: Zone) -> None:
    """Refuse a SECONDARY zone whose rows are not those of a revision. At most one query."""
    if zone.type is not ZoneType.SECONDARY:
        return
    if zone.transferred_at is None:
        raise BadInput("The zone has not been transferred from its primaries yet; it has no content.")
    row = work.inbound.get(zone.id, work.now)
    if row is not None and row.kept_rrsets is not None:
        raise Unavailable("A new version of the zone is being stored; retry.")


def _check_size(rules: Rules, work: Work, zone: Zone, counts: Counts) -> None:
    quotas.check(quotas.limits(rules, work, zone.project_id), api_export_size=counts.rrsets)


# -- changes since the first part


@dataclass(frozen=True, slots=True)
class _Before:
    """An RRset as it was at the first part. `name` in lower case."""

    ttl: int
    texts: Sequence[str]


def _taken_back(work: Work, zone: Zone, at: Place, texts: Sequence[Found], last: tuple[str, str] | None) -> list[Found]:
    """The RRsets between two places as they were at the revision of `at`. Raises Unavailable."""
    octets, full = work.journal.weight(zone.id, at.revision)
    if full or octets > MOST_UNDONE:
        raise Unavailable(_CHANGED)
    before: dict[tuple[str, str], _Before | None] = {}
    for removed, added in work.journal.since(zone.id, at.revision):
        gone = _rrsets(zone.name, removed)
        for key in gone.keys() | _rrsets(zone.name, added).keys():
            before.setdefault(key, gone.get(key))  # the first change of an RRset says what it was
    found = {key: entry for key, entry in texts if key not in before}
    for key, held in before.items():
        if held is not None and key > (at.name, at.type) and (last is None or key <= last):
            found[key] = Entry(key[0], key[1], held.ttl, held.texts)
    return sorted(found.items())


def _rrsets(zone: str, blob: bytes) -> dict[tuple[str, str], _Before]:
    found: dict[tuple[str, str], _Before] = {}
    for labels, number, ttl, rdata in records(blob):
        name = (names.from_wire(labels + b"\0")[0] if labels else "") + zone
        rrtype = mnemonic(number)
        held = found.get((name, rrtype))
        texts = (*(held.texts if held else ()), from_wire(rrtype, rdata).text)
        found[name, rrtype] = _Before(ttl, texts)
    return found


# -- which exports


def _project(caller: Caller) -> str | None:
    return None if caller.all_projects else caller.project_id or ""


def _counted(work: Work, caller: Caller, zone_id: str) -> tuple[Zone, Counts]:
    found = work.zones.counted(zone_id)
    if found is None:
        raise ZoneNotFound("Could not find Zone")
    return visible(work, caller, found[0]), found[1]


def _found(work: Work, caller: Caller, export_id: str) -> ZoneExport:
    found = Exports(work.conn).get(export_id, _project(caller))
    if found is None:
        raise ZoneExportNotFound("Could not find ZoneExport")
    return found


ANSWERS: Answers = {
    CreateExport: create_export,
    GetExport: get_export,
    ListExports: list_exports,
    DeleteExport: delete_export,
    ReadZoneFile: read_zone_file,
}
