# SPDX-License-Identifier: Apache-2.0
"""What workers ask and report: the outbox's work, one zone's servers brought to agree."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import Command
from redesignate.model.pool import Pool
from redesignate.model.tsigkey import TSIGKey
from redesignate.model.work import Outcome, Task


class BeginWork(Command[tuple[Task, ...]], tag="work.begin", frozen=True):
    """Lease the named zones' outbox rows that nobody holds, and say what each is to look like now.

    Zones with nothing to do, or held by another worker, are left out of the answer. Idempotent for the holder.
    """

    worker: str
    zone_ids: tuple[str, ...]
    lease_s: float = 10.0


class Report(Command[tuple[Task, ...]], tag="work.report", frozen=True):
    """Record outcomes. The answer holds the zones that changed meanwhile: the worker goes on with them, lease kept."""

    worker: str
    outcomes: tuple[Outcome, ...]
    lease_s: float = 10.0


class WorkPool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as the worker needs it."""

    pool: Pool
    keys: tuple[TSIGKey, ...] = ()


class PoolForWork(Command[WorkPool], tag="work.pool", frozen=True):
    """A pool with the TSIG keys that its peers need."""

    pool_id: str


class Overdue(Command[tuple[str, ...]], tag="work.overdue", frozen=True):
    """Zones whose outbox row is due since `grace_s` seconds and held by nobody, oldest first, of shards first..last.

    With `wake` the hints are sent again as well (the producer's sweep).
    """

    first_shard: int = 0
    last_shard: int = 4095
    limit: int = 500
    grace_s: float = 0.0
    wake: bool = False


class PeerReturned(Command[int], tag="work.returned", frozen=True):
    """A peer answers again: every zone of the pool that waits for it is due now. How many."""

    pool_id: str
    peer_id: str


class ReleaseWork(Command[int], tag="work.release", frozen=True):
    """Nobody holds any work: for a start at which no other worker can be alive. How many leases were cut short."""
