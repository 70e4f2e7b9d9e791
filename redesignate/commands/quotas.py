# SPDX-License-Identifier: Apache-2.0
"""What central is asked about quotas and limits."""

from __future__ import annotations

from redesignate.commands.base import CallerCommand


class GetQuotas(CallerCommand[dict[str, int]], tag="quota.get", frozen=True):
    """`project_id` None: the caller's own."""

    project_id: str | None


class SetQuotas(CallerCommand[dict[str, int]], tag="quota.set", frozen=True):
    project_id: str
    limits: dict[str, int]


class ResetQuotas(CallerCommand[None], tag="quota.reset", frozen=True):
    project_id: str


class GetLimits(CallerCommand[dict[str, int]], tag="limit.get", frozen=True):
    """Quotas and name lengths of the caller's project: zones, …, min_ttl, max_zone_name_length, …"""
