# SPDX-License-Identifier: Apache-2.0
"""Shares against what uses them, at once, over each database: no record set is left in a zone that its project no
longer sees, and what is counted is what is there."""

from __future__ import annotations

from redesignate.commands.shares import CreateShare, DeleteShare
from redesignate.model.share import NewShare, Share
from redesignate.model.zone import Zone
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, member
from tests.central.test_races import at_once

THEIRS = member("p2")


def share(central: CentralDriver, zone: Zone, target: str = "p2") -> Share:
    return central.call(CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id=target)))


def unshare(central: CentralDriver, given: Share) -> None:
    central.call(DeleteShare(caller=member(), zone_id=given.zone_id, share_id=given.id))


def test_a_share_is_made_once(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    ends = at_once(*(lambda: share(central, zone) for _ in range(6)))
    assert ends == {"ok": 1, "DuplicateSharedZone": 5}
    at_once(*(lambda n=n: share(central, zone, f"q{n}") for n in range(6)))
    (row,) = central.rows("zones", id=zone.id)
    assert row.shares == len(central.rows("zone_shares")) == 7


def test_no_record_set_outlives_its_share(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    for n in range(8):
        given = share(central, zone)
        ends = at_once(
            lambda given=given: unshare(central, given),  # type: ignore[misc]
            lambda n=n: central.rrset(zone, f"a{n}", caller=THEIRS),  # type: ignore[misc]
            lambda n=n: central.rrset(zone, f"b{n}", caller=THEIRS),  # type: ignore[misc]
        )
        theirs = [one for one in central.rrsets(zone).values() if one.project_id == "p2"]
        shared = bool(central.rows("zone_shares"))
        assert shared is bool(theirs), ends
        assert central.get(zone.id).shared is shared
        for one in theirs:
            central.remove(one, THEIRS)
        if shared:
            unshare(central, given)


def test_a_zone_is_not_shared_while_it_is_deleted(anywhere: Build) -> None:
    central = anywhere()
    for n in range(6):
        zone = central.zone(f"z{n}.org.")
        ends = at_once(
            lambda zone=zone: share(central, zone),  # type: ignore[misc]
            lambda zone=zone: central.delete(zone),  # type: ignore[misc]
        )
        assert ends in ({"ok": 1, "BadInput": 1}, {"ok": 1, "ZoneIsShared": 1}), ends
        deleting = central.get(zone.id).action.value == "DELETE"
        assert deleting is not bool(central.rows("zone_shares", zone_id=zone.id))
