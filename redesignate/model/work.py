# SPDX-License-Identifier: Apache-2.0
"""A worker's tasks and their outcomes. They hold only ids and small facts.

One server of a pool is a *peer*: a target (on which zones are created) or a nameserver (queried for serials).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from redesignate.model.zone import ZoneType


class Role(Enum):
    """The role of a peer."""

    TARGET = "target"
    NAMESERVER = "nameserver"
    PRIMARY = "primary"
    """The source of a SECONDARY zone; used only in views, because outcomes and states have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState:
    """The known state of one zone at one peer.

    present    target: the zone was created there. nameserver: it answered with the zone's SOA
    revision   the newest revision that it is known to have (0: none)
    serial     nameserver: the serial of its last answer; None: no SOA
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

    present       True: every peer must have the zone at `serial` or later; False: none may have it
    superseded    True (with present False): the pool has another zone of the same name now; touch nothing
    revision      the desired revision; a report counts for it alone
    pool_version  the pool as it is now; a kept copy of another version must be fetched anew
    catalog       name and serial of the pool's catalog zone, where there is one
    peers         the states known so far; none of a peer of which nothing is known
    read_at       µs: the clock of the peers' `next_try` when all this was read. It need not be this machine's
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
    read_at: int
    catalog: tuple[str, int] | None = None
    peers: tuple[PeerState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerOutcome:
    """The result at one peer: a failed nameserver is this value, not an exception.

    ok       target: the zone is configured as wanted. nameserver: it answers with `serial` at or after the wanted one,
             or, where the zone is deleted, that it does not have it
    present  as `PeerState.present` after the attempt; where the peer was silent, its earlier value
    absent   nameserver: it answered that it does not have the zone although it should (silence does not count)
    ahead    nameserver: `serial` comes after the wanted one; central decides whether it is one of ours
    why      one line for a person, when not ok, or for the case that a serial that is ahead is not ours
    tried    False: the peer was not tried this time (still backing off); nothing is counted
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
    """The outcome of one task. `final` False: an early report while work on slower peers continues (lease kept)."""

    zone_id: str
    revision: int
    present: bool
    peers: tuple[PeerOutcome, ...]
    final: bool = True


class Condition(Enum):
    """How a zone is at one peer.

    CURRENT   as it should be
    BEHIND    an older content, or a deleted zone that is still there; of a primary: it did not answer lately
    ABSENT    it does not have the zone; of a primary: the zone was never fetched
    UNKNOWN   it was never tried
    EXPIRED   only of a primary: it has not answered for so long that the copy must not be served (RFC 1035 §3.3.13)
    """

    CURRENT = "current"
    BEHIND = "behind"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """One line of "on which server is this zone, and why not on the others"."""

    peer_id: str
    role: Role
    address: str
    state: Condition
    serial: int | None
    since: int | None
    attempts: int
    error: str | None
    next_try: int | None
