# SPDX-License-Identifier: Apache-2.0
"""Checks which names a project may take, over every pool: it must own the nearest zone above and every zone below."""

from __future__ import annotations

from redesignate.model.errors import DuplicateZone, IllegalChild, IllegalParent, InvalidZoneName
from redesignate.model.names import ancestors, labels
from redesignate.model.zone import Zone
from redesignate.store.unit import Work


def family(name: str) -> str:
    """The last two labels of a name: where one zone is below another, both share them."""
    return ".".join(labels(name)[-2:]) + "."


def check_length(name: str, longest: int) -> None:
    """Raise InvalidZoneName for a name that is too long or has one label only."""
    if len(name) > longest:
        raise InvalidZoneName("Name too long")
    if len(labels(name)) < 2:
        raise InvalidZoneName("More than one label is required")


def check_ownership(work: Work, name: str, project_id: str | None) -> list[Zone]:
    """Raise where another project owns this name, the nearest zone above it, or any zone below it.

    Returns the zones above, nearest first, of every pool. Two queries.
    Raises DuplicateZone, IllegalChild, IllegalParent.
    """
    above = ancestors(name)
    found = sorted(work.zones.named(above), key=lambda zone: len(zone.name), reverse=True)
    for zone in found:
        if zone.name == name and zone.project_id != project_id:
            raise DuplicateZone("Zone already exists, owned by a different tenant")
    parents = [zone for zone in found if zone.name != name]
    if parents and any(zone.project_id != project_id for zone in parents if zone.name == parents[0].name):
        raise IllegalChild("Unable to create zone because another tenant owns a parent zone of the given name")
    if work.zones.foreign_below(name, project_id):
        raise IllegalParent("Unable to create zone because another tenant owns a subzone of the given name")
    return parents


def parent_in(parents: list[Zone], pool_id: str) -> Zone | None:
    """The nearest zone above, of those in the pool."""
    return next((zone for zone in parents if zone.pool_id == pool_id), None)
