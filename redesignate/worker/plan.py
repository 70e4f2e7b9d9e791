# SPDX-License-Identifier: Apache-2.0
"""What has to be done at each peer of a zone, and what its answer means. Pure: no clock, no socket, no central."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import chain, count

from redesignate.model.pool import Endpoint
from redesignate.model.serial import newer
from redesignate.model.work import PeerOutcome, PeerState, Role, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.client import SOAAnswer
from redesignate.wire.message import Rcode
from redesignate.wire.served import GONE, foreign_text, rcode_text

FIRST_POLL_S, LATEST_FIRST_POLL_S, LONGEST_USUAL_S = 0.010, 0.15, 2.0
POLL_GROWTH = 1.5
LONGEST_POLL_PAUSE_S = 1.0
NOTIFY_AGAIN_S = (0.2, 0.5, 1.0, 2.0)
"""When an unserved NOTIFY is sent once more, in seconds after the first; measured."""


class Step(Enum):
    """One thing that is done at a target."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NOTIFY_ZONE = "notify zone"
    NOTIFY_CATALOG = "notify catalog"


class Decision(Enum):
    """What to do about one peer now."""

    DONE = "done"
    WAIT = "wait"
    TRY = "try"


def steps(task: Task, known: PeerState | None, *, notified: bool = True) -> tuple[Step, ...]:
    """What is done at one target, in order. A catalog's consumer finds members by itself (RFC 9432 §5).

    notified   False: the target needs no NOTIFY
    Where the zone is known to be there the NOTIFY goes first, because whatever precedes it delays the change.
    """
    there = known is not None and known.present
    if task.superseded:
        found: tuple[Step, ...] = ()
    elif task.catalog is not None or task.type is ZoneType.CATALOG:
        found = _by_catalog(task, there=there)
    elif not task.present:
        found = (Step.DELETE,)
    elif there:
        found = (Step.NOTIFY_ZONE, Step.UPDATE)
    else:
        found = (Step.CREATE, Step.NOTIFY_ZONE)
    return found if notified else tuple(step for step in found if step not in {Step.NOTIFY_ZONE, Step.NOTIFY_CATALOG})


def _by_catalog(task: Task, *, there: bool) -> tuple[Step, ...]:
    """The operator configures the catalog zone itself on the servers, so it needs its own NOTIFY alone."""
    if task.type is ZoneType.CATALOG:
        return (Step.NOTIFY_ZONE,) if task.present else ()
    return (Step.NOTIFY_ZONE,) if task.present and there else (Step.NOTIFY_CATALOG,)


