# SPDX-License-Identifier: Apache-2.0
"""The arguments that every use-case needs beside its transaction, and the check which zones a caller may see.

The rules themselves have one file for each subject:

fields     single values that users send        ownership  which names a project may take
scheduler  which pool gets a zone               agreement  a zone's status, as it follows from its servers' answers
allowed    which names are accepted: TLDs, the blacklist
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redesignate.auth.policy import Policy
from redesignate.config.settings import CentralSettings
from redesignate.model.caller import Caller
from redesignate.model.errors import ZoneNotFound
from redesignate.model.zone import Zone
from redesignate.store.shares import Shares
from redesignate.store.unit import Work
from redesignate.store.zones import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's settings, the policy, and the source of randomness."""

    settings: CentralSettings
    policy: Policy
    random: random.Random = field(default_factory=random.Random)


UseCase = Callable[[Rules, Work, Any], Any]
"""`use_case(rules, work, command) -> answer`: one function, one transaction. Raises the Problems that it names."""
Answers = Mapping[type[Any], UseCase]
"""Use-cases by command; each noun's file ends with one. The values are functions, so that an editor can follow them."""


def check_switches(rules: Rules, caller: Caller) -> None:
    """Raise Forbidden where the caller set a switch that its roles do not allow."""
    if caller.all_projects:
        rules.policy.may("all_tenants", caller, {})
    if caller.edit_managed:
        rules.policy.may("edit_managed_records", caller, {})
    if caller.hard_delete:
        rules.policy.may("hard_delete", caller, {})
    if caller.sudo:
        rules.policy.may("use_sudo", caller, {})


def target_of(zone: Zone, caller: Caller) -> dict[str, object]:
    """A zone that the caller sees, as a policy target. `zone_shared`: the caller sees it because it is shared; the
    owner's own rights, and those of the all-projects switch, do not grow with that."""
    by_share = bool(zone.shares) and zone.project_id != caller.project_id and not caller.all_projects
    return {
        "zone_id": zone.id,
        "zone_name": zone.name,
        "zone_type": zone.type.value,
        "zone_shared": by_share,
        "project_id": zone.project_id,
        "tenant_id": zone.project_id,
    }


def own(caller: Caller) -> Mapping[str, object]:
    """The caller's own project as a policy target."""
    return {"project_id": caller.project_id, "tenant_id": caller.project_id}


def visible(work: Work, caller: Caller, zone: Zone | None) -> Zone:
    """Return the zone if the caller may see it; any other zone counts as missing. Raises ZoneNotFound. Cost: `sees`."""
    if zone is None or not sees(work, caller, zone):
        raise ZoneNotFound("Could not find Zone")
    return zone


def sees(work: Work, caller: Caller, zone: Zone) -> bool:
    """Whether the caller may see a zone: its project's own, one that is shared with it, or any with the all-projects
    switch. A caller without a project owns nothing, not even zones without a project. One query for another project's
    zone that is shared, else none."""
    if caller.all_projects:
        return True
    if caller.project_id is None:
        return False
    if zone.project_id == caller.project_id:
        return True
    return bool(zone.shares) and Shares(work.conn).with_project(zone.id, caller.project_id)


def locked(work: Work, caller: Caller, zone_id: str) -> tuple[Zone, Counts]:
    """Lock the zone until the transaction ends; return it with its counts. Raises ZoneNotFound."""
    found = work.zones.lock(zone_id)
    if found is None or not sees(work, caller, found[0]):
        raise ZoneNotFound("Could not find Zone")
    return found
