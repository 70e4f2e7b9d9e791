# SPDX-License-Identifier: Apache-2.0
"""Quotas and limits: the operator's defaults, a project's overrides, and the checks of a change against them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

from redesignate.central.rules import Answers, Rules, fields, visible
from redesignate.commands.quotas import GetLimits, GetQuotas, GetUsage, ResetQuotas, SetQuotas
from redesignate.commands.rrsets import CreateRRset, UpdateRRset, UpsertRRset
from redesignate.model.caller import Caller
from redesignate.model.errors import Forbidden, InvalidObject, MissingProject, OverQuota, ZoneNotFound
from redesignate.model.limits import INT32_MAX
from redesignate.store.unit import Store, Work

Weighed = CreateRRset | UpdateRRset | UpsertRRset
NAMES = ("zones", "zone_recordsets", "zone_records", "recordset_records", "api_export_size")
"""The resources that have a limit."""
FEW = 50
"""The number of records that are parsed without a check beforehand."""
SPELLINGS = 4
"""The number of spellings of one record that a request may contain."""


def check(limits: dict[str, int], **wanted: int) -> None:
    """Raise OverQuota naming, shortest first, each resource whose wanted count is over its limit, and that limit."""
    over = [name for name, count in wanted.items() if 0 <= limits[name] < count]
    if over:
        over.sort(key=lambda name: (len(name), name))
        raise OverQuota(
            f"Quota exceeded for {', '.join(over)}. Limits: {', '.join(f'{name} {limits[name]}' for name in over)};"
            " delete what is not needed, or ask an administrator to raise them (openstack dns quota set)."
        )


def limits(rules: Rules, work: Work, project_id: str | None, overrides: dict[str, int] | None = None) -> dict[str, int]:
    """The project's limits: its overrides over the defaults. At most one query, none where the overrides are given."""
    defaults = dict(rules.settings.quotas)
    if rules.settings.quota_driver == "noop" or project_id is None:
        return defaults
    return defaults | (work.quotas.overrides(project_id) if overrides is None else overrides)


def check_zone(rules: Rules, work: Work, project_id: str, *, rrsets: int, records: int = 0) -> None:
    """Check that the project may have one more zone, created with so many RRsets and records, as things are. Raises
    OverQuota. One statement; `spend_zone` decides."""
    overrides, held = work.quotas.standing(project_id)
    check(limits(rules, work, project_id, overrides), zones=held + 1, zone_recordsets=rrsets, zone_records=records)


def spend_zone(rules: Rules, work: Work, project_id: str) -> None:
    """Count one more zone for the project. Raises OverQuota. One statement, two on MySQL.

    The row of the count is written before it is read, so that two creations cannot both take the last place; and as the
    transaction's last, since all of the project's creations wait for it.
    """
    held = work.quotas.take_zone(project_id)
    check(limits(rules, work, project_id), zones=held)


def weigh(rules: Rules, store: Store, command: Weighed) -> Weighed:
    """Return the command itself, unless it has far more records than the zone's owner may have in a record set.

    Records are parsed in the transaction (on SQLite the database is locked, at a change the zone), and a body of ten
    thousand takes half a second. So a command that is far over the quota is refused before. Equal records count once,
    however they are spelled, so that only parsing gives the exact number. Two queries, none for a few records. Raises
    ZoneNotFound, OverQuota.
    """
    records = command.new.records if isinstance(command, CreateRRset) else command.change.records
    if records is UNSET or len(records) <= FEW:
        return command
    count = len(set(records))

    def allowed(work: Work) -> dict[str, int]:
        zone = visible(work, command.caller, work.zones.get(command.zone_id))
        return limits(rules, work, zone.project_id)

    _, found = store.look(allowed)
    if 0 <= found["recordset_records"] * SPELLINGS < count:
        check(found, recordset_records=count)
    return command


def get_quotas(rules: Rules, work: Work, command: GetQuotas) -> dict[str, int]:
    """Return a project's limits, by default the caller's own. Raises MissingProject, Forbidden."""
    caller = command.caller
    wanted = _project(rules, caller, command.project_id, "get_quotas", {"all_tenants": caller.all_projects})
    return limits(rules, work, wanted)


