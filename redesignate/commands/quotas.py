# SPDX-License-Identifier: Apache-2.0
"""Commands about quotas and limits."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand


class GetQuotas(CallerCommand[dict[str, int]], tag="quota.get", frozen=True):
    """Return a project's quotas; the caller's own where `project_id` is None."""

    project_id: str | None


class GetUsage(CallerCommand[dict[str, int]], tag="quota.usage", frozen=True):
    """Count what a project (None: the caller's own) has of what is limited, by the names of the quotas: its zones, and
    what the zone `zone_id` of it holds."""

    project_id: str | None
    zone_id: str | None = None


class SetQuotas(CallerCommand[dict[str, int]], tag="quota.set", frozen=True):
    project_id: str
    limits: dict[str, int]


class ResetQuotas(CallerCommand[None], tag="quota.reset", frozen=True):
    project_id: str


class GetLimits(CallerCommand[dict[str, int]], tag="limit.get", frozen=True):
    """Return quotas and name lengths of the caller's project: zones, …, min_ttl, max_zone_name_length, …"""
