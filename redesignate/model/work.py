# SPDX-License-Identifier: Apache-2.0
"""What a worker is to bring about, and what came of it. Ids and small facts only.

One server of a pool is a *peer*: a target (told of zones) or a nameserver (asked for serials).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from redesignate.model.zone import ZoneType


class Role(Enum):
    """What a peer is to us."""

    TARGET = "target"
    NAMESERVER = "nameserver"
    PRIMARY = "primary"
    """Where a SECONDARY zone comes from; in views alone, for no outcome and no state is of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState:
    """What is known of one zone at one peer.

    present    target: the backend has been told of the zone. nameserver: it answered with the zone's SOA
    revision   the newest revision known to be there (0: none)
    serial     nameserver: what it last answered; None: no SOA
    attempts   failed tries in a row; `error` says why the last one failed; `next_try` (µs) when the next is due
    since      µs since 1970 when `revision` was first seen there
    """

    peer_id: str
    role: Role
    present: bool = False
    revision: int = 0
    serial: int | None = None
    since: int | None = None
    attempts: int = 0
    error: str | None = None
    next_try: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Make every peer of `pool_id` agree on one zone. The desired state was read at the moment the task was given.

    present       True: the zone is to be there at `serial` or later; False: it is to be gone
    superseded    True (with present False): another zone of the same name lives in the pool now; touch nothing
    revision      the desired revision; a report counts for it alone
    pool_version  the pool as it is now; a kept copy of another version must be fetched anew
    catalog       name and serial of the pool's catalog zone, where there is one
    peers         what is known so far (absent: nothing)
    lease_until   µs; work past it may be given to another worker
    """

    zone_id: str
    name: str
    type: ZoneType
    present: bool
    superseded: bool
    revision: int
    serial: int
    pool_id: str
    pool_version: int
    hard_delete: bool
    lease_until: int
    catalog: tuple[str, int] | None = None
    peers: tuple[PeerState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOutcome:
    """What one peer did: a failed nameserver is no exception but this value.

    ok       target: told (or needed no telling). nameserver: answers with `serial` at or after the wanted one,
             or, where the zone is to be gone, answers that it has none
    present  as `PeerState.present` after the attempt; where the peer was silent, what was known before
    absent   nameserver: it answered that it has no such zone although it should (silence is no such answer)
    ahead    nameserver: `serial` comes after the wanted one; whether it is one of ours is for central to say
    why      one line for a person, when not ok, or what to say where a serial that is ahead is not ours
    tried    False: the peer was left alone this time (still backing off); nothing is counted
    """

    peer_id: str
    role: Role
    ok: bool
    present: bool
    serial: int | None = None
    why: str | None = None
    tried: bool = True
    absent: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one task. `final` False: a first word while slower peers are still being worked on (lease kept)."""

    zone_id: str
    revision: int
    present: bool
    peers: tuple[PeerOutcome, ...]
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """One line of "on which server is this zone, and why not on the others"."""

    peer_id: str
    role: Role
    address: str
    state: str
    """"current", "behind", "absent", "unknown"; a primary's also "expired" """
    serial: int | None
    since: int | None
    attempts: int
    error: str | None
    next_try: int | None
