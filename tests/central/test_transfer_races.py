# SPDX-License-Identifier: Apache-2.0
"""Transfers against whatever else is done to the zone, at once, over each database: a zone has one owner, who has all
of it, and each project is charged for what it has."""

from __future__ import annotations

from collections import Counter

from redesignate.commands.quotas import GetUsage
from redesignate.commands.shares import CreateShare
from redesignate.commands.transfers import DeleteTransferRequest, HandOverRRsets
from redesignate.config.settings import QUOTAS
from redesignate.model.share import NewShare
from redesignate.model.zone import Zone
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.test_races import at_once
from tests.central.test_transfers import accept, offer

PROJECTS = ("p1", "p2", "p3", "p4")


def check(central: CentralDriver, zone: Zone) -> str:
    """The zone's one owner, after it was seen that all agrees."""
    while central.call(HandOverRRsets(limit=100)).more:
        pass
    (row,) = central.rows("zones", id=zone.id)
    shared = {one.target_project_id for one in central.rows("zone_shares", zone_id=zone.id)}
    assert {one.project_id for one in central.rows("rrsets", zone_id=zone.id)} <= {row.project_id, *shared}
    owned = Counter(one.project_id for one in central.rows("zones") if one.deleted == "")
    for project in PROJECTS:
        assert central.call(GetUsage(caller=member(project), project_id=None))["zones"] == owned[project]
    return str(row.project_id)


def test_a_zone_is_accepted_once(anywhere: Build) -> None:
    central = anywhere()
    for n in range(5):
        zone = central.zone(f"z{n}.org.")
        request = offer(central, zone)
        acceptors = [member(project) for project in PROJECTS[1:] * 2]
        ends = at_once(*(lambda who=who, request=request: accept(central, request, who) for who in acceptors))
        assert ends == {"ok": 1, "InvalidTransferRequest": 5}
        assert check(central, zone) in PROJECTS[1:]
        assert len(central.rows("zone_transfer_accepts", zone_id=zone.id)) == 1


def test_the_last_place_of_a_quota_is_taken_by_one_transfer(anywhere: Build) -> None:
    central = anywhere(quotas=dict(QUOTAS, zones=4))
    zones = [central.zone(f"z{n}.org.") for n in range(4)]
    for n in range(3):
        central.zone(f"own{n}.org.", member("p2"))
    offered = [offer(central, zone) for zone in zones]
    ends = at_once(*(lambda one=one: accept(central, one) for one in offered))
    assert ends == {"ok": 1, "OverQuota": 3}
    assert sorted(check(central, zone) for zone in zones) == ["p1", "p1", "p1", "p2"]


def test_a_transfer_and_whatever_else_leave_one_owner(anywhere: Build) -> None:
    central = anywhere()
    for n in range(6):
        zone = central.zone(f"z{n}.org.")
        request = offer(central, zone)
        www = central.rrset(zone, "www")
        share = CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id="p2"))
        ends = at_once(
            lambda request=request: accept(central, request),  # type: ignore[misc]
            lambda zone=zone: central.rrset(zone, "a"),  # type: ignore[misc]
            lambda zone=zone: central.rrset(zone, "b", caller=member("p2")),  # type: ignore[misc]
            lambda www=www: central.put(www, ttl=60),  # type: ignore[misc]
            lambda share=share: central.call(share),  # type: ignore[misc]
            lambda zone=zone: central.patch(zone, description="x"),  # type: ignore[misc]
        )
        assert set(ends) <= {"ok", "ZoneNotFound"}, ends
        assert check(central, zone) == "p2"
        (row,) = central.rows("zones", id=zone.id)
        assert (row.shares or 0) == len(central.rows("zone_shares", zone_id=zone.id)) == 0


def test_a_zone_is_deleted_or_transferred(anywhere: Build) -> None:
    central = anywhere()
    for n in range(6):
        zone = central.zone(f"z{n}.org.")
        request = offer(central, zone)
        ends = at_once(
            lambda request=request: accept(central, request),  # type: ignore[misc]
            lambda zone=zone: central.delete(zone),  # type: ignore[misc]
        )
        assert ends in ({"ok": 1, "BadInput": 1}, {"ok": 1, "ZoneNotFound": 1}), ends
        (row,) = central.rows("zones", id=zone.id)
        assert (row.action == "DELETE") is (check(central, zone) == "p1")


def test_a_request_is_withdrawn_or_accepted(anywhere: Build) -> None:
    central = anywhere()
    for n in range(6):
        zone = central.zone(f"z{n}.org.")
        request = offer(central, zone)
        ends = at_once(
            lambda request=request: accept(central, request),  # type: ignore[misc]
            lambda request=request: central.call(  # type: ignore[misc]
                DeleteTransferRequest(caller=member(), request_id=request.id)
            ),
        )
        accepted = bool(central.rows("zone_transfer_accepts", zone_id=zone.id))
        assert accepted is (check(central, zone) == "p2"), ends
        assert ends in ({"ok": 2}, {"ok": 1, "TransferRequestNotFound": 1}), ends


def test_of_many_wrong_keys_at_once_each_is_counted(anywhere: Build) -> None:
    central = anywhere()
    request = offer(central, central.zone())
    ends = at_once(*(lambda: accept(central, request, key="WRONGKEY") for _ in range(8)))
    ends += at_once(*(lambda: accept(central, request, key="WRONGKEY") for _ in range(8)))
    assert ends == {"InvalidKey": 16}
    (row,) = central.rows("zone_transfer_tries")
    assert row.tries == 10
