# SPDX-License-Identifier: Apache-2.0
"""`service …`: lists the services and their hosts, and removes those that no longer run."""

from __future__ import annotations

import math

from redesignate.commands.services import CheckServices, ListServices
from redesignate.manage.job import PAGE, Job
from redesignate.manage.screen import moment, span
from redesignate.model.paging import ListQuery
from redesignate.model.service import Service


def show(job: Job) -> int:
    """Print every service's status, the time of its last heartbeat, and what a worker does not manage in time."""
    rows, late = [], []
    for one in sorted(_all(job), key=lambda one: (one.service_name, one.hostname)):
        heard = one.heartbeated_at
        ago = "-" if heard is None else f"{moment(heard)} ({span(job.clock() - heard)})"
        rows.append([one.service_name, one.hostname, one.status.value, ago])
        audit = one.stats.get("audit", {})
        if audit.get("late"):
            late.append(
                f"worker on {one.hostname}: zones are checked on their nameservers every {audit['seconds']} s, "
                f"not every {audit['interval']} s; raise [service:worker] audit_rate, or start more workers"
            )
    none = "There are no services: none that uses this database has sent a heartbeat yet."
    job.screen.table(["service", "host", "status", "last heartbeat"], rows, none)
    for line in late:
        job.screen.line(line, "yellow")
    return 0


def clean(job: Job) -> int:
    """Remove services that stopped, and those without a heartbeat for twice its interval."""
    silent = math.ceil(2 * job.settings.heartbeat.heartbeat_interval)
    before = {one.id for one in _all(job)}
    job.central.call(CheckServices(silent_s=silent, forget_s=silent))
    gone = before - {one.id for one in _all(job)}
    job.screen.line(f"{len(gone)} removed")
    return 0


def _all(job: Job) -> list[Service]:
    found: list[Service] = []
    while True:
        query = ListQuery(limit=PAGE, marker=found[-1].id if found else None, count=False)
        page = job.central.call(ListServices(caller=job.caller, query=query))
        found += page.items
        if len(page.items) < PAGE:
            return found
