# SPDX-License-Identifier: Apache-2.0
"""Quotas and limits: bare maps, without links."""

from __future__ import annotations

from collections.abc import Mapping

from redesignate.api.shapes.members import LIMIT, NUMBER, Member, Write
from redesignate.api.shapes.shape import Shape

QUOTA: Shape[dict[str, int], dict[str, int]] = Shape(
    "quota",
    Member("zones", LIMIT, "Zones of a project.", Write.ALWAYS),
    Member("zone_recordsets", LIMIT, "Record sets of a zone, SOA and NS among them.", Write.ALWAYS),
    Member("zone_records", LIMIT, "Records of a zone, without the managed ones.", Write.ALWAYS),
    Member("recordset_records", LIMIT, "Records of a record set.", Write.ALWAYS),
    Member("api_export_size", LIMIT, "Record sets of a zone that may be exported.", Write.ALWAYS),
)

LIMITS: Shape[None, None] = Shape(
    "limits",
    Member("max_zones", LIMIT, "Zones of the project."),
    Member("max_zone_recordsets", LIMIT, "Record sets of a zone."),
    Member("max_zone_records", LIMIT, "Records of a zone."),
    Member("max_recordset_records", LIMIT, "Records of a record set."),
    Member("min_ttl", NUMBER, "The lowest TTL that a user may set, in seconds."),
    Member("max_zone_name_length", NUMBER, "Characters of a zone's name."),
    Member("max_recordset_name_length", NUMBER, "Characters of a record set's name."),
    Member("max_page_limit", NUMBER, "Items of a page."),
)


def limits(found: Mapping[str, int], page: int) -> dict[str, int]:
    """What the caller runs into: central's limits and the largest page of a list."""
    return {**found, "max_page_limit": page}
