# SPDX-License-Identifier: Apache-2.0
"""Which right each request needs that its client may repeat, so that its answer is not shown to whoever lost it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redesignate.central.access import check_access
from redesignate.central.rules import Rules, own, target_of, visible
from redesignate.commands.access import CheckAccess
from redesignate.commands.base import CallerCommand
from redesignate.commands.blacklists import CreateBlacklist
from redesignate.commands.exports import CreateExport
from redesignate.commands.imports import CreateImport
from redesignate.commands.inbound import TransferZone
from redesignate.commands.pools import CreatePool
from redesignate.commands.rrsets import CreateRRset
from redesignate.commands.shares import CreateShare
from redesignate.commands.tlds import CreateTLD
from redesignate.commands.transfers import AcceptTransfer, CreateTransferRequest
from redesignate.commands.tsigkeys import CreateTSIGKey
from redesignate.commands.zones import CreateZone
from redesignate.commands.zonetasks import AbandonZone, MoveZone
from redesignate.model.errors import Forbidden, InvalidTokenScope, Problem, ZoneNotFound
from redesignate.store.unit import Work

CHECKED: Mapping[type[CallerCommand[Any]], str] = {
    CreateZone: "create_zone",
    CreateRRset: "create_recordset",
    CreateShare: "share_zone",
    CreateTransferRequest: "create_zone_transfer_request",
    CreateImport: "create_zone_import",
    CreateTLD: "create_tld",
    CreateBlacklist: "create_blacklist",
    CreateTSIGKey: "create_tsigkey",
    CreatePool: "create_pool",
    MoveZone: "pool_move_zone",
}
"""Rights that `CheckAccess` knows."""

NAMED: Mapping[type[CallerCommand[Any]], str] = {
    CreateExport: "create_zone_export",
    TransferZone: "xfr_zone",
    AbandonZone: "abandon_zone",
    AcceptTransfer: "create_zone_transfer_accept",
}
"""Rights on the zone, or on what is the caller's own, by their rule of policy."""


def still_may(rules: Rules, work: Work, command: CallerCommand[Any]) -> None:
    """Check that the caller may do today what was done. That the zone is gone, or as the first request left it, is no
    hindrance. Raises Forbidden, InvalidTokenScope; ZoneNotFound for a zone that the caller no longer sees.

    Cost   none to three queries
    """
    caller, zone_id = command.caller, getattr(command, "zone_id", None)
    try:
        if rule := CHECKED.get(type(command)):
            check_access(rules, work, CheckAccess(caller=caller, rule=rule, zone_id=zone_id))
        elif rule := NAMED.get(type(command)):
            zone = visible(work, caller, work.zones.get(zone_id)) if zone_id else None
            accepted = {"target_project_id": caller.project_id}  # what was offered to it, or to anybody
            rules.policy.may(rule, caller, target_of(zone, caller) if zone else {**own(caller), **accepted})
    except (Forbidden, InvalidTokenScope):
        raise
    except ZoneNotFound:
        if zone_id is not None and work.zones.get(zone_id) is not None:
            raise
    except Problem:
        return
