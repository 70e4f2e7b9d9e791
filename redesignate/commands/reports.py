# SPDX-License-Identifier: Apache-2.0
"""Commands about what all projects have, for the admin API."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from redesignate.commands.base import CallerCommand


class CountAll(CallerCommand[dict[str, int]], tag="report.counts", frozen=True):
    """Count things by the names of `COUNTED`: of the caller's project, or of all with the all-projects switch."""

    what: tuple[str, ...]


COUNTED = ("zones", "zones_delayed_notify", "records", "tenants")
"""What can be counted. zones_delayed_notify: zones that some server does not serve yet as it should."""


class ProjectReport(msgspec.Struct, frozen=True, kw_only=True):
    """A project, how many zones it has, and the names of the first of them; none in a list of projects."""

    id: str
    zone_count: int
    zones: tuple[str, ...] = ()

    @property
    def quoted(self) -> str:
        """The id as it stands in an address."""
        return quote(self.id, safe="")


class ListProjects(CallerCommand[tuple[ProjectReport, ...]], tag="report.projects", frozen=True):
    """List at most `limit` projects that have zones, in the order of ids, behind the project `after`."""

    limit: int
    after: str = ""


class GetProject(CallerCommand[ProjectReport], tag="report.project", frozen=True):
    """Report on one project, with at most `limit` of its zones, in the order of names."""

    project_id: str
    limit: int
