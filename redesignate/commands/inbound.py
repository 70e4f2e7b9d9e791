# SPDX-License-Identifier: Apache-2.0
"""What central is asked and told about SECONDARY zones and their primaries."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.inbound import InboundOutcome, InboundTask


class TransferZone(CallerCommand[None], tag="zone.transfer", frozen=True):
    """Fetch a SECONDARY zone from a primary, whatever its serial (v2's `tasks/xfr`)."""

    zone_id: str


class DueInbound(Command[tuple[str, ...]], tag="inbound.due", frozen=True):
    """SECONDARY zones whose primaries are to be asked now and that nobody holds, the longest due first."""

    limit: int = 100


class BeginInbound(Command[tuple[InboundTask, ...]], tag="inbound.begin", frozen=True):
    """Lease those of these SECONDARY zones that are due and free, and say how to look at each.

    For those that the worker holds already the lease is longer afterwards; zones held by others are left out.
    """

    worker: str
    zone_ids: tuple[str, ...]
    lease_s: float = 60.0


class ReportInbound(Command[None], tag="inbound.report", frozen=True):
    """Record what came of a look at a zone's primaries, with the zone where it was fetched. Idempotent."""

    worker: str
    outcome: InboundOutcome


class NotifiedInbound(Command[int], tag="inbound.notified", frozen=True):
    """Primaries have sent NOTIFY for these zones (zone id, the primary's address): look at them now. How many."""

    zones: tuple[tuple[str, str], ...]


class SweepInbound(Command[int], tag="inbound.sweep", frozen=True):
    """Let copies that are too old expire, hint at what is due and held by nobody, of shards first..last. How many."""

    first_shard: int
    last_shard: int
    limit: int
