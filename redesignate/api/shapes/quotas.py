# SPDX-License-Identifier: Apache-2.0
"""Quotas and limits: bare maps, without links."""

from __future__ import annotations

from collections.abc import Mapping

from redesignate.api.shapes.members import LIMIT, Member, Write
from redesignate.api.shapes.shape import Shape

QUOTA: Shape[dict[str, int], dict[str, int]] = Shape(
    "quota",
    Member("zones", LIMIT, "Zones of a project.", Write.ALWAYS),
    Member("zone_recordsets", LIMIT, "Record sets of a zone, SOA and NS among them.", Write.ALWAYS),
    Member("zone_records", LIMIT, "Records of a zone, without the managed ones.", Write.ALWAYS),
    Member("recordset_records", LIMIT, "Records of a record set.", Write.ALWAYS),
    Member("api_export_size", LIMIT, "Record sets of a zone that may be exported.", Write.ALWAYS),
)


def limits(found: Mapping[str, int], page: int) -> dict[str, int]:
    """What the caller runs into: central's limits and the largest page of a list."""
    return {**found, "max_page_limit": page}
