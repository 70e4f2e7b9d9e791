# SPDX-License-Identifier: Apache-2.0
"""Reports of what all projects have, for the admin API."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from redesignate.central.rules import Answers, Rules, fields
from redesignate.commands.reports import CountAll, GetProject, ListProjects, ProjectReport
from redesignate.model.errors import ReportNotFound
from redesignate.model.limits import MOST_LISTED
from redesignate.store.reports import Reports
from redesignate.store.unit import Work

_COUNTS: Mapping[str, tuple[str, Callable[[Reports, str | None], int]]] = {
    "zones": ("count_zones", Reports.zones),
    "zones_delayed_notify": ("count_zones", Reports.unserved),
    "records": ("count_records", Reports.records),
    "tenants": ("count_tenants", Reports.projects),
}
"""The policy rule of each count, and the query."""


def count_all(rules: Rules, work: Work, command: CountAll) -> dict[str, int]:
    """Count things of the caller's project, or of all with the all-projects switch. Raises ReportNotFound, Forbidden.

    Cost   a query for each, over the counters of zones or projects
    """
    caller, reports = command.caller, Reports(work.conn)
    project_id = None if caller.all_projects else caller.project_id or ""
    for name in command.what:
        if name not in _COUNTS:
            raise ReportNotFound(f"There is no count of {name[:40]!r}; there are {', '.join(_COUNTS)}")
        rules.policy.may(_COUNTS[name][0], caller, {"project_id": None, "tenant_id": None})
    return {name: _COUNTS[name][1](reports, project_id) for name in command.what}


def list_projects(rules: Rules, work: Work, command: ListProjects) -> tuple[ProjectReport, ...]:
    """Return a page of the projects that have zones. Raises Forbidden, InvalidProject. One query."""
    rules.policy.may("find_tenants", command.caller, {})
    after = fields.project_id(command.after) if command.after else ""
    return Reports(work.conn).listed(after, min(command.limit, MOST_LISTED))


def get_project(rules: Rules, work: Work, command: GetProject) -> ProjectReport:
    """Return one project with the names of its first zones. Raises Forbidden, InvalidProject. Two queries."""
    rules.policy.may("get_tenant", command.caller, {})
    project_id, reports = fields.project_id(command.project_id), Reports(work.conn)
    names = reports.names(project_id, min(command.limit, MOST_LISTED))
    return ProjectReport(id=project_id, zone_count=reports.zones(project_id), zones=names)


ANSWERS: Answers = {
    CountAll: count_all,
    ListProjects: list_projects,
    GetProject: get_project,
}
