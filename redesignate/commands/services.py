# SPDX-License-Identifier: Apache-2.0
"""Commands with which services report their own state, and that list these states."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.paging import ListQuery, Page
from redesignate.model.service import Service, ServiceState, Stats


class ListServices(CallerCommand[Page[Service]], tag="service.list", frozen=True):
    query: ListQuery


class GetService(CallerCommand[Service], tag="service.get", frozen=True):
    service_id: str


class Heartbeat(Command[None], tag="service.heartbeat", frozen=True):
    """Record that a process of a service runs, or that it stops. Upsert on (service_name, hostname).

    process     tells apart the processes of one service on one host
    believed_s  how long the process is taken to live, if nothing more is heard of it
    """

    service_name: str
    hostname: str
    status: ServiceState
    stats: Stats = msgspec.field(default_factory=dict)
    process: str = ""
    believed_s: float = 30.0


class CheckServices(Command[int], tag="service.check", frozen=True):
    """Mark UP services that were silent for `silent_s` as DOWN; remove STOPPED ones, and those DOWN for `forget_s`
    (0: never). Returns how many rows changed."""

    silent_s: int | None = None
    forget_s: int | None = None


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """This member is number `index` of `count` (sorted by name)."""

    index: int
    count: int


class HoldPartition(Command[Partition], tag="lease.partition", frozen=True):
    """Renew `member`'s membership of `group`, a database lease, for `lease_s`. Returns its place."""

    group: str
    member: str
    lease_s: float
