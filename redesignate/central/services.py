# SPDX-License-Identifier: Apache-2.0
"""Which services run where, as they say themselves; membership of groups by lease."""

from __future__ import annotations

from redesignate.bus.port import Partition
from redesignate.central.rules import Rules
from redesignate.model.caller import Caller
from redesignate.model.clock import SECOND
from redesignate.model.errors import MarkerNotFound, ServiceNotFound
from redesignate.model.paging import ListQuery, Page
from redesignate.model.service import Service
from redesignate.store.unit import Work


def list_services(rules: Rules, work: Work, caller: Caller, query: ListQuery) -> Page[Service]:
    """A page of service rows. Raises Forbidden, MarkerNotFound."""
    rules.policy.may("find_service_statuses", caller, {})
    page = work.services.listed(query)
    if page is None:
        raise MarkerNotFound(f"Marker {query.marker} could not be found")
    return page


def get_service(rules: Rules, work: Work, caller: Caller, service_id: str) -> Service:
    """One row. Raises Forbidden, ServiceNotFound."""
    rules.policy.may("find_service_status", caller, {})
    service = work.services.get(service_id)
    if service is None:
        raise ServiceNotFound(f"Could not find ServiceStatus {service_id}")
    return service


def check_services(work: Work, silent_s: int | None, forget_s: int | None) -> int:
    """Call silent services DOWN, forget stopped ones; how many rows. `forget_s` 0 keeps DOWN ones for ever."""
    count = 0
    if silent_s is not None:
        count += work.services.silence(work.now - silent_s * SECOND, work.now)
    if forget_s is not None:
        count += work.services.clean(work.now - forget_s * SECOND if forget_s else None)
    return count


def hold_partition(work: Work, group: str, member: str, lease_s: float) -> Partition:
    """Renew a member's lease; its place among those alive."""
    alive = work.members.hold(group, member, work.now, work.now + int(lease_s * SECOND))
    return Partition(index=alive.index(member), count=len(alive))