def decide(task: Task, known: PeerState | None, now: int, *, answering: bool) -> Decision:
    """Whether a peer has to be tried now.

    answering   the peer answers for other zones: its back-off, meant for servers that are down, delays no change
    """
    if known is None:
        return Decision.TRY
    if known.revision >= task.revision and known.present == task.present:
        return Decision.DONE
    return Decision.WAIT if known.next_try > now and not answering else Decision.TRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an attempt does with each peer, by peer id.

    applied    targets that something is done at
    reminded   other targets, which get NOTIFYs while some nameserver lags
    polled     nameservers that are asked for the serial
    current    nameservers known to be right
    waiting    the outcomes of those that are left alone until their back-off ends
    """

    applied: tuple[str, ...]
    reminded: tuple[str, ...]
    polled: tuple[str, ...]
    current: tuple[str, ...]
    waiting: tuple[PeerOutcome, ...]


def select(
    task: Task,
    targets: Mapping[str, Endpoint | None],
    servers: Mapping[str, Endpoint],
    *,
    known: Mapping[str, PeerState],
    answering: Collection[str],
    down: Collection[str],
    now: int,
) -> Selection:
    """Which peers are tried now.

    targets     peer id to where its NOTIFY goes
    servers     peer id to address
    answering   peers whose last try was answered; `down`: peers that answer no zone's questions
    Where a nameserver still serves a deleted zone, the target at its address is tried again; where no target has that
    address, all of them, for any may be behind it.
    """
    decisions = {
        peer_id: decide(task, known.get(peer_id), now, answering=peer_id in answering)
        for peer_id in (*targets, *servers)
    }
    polled = tuple(peer_id for peer_id in servers if decisions[peer_id] is Decision.TRY)
    still = {
        servers[peer_id]
        for peer_id in polled
        if not task.present and (state := known.get(peer_id)) and state.attempts > 0 and state.serial is not None
    }
    unmatched = bool(still) and still.isdisjoint(targets.values())
    applied = tuple(
        peer_id
        for peer_id, at in targets.items()
        if decisions[peer_id] is Decision.TRY or unmatched or (at is not None and at in still)
    )
    reminding = task.present and not all(peer_id in down for peer_id in polled)
    roles = [*((peer_id, Role.TARGET) for peer_id in targets), *((peer_id, Role.NAMESERVER) for peer_id in servers)]
    return Selection(
        applied=applied,
        reminded=tuple(peer_id for peer_id in targets if peer_id not in applied) if reminding else (),
        polled=polled,
        current=tuple(peer_id for peer_id in servers if decisions[peer_id] is Decision.DONE),
        waiting=tuple(
            _waiting(known[peer_id], role)
            for peer_id, role in roles
            if decisions[peer_id] is Decision.WAIT and peer_id not in applied
        ),
    )


def _waiting(known: PeerState, role: Role) -> PeerOutcome:
    return PeerOutcome(
        peer_id=known.peer_id,
        role=role,
        ok=False,
        present=known.present,
        serial=known.serial,
        why=known.error,
        tried=False,
    )


def fault(task: Task, at: Endpoint, answer: SOAAnswer) -> str | None:
    """Why a nameserver's answer is not what the task asks for, in one line; None where it is. Serials by RFC 1982."""
    if not task.present:
        if answer.serial is not None:
            return f"{at} still serves serial {answer.serial}"
        return None if answer.rcode in GONE else f"{at} answers {rcode_text(answer.rcode)}"
    if answer.rcode != Rcode.NOERROR:
        return f"{at} answers {rcode_text(answer.rcode)}"
    if answer.serial is None:
        return f"{at} answers without an SOA"
    return f"{at} still serves serial {answer.serial}" if newer(task.serial, answer.serial) else None


def ahead(task: Task, at: Endpoint, answer: SOAAnswer) -> str | None:
    """The remark about a nameserver that serves a later serial than the wanted one, for the case that it is not ours;
    None for any other. Usually the zone has been changed since."""
    if not task.present or answer.serial is None or answer.serial == task.serial:
        return None
    return foreign_text(at, answer.serial)


def longer(pause: float) -> float:
    """The pause (seconds) before the next poll: longer by half, at most a second."""
    return min(pause * POLL_GROWTH, LONGEST_POLL_PAUSE_S)


def learned(usual: float, took: float, *, at_once: bool) -> float:
    """How long (seconds) a nameserver usually takes, where one more change was found served after `took`.

    at_once   the first poll found it, perhaps long since: the next one is sooner. Otherwise the next is nearer to
              `took`, at most twice as late, so that a large zone now and then delays the status of no other
    """
    found = took * 0.7 if at_once else min((usual + took) / 2, usual * 2)
    return min(max(found, FIRST_POLL_S), LONGEST_USUAL_S)


def notify_moments(usual: float = 0.0) -> Iterator[float]:
    """Seconds after the first NOTIFY at which an unserved one is sent again: four times, then every 2 s.

    Up to five times as late to a server that usually takes long: it has enough to do already.
    """
    slow = min(max(2 * usual / NOTIFY_AGAIN_S[0], 1.0), 5.0)
    return chain([after * slow for after in NOTIFY_AGAIN_S], count(NOTIFY_AGAIN_S[-1] * slow + 2.0, 2.0))
