# SPDX-License-Identifier: Apache-2.0
"""Computes a zone's status from its peers' states: pure functions, no SQL.

A report raises a state to the revision that the report names and to no other, so that a slow or repeated report cannot
make anything look newer than it is. The confirmed revision never falls.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from redesignate.config.settings import CentralSettings
from redesignate.model.clock import SECOND
from redesignate.model.pool import Pool
from redesignate.model.work import Outcome, PeerOutcome, PeerState, Role
from redesignate.model.zone import Action, Status, Zone, ZoneType

FIRST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of all states of a zone.

    agreed     every peer of the pool has the newest revision: nothing is left to do. A pool without nameservers never
               confirms a zone, yet there is nothing to do for it either, until the pool changes
    next_try   µs, when the earliest of the other peers is due
    """

    zone: Zone
    agreed: bool
    next_try: int


def pause(attempts: int, settings: CentralSettings, chance: random.Random) -> int:
    """The wait (µs) after so many failures: it doubles from 0.5 s to the retry interval, with ±25 % random jitter."""
    seconds = min(float(settings.poll_retry_interval), FIRST_PAUSE * 2.0 ** min(attempts - 1, 16))
    return int(seconds * SECOND * chance.uniform(0.75, 1.25))


def heard(known: PeerState | None, said: PeerOutcome, outcome: Outcome, *, now: int, wait: int) -> PeerState:
    """A peer's state after one outcome. An outcome for a revision older than the one it is known to have is ignored."""
    state = known or PeerState(peer_id=said.peer_id, role=said.role)
    if not said.tried or outcome.revision < state.revision:
        return state
    if not said.ok:
        return replace(
            state,
            present=said.present,
            serial=said.serial if said.role is Role.NAMESERVER else None,
            attempts=state.attempts + 1,
            error=said.why and "".join(c if c.isprintable() else "?" for c in said.why),  # may be a server's text
            next_try=now + wait,
        )
    return replace(
        state,
        present=outcome.present,
        revision=outcome.revision,
        serial=said.serial,
        since=now if outcome.revision != state.revision else state.since,
        attempts=0,
        error=None,
        next_try=0,
    )


def missing(outcome: Outcome) -> bool:
    """Whether a nameserver answered that it does not have the zone although it was created on the targets.

    The zone is then created on them again. A server that does not answer may well have the zone: it is no reason to
    repeat the work on the targets.
    """
    return outcome.present and outcome.final and any(said.absent and said.tried for said in outcome.peers)


def judge(
    zone: Zone, pool: Pool | None, states: Mapping[str, PeerState], settings: CentralSettings, now: int
) -> Verdict:
    """Compute the zone's status from its servers' states. A zone whose pool is deleted has no peers left to agree."""
    wanted = not deleting(zone)
    servers = [states.get(server.id) for server in pool.nameservers] if pool else []
    targets = [states.get(target.id) for target in pool.targets] if pool else []
    behind = [state for state in (*servers, *targets) if not _there(state, zone, present=wanted)]
    failed = bool(behind) and any(_hopeless(some, zone, settings, present=wanted) for some in (servers, targets))
    # without nameservers to query, the targets' states confirm a deletion
    confirming = servers if wanted else servers or targets
    needed = _needed(len(confirming), settings.threshold_percentage)
    if wanted:
        after = _living(zone, confirming, needed, failed)
    else:
        gone = sum(1 for state in confirming if _there(state, zone, present=False))
        after = _deleted(zone, gone >= needed, failed, now)
    return Verdict(after, not behind, min((state.next_try if state else 0 for state in behind), default=0))


def everywhere(zone: Zone, pool: Pool | None, states: Mapping[str, PeerState]) -> int:
    """The revision that every nameserver of the pool serves, or at which each has dropped a zone that is being deleted
    (without nameservers: each target). Without any servers 0, or that of the deletion."""
    wanted = not deleting(zone)
    servers = pool.nameservers if pool else ()
    confirming = servers if wanted or servers or pool is None else pool.targets
    found = [states.get(server.id) for server in confirming]
    reached = [state.revision if state and state.present is wanted else 0 for state in found]
    return min(reached, default=0 if wanted else zone.revision)


def deleting(zone: Zone) -> bool:
    """Whether no server is to have the zone any more."""
    return zone.action is Action.DELETE or zone.deleted_at is not None


def _there(state: PeerState | None, zone: Zone, *, present: bool) -> bool:
    return state is not None and state.revision >= zone.revision and state.present is present


def _needed(servers: int, threshold: int) -> int:
    """The number of servers that meets the threshold, rounded up; at least one, where there are any."""
    return max(1, -(-servers * threshold // 100)) if servers else 0


def _living(zone: Zone, servers: Sequence[PeerState | None], needed: int, failed: bool) -> Zone:
    reached = sorted((state.revision if state and state.present else 0 for state in servers), reverse=True)
    served = min(reached[needed - 1] if needed else 0, zone.revision)
    confirmed = max(zone.confirmed, served)
    if zone.type is ZoneType.SECONDARY and zone.status is Status.ERROR and zone.action is Action.NONE:
        return structs.replace(zone, confirmed=confirmed)  # expired: its servers' answers do not refresh the copy
    # a zone at rest stays ACTIVE until the audit finds it missing, and is then not ACTIVE until it is served again
    if served >= zone.revision or (zone.action is Action.NONE and confirmed >= zone.revision):
        return structs.replace(zone, confirmed=confirmed, status=Status.ACTIVE, action=Action.NONE)
    return structs.replace(zone, confirmed=confirmed, status=Status.ERROR if failed else Status.PENDING)


def _deleted(zone: Zone, gone: bool, failed: bool, now: int) -> Zone:
    if zone.deleted_at is not None:
        return zone
    if gone:
        return structs.replace(zone, status=Status.DELETED, action=Action.NONE, deleted_at=now)
    return structs.replace(zone, status=Status.ERROR if failed else Status.PENDING)


def _hopeless(some: Sequence[PeerState | None], zone: Zone, settings: CentralSettings, *, present: bool) -> bool:
    """Whether so many peers have failed `poll_max_retries` times that the threshold is out of reach.

    They are still retried.
    """
    hope = sum(
        1
        for state in some
        if state is None or state.attempts < settings.poll_max_retries or _there(state, zone, present=present)
    )
    return hope < _needed(len(some), settings.threshold_percentage)
