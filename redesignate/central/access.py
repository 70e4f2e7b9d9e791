# SPDX-License-Identifier: Apache-2.0
"""Checks whether a caller may perform an operation at all, for requests whose body cannot be read.

So a fault of the body is shown only to callers that may perform the operation. Nothing is changed, and the operation
itself checks again: these functions call the same checks as the use-cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from redesignate.central import blacklists, pools, quotas, rrsets, shares, tlds, transfers, tsigkeys, zones, zonetasks
from redesignate.central.rules import Answers, Rules, own, visible
from redesignate.commands.access import CheckAccess
from redesignate.store.unit import Work


def check_access(rules: Rules, work: Work, command: CheckAccess) -> None:
    """Raise what the operation would raise for this caller and target. At most two queries."""
    _CHECKS[command.rule](rules, work, command)


def _create_zone(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_zone", command.caller, dict(own(command.caller), zone_name=None))


def _update_zone(rules: Rules, work: Work, command: CheckAccess) -> None:
    zones.check_changeable(rules, command.caller, visible(work, command.caller, work.zones.get(command.zone_id or "")))


def _create_recordset(rules: Rules, work: Work, command: CheckAccess) -> None:
    zone = visible(work, command.caller, work.zones.get(command.zone_id or ""))
    rrsets.check_creatable(rules, command.caller, zone, None)


def _update_recordset(rules: Rules, work: Work, command: CheckAccess) -> None:
    zone = visible(work, command.caller, work.zones.get(command.zone_id or ""))
    rrsets.check_changeable(rules, command.caller, zone, rrsets.found(work, zone, command.rrset_id or ""))


def _share_zone(rules: Rules, work: Work, command: CheckAccess) -> None:
    zone = visible(work, command.caller, work.zones.get(command.zone_id or ""))
    shares.check_shareable(rules, command.caller, zone)


def _create_zone_transfer_request(rules: Rules, work: Work, command: CheckAccess) -> None:
    zone = visible(work, command.caller, work.zones.get(command.zone_id or ""))
    transfers.check_offerable(rules, command.caller, zone)


def _update_zone_transfer_request(rules: Rules, work: Work, command: CheckAccess) -> None:
    transfers.changeable(rules, work, command.caller, command.resource_id or "")


def _set_quota(rules: Rules, _work: Work, command: CheckAccess) -> None:
    quotas.settable(rules, command.caller, command.project_id)


def _create_tld(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_tld", command.caller, {})


def _create_zone_import(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_zone_import", command.caller, own(command.caller))


def _update_tld(rules: Rules, work: Work, command: CheckAccess) -> None:
    tlds.changeable(rules, work, command.caller, command.resource_id or "")


def _create_blacklist(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_blacklist", command.caller, {})


def _update_blacklist(rules: Rules, work: Work, command: CheckAccess) -> None:
    blacklists.changeable(rules, work, command.caller, command.resource_id or "")


def _create_pool(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_pool", command.caller, {})


def _update_pool(rules: Rules, work: Work, command: CheckAccess) -> None:
    pools.changeable(rules, work, command.caller, command.resource_id or "")


def _create_tsigkey(rules: Rules, _work: Work, command: CheckAccess) -> None:
    rules.policy.may("create_tsigkey", command.caller, {})


def _update_tsigkey(rules: Rules, work: Work, command: CheckAccess) -> None:
    tsigkeys.changeable(rules, work, command.caller, command.resource_id or "")


def _pool_move_zone(rules: Rules, work: Work, command: CheckAccess) -> None:
    zonetasks.movable(rules, work, command.caller, command.zone_id or "")


_CHECKS: Mapping[str, Callable[[Rules, Work, CheckAccess], None]] = {
    "create_zone": _create_zone,
    "update_zone": _update_zone,
    "create_recordset": _create_recordset,
    "update_recordset": _update_recordset,
    "share_zone": _share_zone,
    "create_zone_transfer_request": _create_zone_transfer_request,
    "update_zone_transfer_request": _update_zone_transfer_request,
    "set_quota": _set_quota,
    "create_tld": _create_tld,
    "create_zone_import": _create_zone_import,
    "update_tld": _update_tld,
    "create_blacklist": _create_blacklist,
    "update_blacklist": _update_blacklist,
    "create_pool": _create_pool,
    "update_pool": _update_pool,
    "create_tsigkey": _create_tsigkey,
    "update_tsigkey": _update_tsigkey,
    "pool_move_zone": _pool_move_zone,
}
"""The checks by the name of the policy rule."""

ANSWERS: Answers = {
    CheckAccess: check_access,
}
