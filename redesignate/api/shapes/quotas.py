# SPDX-License-Identifier: Apache-2.0
"""Quotas and limits: bare maps, without links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from redesignate.api.shapes.members import LIMIT, NUMBER, Body, Member, Whole, Write, json_type
from redesignate.api.shapes.shape import Shape
from redesignate.model.errors import InvalidObject
from redesignate.model.limits import INT32_MAX

QUOTA: Shape[dict[str, int], dict[str, int]] = Shape(
    "quota",
    Member("zones", LIMIT, "Zones of a project.", Write.ALWAYS),
    Member("zone_recordsets", LIMIT, "Record sets of a zone, SOA and NS among them.", Write.ALWAYS),
    Member("zone_records", LIMIT, "Records of a zone, without the managed ones.", Write.ALWAYS),
    Member("recordset_records", LIMIT, "Records of a record set.", Write.ALWAYS),
    Member("api_export_size", LIMIT, "Record sets of a zone that may be exported.", Write.ALWAYS),
)

_BOUNDED = Whole(0, INT32_MAX)
ADMIN_QUOTA: Shape[dict[str, int], dict[str, int]] = Shape(
    "admin_quota", *[replace(member, kind=_BOUNDED) for member in QUOTA.members]
)
"""What the admin API sets: never unlimited."""

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


def wrapped(body: Body) -> dict[str, int]:
    """The limits of `{"quota": {…}}`. Raises InvalidObject with an entry for each fault."""
    given = body.get("quota")
    faults = [*_misplaced((), body, ("quota",))]
    if "quota" not in body:
        faults.append(_fault((), "'quota' is a required property", "required", ["quota"]))
    elif not isinstance(given, dict):
        faults.append(_fault(("quota",), f"{json_type(given)} is not of type 'object'", "type", "object"))
    limits = given if isinstance(given, dict) else {}
    faults += _misplaced(("quota",), limits, ADMIN_QUOTA.names)
    found: dict[str, int] = {}
    for name in limits.keys() & set(ADMIN_QUOTA.names):
        try:
            found[name] = _BOUNDED.read(name, limits[name])
        except InvalidObject:
            text = f"{json_type(limits[name])} is not an integer between 0 and {INT32_MAX}"
            faults.append(_fault(("quota", name), text, "type", "integer"))
    if faults:
        raise InvalidObject(errors={"errors": faults})
    return found


def _misplaced(path: tuple[str, ...], body: Body, known: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    more = ", ".join(repr(name[:40]) for name in body if name not in known)
    if more:
        yield _fault(path, f"Additional properties are not allowed ({more})", "additionalProperties", False)


def _fault(path: tuple[str, ...], message: str, validator: str, value: object) -> dict[str, Any]:
    return {"path": list(path), "message": message, "validator": validator, "validator_value": value}
