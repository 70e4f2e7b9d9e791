# SPDX-License-Identifier: Apache-2.0
"""`zone status`: prints the servers that each zone is on, which of them lag, and why."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Iterator

from redesignate.commands.zones import GetZone, ZonePeers
from redesignate.manage.job import Job
from redesignate.manage.screen import moment, span
from redesignate.model.errors import ZoneNotFound
from redesignate.model.names import InvalidName, canonical
from redesignate.model.work import Condition, PeerView
from redesignate.model.zone import Zone

LOOK_S = 0.2
"""How often `--wait` looks again."""


def status(job: Job) -> int:
    """Print each zone and a line for each server of its pool; without names, only zones that lag, and a summary.

    Returns 0 if every zone is on every server, else 1. Raises ZoneNotFound.
    """
    named = job.args.zone
    end = time.monotonic() + job.args.wait
    while time.monotonic() < end and any(_lags(peers) for _, peers in _looked(job)):
        time.sleep(LOOK_S)
    found, lagging, count = [], 0, 0
    for count, (zone, peers) in enumerate(_looked(job), 1):
        behind = _lags(peers)
        lagging += behind
        if job.args.json:
            found.append(_object(zone, peers))
        elif named or behind:
            if count > 1 and (named or lagging > 1):
                job.screen.line()
            _show(job, zone, peers)
    if job.args.json:
        job.screen.line(json.dumps(found, indent=2))
    elif not named:
        whole = "Every zone is on every server." if count else "There are no zones."
        job.screen.line(f"Zones that lag: {lagging}" if lagging else whole)
    return 1 if lagging else 0


def _looked(job: Job) -> Iterator[tuple[Zone, tuple[PeerView, ...]]]:
    """The zones that are named, or all, each with its servers."""
    named = job.args.zone
    zones: Iterable[Zone] = [zone for name in named for zone in _found(job, name)] if named else job.zones()
    for zone in zones:
        yield zone, job.central.call(ZonePeers(caller=job.caller, zone_id=zone.id))


def _lags(peers: tuple[PeerView, ...]) -> bool:
    return not peers or bool(_behind(peers))


def _found(job: Job, named: str) -> Iterator[Zone]:
    try:
        yield job.central.call(GetZone(caller=job.caller, zone_id=str(uuid.UUID(named))))
        return
    except ValueError:
        pass
    try:
        name = canonical(named if named.endswith(".") else named + ".")
    except InvalidName as wrong:
        raise ZoneNotFound(f"{named} is neither the id nor the name of a zone: {wrong}") from wrong
    zones = job.zones_named(name)
    if not zones:
        raise ZoneNotFound(f"there is no zone {name}")
    yield from zones


def _behind(peers: tuple[PeerView, ...]) -> list[str]:
    """The addresses that lag, each once: a server is a target and a nameserver of its pool."""
    return list(dict.fromkeys(_address(peer) for peer in peers if peer.state is not Condition.CURRENT))


def _address(peer: PeerView) -> str:
    """Host and port; a target's name begins with its type."""
    return peer.address.rpartition(" ")[2]


def _since(zone: Zone, peer: PeerView) -> int | None:
    """Since when a server has its state. One that lags was current at least until the zone's last change."""
    if peer.state is Condition.CURRENT or peer.since is None or zone.updated_at is None:
        return peer.since
    return max(peer.since, zone.updated_at)


def _object(zone: Zone, peers: tuple[PeerView, ...]) -> dict[str, object]:
    """A zone as `--json` prints it; times as on the screen."""
    servers = [
        {
            "role": peer.role.value,
            "server": peer.address,
            "state": peer.state.value,
            "serial": peer.serial,
            "since": moment(_since(zone, peer)),
            "failures": peer.attempts,
            "error": peer.error,
        }
        for peer in peers
    ]
    facts = {"id": zone.id, "name": zone.name, "status": zone.status.value, "action": zone.action.value}
    return {**facts, "serial": zone.serial, "pool_id": zone.pool_id, "lagging": _behind(peers), "servers": servers}


def _show(job: Job, zone: Zone, peers: tuple[PeerView, ...]) -> None:
    wait = f" ({zone.action.value})" if zone.action.value != "NONE" else ""
    job.screen.line(f"{zone.name}  {zone.status.value}{wait}  serial {zone.serial}", "bold")
    job.screen.line(f"id {zone.id}  pool {zone.pool_id}  project {zone.project_id or '-'}", "dim")
    if not peers:
        job.screen.line("Its pool has no servers; see `pool show-config`.", "yellow")
        return
    rows = [
        [p.role.value, p.address, p.state.value, p.serial, moment(_since(zone, p)), p.attempts or None, _why(job, p)]
        for p in peers
    ]
    job.screen.table(["role", "server", "state", "serial", "since", "failures", "why"], rows)
    if lagging := _behind(peers):
        servers = len({_address(peer) for peer in peers})
        job.screen.line(f"{len(lagging)} of {servers} lag: {', '.join(lagging)}", "yellow")


def _why(job: Job, peer: PeerView) -> str | None:
    if peer.state is Condition.CURRENT:
        return None
    tries = f"next try in {span(peer.next_try - job.clock())}" if peer.next_try is not None else None
    if tries is not None and tries.endswith("now"):
        tries = "next try now"
    return "; ".join(part for part in (peer.error, tries) if part) or None