def get_usage(rules: Rules, work: Work, command: GetUsage) -> dict[str, int]:
    """Return how much a project has of what is limited, and what one zone of it holds.

    Raises ZoneNotFound, MissingProject, Forbidden.
    Cost   at most two queries by key, whatever the project has: the counts are kept by the changes
    """
    caller = command.caller
    held = work.zones.counted(command.zone_id) if command.zone_id is not None else None
    if command.zone_id is not None:
        visible(work, caller, held[0] if held else None)
    wanted = _project(rules, caller, command.project_id, "get_quotas", {"all_tenants": caller.all_projects})
    usage = {"zones": work.quotas.zones_of(wanted)}
    if held is None:
        return usage
    zone, counts = held
    if zone.project_id != wanted:
        raise ZoneNotFound("Could not find Zone")
    return usage | {
        "zone_recordsets": counts.rrsets,
        "zone_records": counts.records,
        "api_export_size": counts.rrsets,
    }


def set_quotas(rules: Rules, work: Work, command: SetQuotas) -> dict[str, int]:
    """Set some of a project's limits; return all of them as they are now. Raises InvalidObject, Forbidden."""
    given = command.limits
    wanted = settable(rules, command.caller, command.project_id)
    for name, limit in given.items():
        if name not in NAMES:
            raise InvalidObject(f"Provided object does not match schema. Keys ['{name}'] are not valid for quota")
        if not -1 <= limit <= INT32_MAX:
            raise InvalidObject(
                "Provided object is not valid. Got a ValueError error with message "
                f"Value must be between -1 and {INT32_MAX}, not {limit}"
            )
    if rules.settings.quota_driver != "noop":
        work.quotas.set(wanted, given)
    return limits(rules, work, wanted)


def settable(rules: Rules, caller: Caller, project_id: str | None) -> str:
    """Return the project whose limits the caller may set. Raises MissingProject, InvalidProject, Forbidden."""
    return _project(rules, caller, project_id, "set_quota", {})


def reset_quotas(rules: Rules, work: Work, command: ResetQuotas) -> None:
    """Reset a project's limits to the defaults. Raises InvalidProject, Forbidden."""
    project_id = fields.project_id(command.project_id)
    rules.policy.may("reset_quotas", command.caller, {"project_id": project_id, "tenant_id": project_id})
    if rules.settings.quota_driver != "noop":
        work.quotas.reset(project_id)


def _project(rules: Rules, caller: Caller, project_id: str | None, rule: str, more: Mapping[str, object]) -> str:
    if project_id is None and caller.project_id is None:
        raise MissingProject("The token has no project, and the request does not name one")
    wanted = project_id if project_id is not None else caller.project_id
    assert wanted is not None
    fields.project_id(wanted)
    rules.policy.may(rule, caller, {"project_id": wanted, "tenant_id": wanted} | dict(more))
    if wanted != caller.project_id and not caller.all_projects:
        raise Forbidden("Another project's quotas need the header X-Auth-All-Projects: true")
    return wanted


def get_limits(rules: Rules, work: Work, command: GetLimits) -> dict[str, int]:
    """Return the limits of the caller's project, and how long names may be. Open to every caller."""
    allowed = limits(rules, work, command.caller.project_id)
    settings = rules.settings
    return {
        "max_zones": allowed["zones"],
        "max_zone_recordsets": allowed["zone_recordsets"],
        "max_zone_records": allowed["zone_records"],
        "max_recordset_records": allowed["recordset_records"],
        "min_ttl": settings.min_ttl,
        "max_zone_name_length": settings.max_zone_name_len,
        "max_recordset_name_length": settings.max_recordset_name_len,
    }


ANSWERS: Answers = {
    GetQuotas: get_quotas,
    GetUsage: get_usage,
    SetQuotas: set_quotas,
    ResetQuotas: reset_quotas,
    GetLimits: get_limits,
}
