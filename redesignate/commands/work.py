# SPDX-License-Identifier: Apache-2.0
"""The workers' commands: they lease the outbox's work, and report how far a zone's servers agree."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command
from redesignate.model.pool import Pool
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import Outcome, Task


class BeginWork(Command[tuple[Task, ...]], tag="work.begin", frozen=True):
    """Lease those of the named zones' outbox rows that are free, and return each zone's desired state.

    Zones with nothing to do, or held by another worker, are left out of the answer. Idempotent for the holder.
    """

    worker: str
    zone_ids: tuple[str, ...]
    lease_s: float = 10.0


class Report(Command[tuple[Task, ...]], tag="work.report", frozen=True):
    """Record outcomes. The answer holds the zones that changed meanwhile: the worker keeps their leases and goes on."""

    worker: str
    outcomes: tuple[Outcome, ...]
    lease_s: float = 10.0


class WorkPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool with the keys that a worker needs for it."""

    pool: Pool
    keys: tuple[TSIGKey, ...] = ()


class PoolForWork(Command[WorkPool], tag="work.pool", frozen=True):
    """Return a pool with the TSIG keys that its peers need."""

    pool_id: str


class Overdue(Command[tuple[str, ...]], tag="work.overdue", frozen=True):
    """List zones whose outbox row has been due for `grace_s` seconds and is not leased, oldest first, of shards
    first..last.

    With `wake` the hints are sent again as well (the producer's sweep).
    """

    first_shard: int = 0
    last_shard: int = 4095
    limit: int = 500
    grace_s: float = 0.0
    wake: bool = False


class PeerReturned(Command[int], tag="work.returned", frozen=True):
    """Report that a peer answers again: every zone of the pool that waits for it is due now. Returns how many."""

    pool_id: str
    peer_id: str


class ReleaseWork(Command[int], tag="work.release", frozen=True):
    """Release all leases, for a start at which no other worker can run. Returns how many leases were cut short."""
