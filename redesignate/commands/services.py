# SPDX-License-Identifier: Apache-2.0
"""What services tell central of themselves, and what is asked about them."""

from __future__ import annotations

import msgspec

from redesignate.commands.base import CallerCommand, Command
from redesignate.model.paging import ListQuery, Page
from redesignate.model.service import Service, ServiceState


class ListServices(CallerCommand[Page[Service]], tag="service.list", frozen=True):
    query: ListQuery


class GetService(CallerCommand[Service], tag="service.get", frozen=True):
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


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """This member is number `index` of `count` (sorted by name)."""

    index: int
    count: int


class HoldPartition(Command[Partition], tag="lease.partition", frozen=True):
    """Membership by database lease: say that `member` of `group` lives for `lease_s` more, hear its place."""

    group: str
    member: str
    lease_s: float
