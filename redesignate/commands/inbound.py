# SPDX-License-Identifier: Apache-2.0
"""Commands about SECONDARY zones and their primaries."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.inbound import InboundOutcome, InboundTask


class TransferZone(CallerCommand[None], tag="zone.transfer", frozen=True):
    """Fetch a SECONDARY zone from a primary, whatever its serial (v2's `tasks/xfr`)."""

    zone_id: str


class DueInbound(Command[tuple[str, ...]], tag="inbound.due", frozen=True):
    """List SECONDARY zones whose primaries are due to be queried and that are not leased, the longest due first."""

    limit: int = 100


class BeginInbound(Command[tuple[InboundTask, ...]], tag="inbound.begin", frozen=True):
    """Lease those of these SECONDARY zones that are due and free, and return how to query each.

    Zones that others hold are left out. With `renew` only the leases that the worker holds are extended, and their
    tasks go on.
    """

    worker: str
    zone_ids: tuple[str, ...]
    lease_s: float = 60.0
    renew: bool = False


class ReportInbound(Command[None], tag="inbound.report", frozen=True):
    """Record the result of querying a zone's primaries, with the zone where it was fetched. Idempotent."""

    worker: str
    outcome: InboundOutcome


class NotifiedInbound(Command[int], tag="inbound.notified", frozen=True):
    """Schedule zones for which primaries sent NOTIFY (zone id, the primary's address). Returns how many."""

    zones: tuple[tuple[str, str], ...]


class SweepInbound(Command[int], tag="inbound.sweep", frozen=True):
    """Expire copies that are too old, have zones fetched again that were published beside the copy that DNS serves, and
    hint at due zones that are not leased, of shards first..last.

    Returns how many.
    """

    first_shard: int
    last_shard: int
    limit: int


class ForgetCopies(Command[int], tag="inbound.forget_copies", frozen=True):
    """Delete some rows of one copy of a SECONDARY zone that DNS does not serve any more. Returns 1; 0 if none is left.

    Idempotent.
    """
