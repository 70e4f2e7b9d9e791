# SPDX-License-Identifier: Apache-2.0
# Long because every command stands here, one after another: the table of what central is asked.
"""The two ports of the bus, and everything that goes over them.

`Central.call` asks central one question and waits for its answer: a `Command` is a struct that names its reply.
`Wake` carries hints (zone ids) to the workers; a lost hint costs seconds, because the outbox row is the truth.
Both have two implementations that pass the same tests: `inproc` and `amqp`. A failure comes back as the `Problem`
that central raised. A new operation = a struct here, a function in `central/`, a line in `central/service.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar, get_args

import msgspec

from redesignate.model.caller import Caller
from redesignate.model.inbound import InboundOutcome, InboundTask
from redesignate.model.paging import ListQuery, Page
from redesignate.model.pool import NSRecord, Pool
from redesignate.model.rrset import NewRRset, RRset, RRsetChange
from redesignate.model.service import Service, ServiceState
from redesignate.model.tsig import Scope, TSIGKey
from redesignate.model.work import Outcome, PeerView, Task
from redesignate.model.zone import NewZone, Zone, ZoneChange

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag_field="op"):
    """A question to central; `R` is the type of its answer."""


def reply_type(command: type[Command[R]]) -> type[R]:
    """The type that a command's answer has, read from its base class."""
    (base,) = (b for b in command.__orig_bases__ if get_args(b))  # type: ignore[attr-defined]  # typing keeps it there
    reply: type[R] = get_args(base)[0]
    return reply


# -- zones


class CreateZone(Command[Zone], tag="zone.create", frozen=True):
    caller: Caller
    new: NewZone


class GetZone(Command[Zone], tag="zone.get", frozen=True):
    caller: Caller
    zone_id: str


class ListZones(Command[Page[Zone]], tag="zone.list", frozen=True):
    caller: Caller
    query: ListQuery


class UpdateZone(Command[Zone], tag="zone.update", frozen=True):
    caller: Caller
    zone_id: str
    change: ZoneChange


class DeleteZone(Command[Zone], tag="zone.delete", frozen=True):
    caller: Caller
    zone_id: str


class ZoneNameservers(Command[tuple[NSRecord, ...]], tag="zone.nameservers", frozen=True):
    """The pool's NS records, best first."""

    caller: Caller
    zone_id: str


class ZonePeers(Command[tuple[PeerView, ...]], tag="zone.peers", frozen=True):
    """On which server the zone is, and why not on the others."""

    caller: Caller
    zone_id: str


class TransferZone(Command[None], tag="zone.transfer", frozen=True):
    """Fetch a SECONDARY zone from a primary, whatever its serial (v2's `tasks/xfr`)."""

    caller: Caller
    zone_id: str


# -- RRsets


class CreateRRset(Command[RRset], tag="rrset.create", frozen=True):
    caller: Caller
    zone_id: str
    new: NewRRset


class GetRRset(Command[RRset], tag="rrset.get", frozen=True):
    """`zone_id` None finds the RRset in whichever zone it is (for the redirect of /v2/recordsets/{id})."""

    caller: Caller
    zone_id: str | None
    rrset_id: str


class ListRRsets(Command[Page[RRset]], tag="rrset.list", frozen=True):
    """`zone_id` None: all that the caller's project created, over every zone."""

    caller: Caller
    zone_id: str | None
    query: ListQuery


class UpdateRRset(Command[RRset], tag="rrset.update", frozen=True):
    caller: Caller
    zone_id: str
    rrset_id: str
    change: RRsetChange


class DeleteRRset(Command[RRset], tag="rrset.delete", frozen=True):
    caller: Caller
    zone_id: str
    rrset_id: str


# -- quotas and limits


class GetQuotas(Command[dict[str, int]], tag="quota.get", frozen=True):
    """`project_id` None: the caller's own."""

    caller: Caller
    project_id: str | None


class SetQuotas(Command[dict[str, int]], tag="quota.set", frozen=True):
    caller: Caller
    project_id: str
    limits: dict[str, int]


class ResetQuotas(Command[None], tag="quota.reset", frozen=True):
    caller: Caller
    project_id: str


class GetLimits(Command[dict[str, int]], tag="limit.get", frozen=True):
    """Quotas and name lengths of the caller's project: zones, …, min_ttl, max_zone_name_length, …"""

    caller: Caller


# -- pools and keys


class TargetSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One target of a pool file; options as text, as the backend reads them."""

    type: str
    description: str | None = None
    tsigkey_id: str | None = None
    primaries: tuple[tuple[str, int], ...] = ()
    options: dict[str, str] = {}


class CatalogSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A pool file's catalog zone and the TSIG key that guards it; an empty name takes away the stored one."""

    name: str
    refresh: int = 60
    algorithm: str | None = None
    secret: str | None = None


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as `pools.yaml` says it; None keeps what is stored. Ids of parts are central's business."""

    id: str | None = None
    name: str
    description: str | None = None
    attributes: dict[str, str] | None = None
    ns_records: tuple[NSRecord, ...] | None = None
    nameservers: tuple[dict[str, str | int | None], ...] | None = None
    """each: host, port, tsigkey_id"""
    targets: tuple[TargetSpec, ...] | None = None
    also_notifies: tuple[tuple[str, int], ...] | None = None
    catalog: CatalogSpec | None = None


