# SPDX-License-Identifier: Apache-2.0
"""The states that services report of themselves, and the membership of groups by lease."""

from __future__ import annotations

from redesignate.central.rules import Answers, Rules
from redesignate.commands.services import CheckServices, GetService, Heartbeat, HoldPartition, ListServices, Partition
from redesignate.model.clock import SECOND
from redesignate.model.errors import ServiceNotFound
from redesignate.model.paging import Page
from redesignate.model.service import Service
from redesignate.store.services import Said
from redesignate.store.unit import Work


def list_services(rules: Rules, work: Work, command: ListServices) -> Page[Service]:
    """Return a page of service rows. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_service_statuses", command.caller, {})
    return work.services.listed(command.query)


def get_service(rules: Rules, work: Work, command: GetService) -> Service:
    """One row. Raises Forbidden, ServiceNotFound."""
    rules.policy.may("find_service_status", command.caller, {})
    service = work.services.get(command.service_id)
    if service is None:
        raise ServiceNotFound("Could not find ServiceStatus")
    return service


def heartbeat(_rules: Rules, work: Work, command: Heartbeat) -> None:
    """Record that a process of a service runs, or that it stops: the service runs on as long as another process of it
    lives on that host. Two statements, four the first time."""
    said = Said(command.process, command.status, int(command.believed_s * SECOND), command.stats)
    work.services.beat(command.service_name, command.hostname, said, work.now)


def check_services(_rules: Rules, work: Work, command: CheckServices) -> int:
    """Mark silent services as DOWN and remove stopped ones; return how many. `forget_s` 0 keeps DOWN ones for ever."""
    silent_s, forget_s = command.silent_s, command.forget_s
    count = 0
    if silent_s is not None:
        count += work.services.silence(silent_s * SECOND, work.now)
    if forget_s is not None:
        count += work.services.clean(forget_s * SECOND if forget_s else None, work.now)
    return count


def hold_partition(_rules: Rules, work: Work, command: HoldPartition) -> Partition:
    """Renew a member's lease; return its place among the members whose leases hold."""
    alive = work.members.hold(command.group, command.member, work.now, work.now + int(command.lease_s * SECOND))
    return Partition(index=alive.index(command.member), count=len(alive))


ANSWERS: Answers = {
    ListServices: list_services,
    GetService: get_service,
    Heartbeat: heartbeat,
    CheckServices: check_services,
    HoldPartition: hold_partition,
}
