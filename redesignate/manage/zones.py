# SPDX-License-Identifier: Apache-2.0
"""`zone status`: on which server a zone is, which one lags, and why."""

from __future__ import annotations

import uuid

from redesignate.commands.zones import GetZone, ZonePeers
from redesignate.manage.job import Job
from redesignate.manage.screen import moment, span
from redesignate.model.errors import ZoneNotFound
from redesignate.model.names import InvalidName, canonical
from redesignate.model.work import PeerView
from redesignate.model.zone import Zone


def status(job: Job) -> int:
    """Print the zone and a line for each server of its pool. Raises ZoneNotFound."""
    for number, zone in enumerate(_found(job, job.args.zone)):
        if number:
            job.screen.line()
        _show(job, zone)
    return 0


def _found(job: Job, named: str) -> list[Zone]:
    try:
        return [job.central.call(GetZone(caller=job.caller, zone_id=str(uuid.UUID(named))))]
    except ValueError:
        pass
    try:
        name = canonical(named if named.endswith(".") else named + ".")
    except InvalidName as wrong:
        raise ZoneNotFound(f"{named} is neither an id nor a name of a zone: {wrong}") from wrong
    zones = job.zones_named(name)
    if not zones:
        raise ZoneNotFound(f"there is no zone {name}")
    return zones


def _show(job: Job, zone: Zone) -> None:
    peers = job.central.call(ZonePeers(caller=job.caller, zone_id=zone.id))
    wait = f" ({zone.action.value})" if zone.action.value != "NONE" else ""
    job.screen.line(f"{zone.shown_name}  {zone.status.value}{wait}  serial {zone.serial}", "bold")
    job.screen.line(f"id {zone.id}  pool {zone.pool_id}  project {zone.project_id or '-'}", "dim")
    if not peers:
        job.screen.line("Its pool has no servers; see `pool show-config`.", "yellow")
        return
    rows = [
        [p.role.value, p.address, p.state, p.serial, moment(p.since), p.attempts or None, _why(job, p)] for p in peers
    ]
    job.screen.table(["role", "server", "state", "serial", "since", "failures", "why"], rows)
    lagging = [peer.address for peer in peers if peer.state != "current"]
    if lagging:
        job.screen.line(f"{len(lagging)} of {len(peers)} lag: {', '.join(lagging)}", "yellow")


def _why(job: Job, peer: PeerView) -> str | None:
    if peer.state == "current":
        return None
    tries = f"next try in {span(peer.next_try - job.clock())}" if peer.next_try is not None else None
    if tries is not None and tries.endswith("now"):
        tries = "next try now"
    return "; ".join(part for part in (peer.error, tries) if part) or None
