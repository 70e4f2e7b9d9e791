# SPDX-License-Identifier: Apache-2.0
"""Quotas: how much a project may hold. A negative limit means no limit."""

from __future__ import annotations

from redesignate.model.errors import OverQuota

NAMES = ("zones", "zone_recordsets", "zone_records", "recordset_records", "api_export_size")


def check(limits: dict[str, int], **wanted: int) -> None:
    """Raise OverQuota naming, shortest first, each resource whose wanted count is over its limit, and that limit."""
    over = [name for name, count in wanted.items() if 0 <= limits[name] < count]
    if over:
        over.sort(key=lambda name: (len(name), name))
        raise OverQuota(
            f"Quota exceeded for {', '.join(over)}. Limits: {', '.join(f'{name} {limits[name]}' for name in over)};"
            " delete what is not needed, or ask an administrator to raise them (openstack dns quota set)."
        )
