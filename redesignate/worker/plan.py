# SPDX-License-Identifier: Apache-2.0
"""What each peer of a zone is to be told or asked, and what its answer means. Pure: no clock, no socket, no central."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from redesignate.model.pool import Endpoint
from redesignate.model.serial import newer
from redesignate.model.work import PeerState, Task
from redesignate.model.zone import ZoneType
from redesignate.wire.ask import SOAAnswer
from redesignate.wire.message import Rcode

FIRST_POLL_S = 0.010
POLL_GROWTH = 1.5
LONGEST_POLL_PAUSE_S = 1.0
NOTIFY_AGAIN_S = (0.2, 0.5, 1.0, 2.0)
"""When an unserved NOTIFY is sent once more, in seconds after the first; measured (DESIGN.md)."""

UNKNOWN_ZONE = frozenset({Rcode.NOTAUTH, Rcode.REFUSED, Rcode.NXDOMAIN})
"""How a server answers a NOTIFY for a zone that it does not have: BIND and NSD NOTAUTH, others the rest."""
GONE = frozenset({Rcode.REFUSED, Rcode.NXDOMAIN, Rcode.NOTAUTH, Rcode.NOERROR})
"""How a server without a zone answers for its SOA. NOERROR without a SOA: a parent zone answers."""


class Do(Enum):
    """One thing that a target is told."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NOTIFY_ZONE = "notify zone"
    NOTIFY_CATALOG = "notify catalog"


class Stand(Enum):
    """What to do about one peer now."""

    DONE = "done"
    WAIT = "wait"
    TRY = "try"


def steps(task: Task, known: PeerState | None, *, notified: bool = True) -> tuple[Do, ...]:
    """What one target must be told, in order. A catalog's consumer finds members by itself (RFC 9432 §5).

    notified   False: the target needs no NOTIFY
    Where the zone is known to be there the NOTIFY goes first, for every millisecond before it delays the change.
    """
    there = known is not None and known.present
    if task.superseded:
        found: tuple[Do, ...] = ()
    elif task.catalog is not None or task.type is ZoneType.CATALOG:
        found = _by_catalog(task, there=there)
    elif not task.present:
        found = (Do.DELETE,)
    elif there:
        found = (Do.NOTIFY_ZONE, Do.UPDATE)
    else:
        found = (Do.CREATE, Do.NOTIFY_ZONE)
    return found if notified else tuple(step for step in found if step not in {Do.NOTIFY_ZONE, Do.NOTIFY_CATALOG})


def _by_catalog(task: Task, *, there: bool) -> tuple[Do, ...]:
    """The operator gives the servers the catalog zone itself, so nobody is told of it but by its own NOTIFY."""
    if task.type is ZoneType.CATALOG:
        return (Do.NOTIFY_ZONE,) if task.present else ()
    return (Do.NOTIFY_ZONE,) if task.present and there else (Do.NOTIFY_CATALOG,)


def stand(task: Task, known: PeerState | None, now: int, *, well: bool) -> Stand:
    """Whether a peer has to be tried now.

    well   the peer answers others at present: then its back-off, which is for the absent, does not hold up this change
    """
    if known is None:
        return Stand.TRY
    if done(task, known):
        return Stand.DONE
    if known.next_try > now and not well:
        return Stand.WAIT
    return Stand.TRY


def done(task: Task, known: PeerState) -> bool:
    """Whether a peer is known to be where the task wants it."""
    return known.revision >= task.revision and known.present == task.present


def fault(task: Task, at: Endpoint, answer: SOAAnswer) -> str | None:
    """Why a nameserver's answer is not what the task wants, in one line; None where it is. RFC 1982 for the serials."""
    if not task.present:
        if answer.serial is not None:
            return f"{at} still serves serial {answer.serial}"
        return None if answer.rcode in GONE else f"{at} answers {rcode_text(answer.rcode)}"
    if answer.rcode != Rcode.NOERROR:
        return f"{at} answers {rcode_text(answer.rcode)}"
    if answer.serial is None:
        return f"{at} answers without a SOA"
    return f"{at} still serves serial {answer.serial}" if newer(task.serial, answer.serial) else None


def rcode_text(rcode: int) -> str:
    """The name of an rcode, or its number."""
    try:
        return Rcode(rcode).name
    except ValueError:
        return f"rcode {rcode}"


def poll_pauses() -> Iterator[float]:
    """Seconds before each poll: 10 ms, growing by half, at most a second; without end."""
    pause = FIRST_POLL_S
    while True:
        yield pause
        pause = min(pause * POLL_GROWTH, LONGEST_POLL_PAUSE_S)


def notify_moments() -> Iterator[float]:
    """Seconds after the start at which an unserved NOTIFY goes out: at once, four times, then every 2 s."""
    yield 0.0
    yield from NOTIFY_AGAIN_S
    last = NOTIFY_AGAIN_S[-1]
    while True:
        last += 2.0
        yield last