class ListPools(Command[Page[Pool]], tag="pool.list", frozen=True):
    caller: Caller
    query: ListQuery


class GetPool(Command[Pool], tag="pool.get", frozen=True):
    caller: Caller
    pool_id: str


class ApplyPool(Command[Pool], tag="pool.apply", frozen=True):
    """Create the pool or make the stored one as the spec says (by id, else by name). Idempotent."""

    caller: Caller
    spec: PoolSpec


class DeletePool(Command[None], tag="pool.delete", frozen=True):
    caller: Caller
    pool_id: str


class ListTSIGKeys(Command[tuple[TSIGKey, ...]], tag="tsigkey.list", frozen=True):
    caller: Caller


class CreateTSIGKey(Command[TSIGKey], tag="tsigkey.create", frozen=True):
    caller: Caller
    name: str
    algorithm: str
    secret: str
    scope: Scope
    resource_id: str


class DeleteTSIGKey(Command[None], tag="tsigkey.delete", frozen=True):
    caller: Caller
    key_id: str


# -- services


class ListServices(Command[Page[Service]], tag="service.list", frozen=True):
    caller: Caller
    query: ListQuery


class GetService(Command[Service], tag="service.get", frozen=True):
    caller: Caller
    service_id: str


class Heartbeat(Command[None], tag="service.heartbeat", frozen=True):
    """A service says that it lives, or that it stops. Upsert on (service_name, hostname)."""

    service_name: str
    hostname: str
    status: ServiceState


class CheckServices(Command[int], tag="service.check", frozen=True):
    """UP and silent for `silent_s` becomes DOWN; STOPPED, and DOWN for `forget_s` (0: never), is removed. How many."""

    silent_s: int | None = None
    forget_s: int | None = None


# -- the worker's and the producer's


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


class PurgeZones(Command[int], tag="zone.purge", frozen=True):
    """Forget zones deleted for longer than `age_s`, at most `limit` of shards first..last. How many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class TrimJournal(Command[int], tag="journal.trim", frozen=True):
    """Drop journal rows older than `age_s`, at most `limit`, of shards first..last. How many."""

    first_shard: int
    last_shard: int
    age_s: int
    limit: int


class RefreshApexes(Command[int], tag="zone.apexes", frozen=True):
    """Bring at most `limit` zones' apex NS sets and mnames to their pools' NS records of now. How many were behind."""

    limit: int = 100


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """This member is number `index` of `count` (sorted by name)."""

    index: int
    count: int


class HoldPartition(Command[Partition], tag="lease.partition", frozen=True):
    """Membership by database lease: say that `member` of `group` lives for `lease_s` more, hear its place."""

    group: str
    member: str
    lease_s: float


_INBOUND = "inbound:"


def inbound_hint(zone_id: str) -> str:
    """The hint that a SECONDARY zone's primaries are to be asked; a bare zone id hints at work in the outbox."""
    return _INBOUND + zone_id


def sorted_hints(hints: Sequence[str]) -> tuple[list[str], list[str]]:
    """Zones with work in the outbox, and zones whose primaries are to be asked."""
    inbound = [hint.removeprefix(_INBOUND) for hint in hints if hint.startswith(_INBOUND)]
    return [hint for hint in hints if not hint.startswith(_INBOUND)], inbound


class ZoneChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The one hint there is: these zones have work in the outbox."""

    zone_ids: tuple[str, ...]


class Central(Protocol):
    """Where central's operations are reached. Safe to call from any thread; blocks until the answer is there."""

    def call(self, command: Command[R]) -> R:
        """Ask; returns the answer or raises its Problem.

        Raises Unavailable when central cannot be reached, TimedOut when no answer came (the change may have been made).
        """
        ...


class Wake(Protocol):
    """Where hints are sent. Never blocks for long and never raises: the sweep finds what is lost."""

    def wake(self, zone_ids: Sequence[str]) -> None:
        """Tell some worker that these zones have work."""
        ...


Handler = Callable[[tuple[str, ...]], None]
"""Works on the hinted zones and returns when they are done or need no holding any longer; only then is the message
acknowledged. Raising gives the message back."""


class WorkSource(Protocol):
    """Where a worker hears of hints."""

    def start(self, handler: Handler) -> None:
        """Deliver hints to `handler`, from threads of the source's own."""
        ...

    def stop(self) -> None:
        """Deliver no more; what is unacknowledged goes to another worker."""
        ...
