# SPDX-License-Identifier: Apache-2.0
"""Zones that change hands: who may offer, see and accept, what moves with a zone, and how often a key may be tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from redesignate.central.repeats import KEPT_S
from redesignate.commands.quotas import GetUsage
from redesignate.commands.rrsets import GetRRset, ListRRsets
from redesignate.commands.shares import CreateShare, DeleteShare
from redesignate.commands.transfers import (
    AcceptTransfer,
    CreateTransferRequest,
    DeleteTransferRequest,
    GetTransferAccept,
    GetTransferRequest,
    HandOverRRsets,
    ListTransferAccepts,
    ListTransferRequests,
    UpdateTransferRequest,
)
from redesignate.commands.upkeep import PurgeZones
from redesignate.model import errors
from redesignate.model.caller import Caller, Repeat
from redesignate.model.clock import SECOND
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.rrset import RRset
from redesignate.model.share import NewShare
from redesignate.model.transfer import (
    NewTransferAccept,
    NewTransferRequest,
    TransferAccept,
    TransferRequest,
    TransferRequestChange,
    TransferStatus,
)
from redesignate.model.zone import Zone
from redesignate.store import few
from redesignate.store.repeats_schema import repeats
from redesignate.store.sharing_schema import zone_handovers
from tests.central.driver import OPERATOR, CentralDriver, admin, member

THEIRS = member("p2")
OTHER = member("p3")


def offer(
    central: CentralDriver, zone: Zone, target: str | None = None, caller: Caller | None = None
) -> TransferRequest:
    new = NewTransferRequest(target_project_id=target)
    return central.call(CreateTransferRequest(caller=caller or member(), zone_id=zone.id, new=new))


def accept(
    central: CentralDriver, request: TransferRequest, caller: Caller = THEIRS, key: str | None = None
) -> TransferAccept:
    new = NewTransferAccept(key=request.key if key is None else key, zone_transfer_request_id=request.id)
    return central.call(AcceptTransfer(caller=caller, new=new))


def get(central: CentralDriver, request: TransferRequest, caller: Caller | None = None) -> TransferRequest:
    return central.call(GetTransferRequest(caller=caller or member(), request_id=request.id))


def requests(central: CentralDriver, caller: Caller, **query: Any) -> list[TransferRequest]:
    return list(central.call(ListTransferRequests(caller=caller, query=ListQuery(**query))).items)


def listed(central: CentralDriver, caller: Caller, **query: Any) -> tuple[set[str], int | None]:
    """The RRsets of a project, over all zones, and their total."""
    page = central.call(ListRRsets(caller=caller, zone_id=None, query=ListQuery(limit=10_000, **query)))
    return {f"{one.name} {one.type}" for one in page.items}, page.total


def zones_of(central: CentralDriver, project: str) -> int:
    return central.call(GetUsage(caller=member(project), project_id=None))["zones"]


@pytest.fixture
def zone(central: CentralDriver) -> Zone:
    return central.zone()


def test_an_offered_zone_goes_to_whom_accepts_it(central: CentralDriver, zone: Zone) -> None:
    www = central.rrset(zone, "www")
    before = central.get(zone.id)
    request = offer(central, zone)
    assert (request.status, request.project_id, request.zone_name) == (TransferStatus.ACTIVE, "p1", "example.org.")
    assert len(request.key) == 8
    made = accept(central, request)
    assert (made.status, made.project_id, made.zone_id, made.key) == (TransferStatus.COMPLETE, "p2", zone.id, None)
    after = central.get(zone.id, THEIRS)
    assert after.project_id == "p2"
    assert (after.serial, after.revision, after.status) == (before.serial, before.revision, before.status)
    assert central.look(www, THEIRS).project_id == "p2"
    assert {one.project_id for one in central.rrsets(zone).values()} == {"p2"}
    assert central.put(www, THEIRS, ttl=60).ttl == 60
    for gone in (lambda: central.get(zone.id), lambda: central.look(www)):
        with pytest.raises(errors.ZoneNotFound):
            gone()
    with pytest.raises(errors.RRsetNotFound):
        central.call(GetRRset(caller=member(), zone_id=None, rrset_id=www.id))
    assert listed(central, member()) == (set(), 0)
    assert listed(central, THEIRS)[1] == 3
    assert (zones_of(central, "p1"), zones_of(central, "p2")) == (0, 1)
    assert get(central, request).status is TransferStatus.COMPLETE


def test_the_acceptors_quota_holds(build: Callable[..., CentralDriver]) -> None:
    central = build(quotas={"zones": 1, "zone_recordsets": -1, "zone_records": -1, "recordset_records": -1})
    zone = central.zone()
    mine = central.zone("own.org.", THEIRS)
    request = offer(central, zone)
    for _ in range(12):  # a right key is not counted
        with pytest.raises(errors.OverQuota):
            accept(central, request)
    assert central.get(zone.id).project_id == "p1"
    assert get(central, request).status is TransferStatus.ACTIVE
    assert (zones_of(central, "p1"), zones_of(central, "p2")) == (1, 1)
    central.delete(mine, THEIRS)
    central.serve()
    accept(central, request)
    assert (zones_of(central, "p1"), zones_of(central, "p2")) == (0, 1)


def test_a_request_is_accepted_once(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone)
    with pytest.raises(errors.DuplicateTransferRequest):
        offer(central, zone)
    accept(central, request)
    with pytest.raises(errors.InvalidTransferRequest):
        accept(central, request)
    with pytest.raises(errors.InvalidTransferRequest):
        accept(central, request, OTHER)
    back = offer(central, zone, caller=THEIRS)
    accept(central, back, member())
    assert central.get(zone.id).project_id == "p1"
    assert offer(central, zone).id


def test_an_acceptance_that_is_sent_again_under_its_key_gets_its_answer(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone)
    caller = member("p2", repeat=Repeat(key="k", digest="d"))
    first = accept(central, request, caller)
    assert accept(central, request, caller) == first
    other = central.zone("other.org.")
    alone = Caller(request_id="r", user_id="u", project_id="p2", roles=("taker",), repeat=Repeat(key="o", digest="d"))
    for aimed in (offer(central, other), offer(central, central.zone("third.org."), "p2")):
        alone = replace(alone, repeat=Repeat(key=aimed.id, digest="d"))
        assert accept(central, aimed, alone) == accept(central, aimed, alone)
    with central.store.engine.begin() as connection:  # a day passes
        connection.execute(repeats.update().values(at=repeats.c.at - KEPT_S * SECOND - 1))
    with pytest.raises(errors.InvalidTransferRequest):
        accept(central, request, caller)


def test_wrong_keys_are_counted_for_each_project(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone)
    for wrong in ("", "x", request.key.lower(), request.key + "A", *("WRONGKEY",) * 6):
        with pytest.raises(errors.InvalidKey, match="wrong"):
            accept(central, request, OTHER, key=wrong)
    for key in ("WRONGKEY", request.key):
        with pytest.raises(errors.InvalidKey, match="too many"):
            accept(central, request, OTHER, key=key)
    assert central.rows("zone_transfer_tries")[0].tries == 10
    accept(central, request, THEIRS)
    assert central.get(zone.id, THEIRS).project_id == "p2"


def test_a_new_request_has_a_new_key_and_new_tries(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone)
    for _ in range(10):
        with pytest.raises(errors.InvalidKey):
            accept(central, request, key="WRONGKEY")
    central.call(DeleteTransferRequest(caller=member(), request_id=request.id))
    assert central.rows("zone_transfer_tries") == []
    again = offer(central, zone)
    assert again.key != request.key
    with pytest.raises(errors.TransferRequestNotFound):
        accept(central, request)
    accept(central, again)


def test_a_target_alone_may_accept(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone, "p2")
    for caller in (OTHER, admin("p3"), member("p3", "reader")):
        with pytest.raises(errors.Forbidden):
            accept(central, request, caller, key="WRONGKEY")
    assert central.rows("zone_transfer_tries") == [], "those who may not accept are not counted"
    nobody = Caller(request_id="r", user_id="u", roles=("admin",))
    with pytest.raises(errors.MissingProject):
        accept(central, request, nobody)
    accept(central, request)
    assert central.rows("zone_transfer_tries") == []


def test_who_sees_what_of_a_request(central: CentralDriver, zone: Zone) -> None:
    free, other = offer(central, zone), central.zone("other.org.")
    aimed = offer(central, other, "p2")
    assert get(central, free).key == free.key
    for caller in (THEIRS, OTHER):
        seen = get(central, free, caller)
        assert (seen.key, seen.detailed, seen.zone_name) == ("", False, "example.org.")
    assert get(central, aimed, THEIRS).key == ""
    with pytest.raises(errors.Forbidden):
        get(central, aimed, OTHER)
    assert get(central, aimed, admin("p3")).key == aimed.key
    assert [one.id for one in requests(central, member())] == [free.id, aimed.id]
    assert {one.key for one in requests(central, member())} == {free.key, aimed.key}
    assert [(one.id, one.key) for one in requests(central, THEIRS)] == [(aimed.id, "")]
    assert requests(central, OTHER) == []
    assert len(requests(central, OPERATOR)) == 2
    active = (Condition("status", Op.EQ, "ACTIVE"),)
    accept(central, aimed)
    assert [one.id for one in requests(central, THEIRS, conditions=active)] == []
    assert [one.id for one in requests(central, member(), conditions=active)] == [free.id]


def test_the_owner_alone_changes_and_withdraws_a_request(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone, "p2")

    def change(caller: Caller, **members: Any) -> TransferRequest:
        wanted = TransferRequestChange(**members)
        return central.call(UpdateTransferRequest(caller=caller, request_id=request.id, change=wanted))

    for caller in (THEIRS, OTHER, member("p1", "reader")):
        with pytest.raises(errors.Forbidden):
            change(caller, description="x")
        with pytest.raises(errors.Forbidden):
            central.call(DeleteTransferRequest(caller=caller, request_id=request.id))
    changed = change(member(), description="words", target_project_id="p2")
    assert (changed.description, changed.key) == ("words", request.key)
    central.call(DeleteTransferRequest(caller=member(), request_id=request.id))
    for act in (lambda: get(central, request), lambda: accept(central, request), lambda: change(member())):
        with pytest.raises(errors.TransferRequestNotFound):
            act()


def test_what_cannot_be_offered(central: CentralDriver, zone: Zone) -> None:
    for caller, fault in ((THEIRS, errors.ZoneNotFound), (member("p1", "reader"), errors.Forbidden)):
        with pytest.raises(fault):
            offer(central, zone, caller=caller)
    central.call(CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id="p2")))
    with pytest.raises(errors.Forbidden):
        offer(central, zone, caller=THEIRS)
    request = offer(central, zone)
    central.delete(zone, member(delete_shares=True))
    with pytest.raises(errors.BadInput, match="deleting"):
        accept(central, request)
    with pytest.raises(errors.BadInput, match="deleting"):
        offer(central, zone)
    central.serve()
    with pytest.raises(errors.ZoneNotFound):
        accept(central, request)


def test_what_a_purged_zone_left_is_gone(central: CentralDriver, zone: Zone) -> None:
    request = offer(central, zone)
    with pytest.raises(errors.InvalidKey):
        accept(central, request, key="x")
    accept(central, request)
    central.delete(zone, THEIRS)
    central.serve()
    central.pass_time(10)
    assert central.call(PurgeZones(first_shard=0, last_shard=4095, age_s=1, limit=10)) == 1
    for table in ("zone_transfer_requests", "zone_transfer_accepts", "zone_transfer_tries", "zone_handovers"):
        assert central.rows(table) == []


def test_shares_stay_and_the_new_owners_own_ends(central: CentralDriver, zone: Zone) -> None:
    for target in ("p2", "p3"):
        central.call(CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id=target)))
    made = {who: central.rrset(zone, who, caller=member(who)) for who in ("p1", "p2", "p3")}
    accept(central, offer(central, zone))
    assert [row.target_project_id for row in central.rows("zone_shares")] == ["p3"]
    assert central.get(zone.id, OTHER).shares == 1
    assert {central.look(one, OTHER).project_id for one in made.values()} == {"p2"}, "all of them moved"
    with pytest.raises(errors.Forbidden):
        central.put(made["p3"], OTHER, ttl=5)
    assert central.rrset(zone, "new", caller=OTHER).project_id == "p3"


def test_zones_above_and_below_stay_where_they_are(central: CentralDriver, zone: Zone) -> None:
    child = central.zone("sub.example.org.")
    accept(central, offer(central, child))
    (row,) = central.rows("zones", id=child.id)
    assert (row.project_id, row.parent_id) == ("p2", zone.id)
    with pytest.raises(errors.InvalidRRsetLocation):
        central.rrset(zone, "www.sub")
    with pytest.raises(errors.ZoneHasSubZone):
        central.delete(zone)
    with pytest.raises(errors.IllegalChild):
        central.zone("deep.sub.example.org.")
    central.zone("deep.sub.example.org.", THEIRS)


def test_a_name_in_two_pools_stays_with_one_project(build: Callable[..., CentralDriver]) -> None:
    central = build(scheduler_filters=("pool_id_attribute", "in_doubt_default_pool"))
    second = central.second_pool()
    zone = central.zone()
    inside = central.zone(caller=admin(), attributes={"pool_id": second.id})
    assert zone.pool_id != inside.pool_id == second.id
    with pytest.raises(errors.DuplicateZone):
        accept(central, offer(central, zone))
    assert central.get(zone.id).project_id == "p1"


def test_acceptances_are_the_acceptors(central: CentralDriver, zone: Zone) -> None:
    made = accept(central, offer(central, zone))
    assert central.call(GetTransferAccept(caller=THEIRS, accept_id=made.id)) == made
    for caller in (member(), OTHER, admin("p3")):
        with pytest.raises(errors.TransferAcceptNotFound):
            central.call(GetTransferAccept(caller=caller, accept_id=made.id))
    assert central.call(GetTransferAccept(caller=OPERATOR, accept_id=made.id)) == made
    with pytest.raises(errors.Forbidden):
        central.call(ListTransferAccepts(caller=THEIRS, query=ListQuery()))
    assert central.call(ListTransferAccepts(caller=admin("p2"), query=ListQuery())).items == (made,)
    assert central.call(ListTransferAccepts(caller=admin("p1"), query=ListQuery())).items == ()
    assert central.call(ListTransferAccepts(caller=OPERATOR, query=ListQuery())).total == 1


# -- large zones


@pytest.fixture
def large(central: CentralDriver, zone: Zone, monkeypatch: pytest.MonkeyPatch) -> list[RRset]:
    """RRsets of the zone, by two projects, that are too many for one transaction."""
    monkeypatch.setattr("redesignate.store.handovers.AT_ONCE", 5)
    central.call(CreateShare(caller=member(), zone_id=zone.id, new=NewShare(target_project_id="p3")))
    return [central.rrset(zone, f"n{n}", caller=OTHER if n % 3 == 0 else member()) for n in range(12)]


def steps(central: CentralDriver, *, limit: int = 4) -> int:
    done = 0
    while (step := central.call(HandOverRRsets(limit=limit))).more:
        done += step.rrsets
    return done


def test_a_zone_that_changes_hands_again_and_again_holds_up_no_other(
    central: CentralDriver, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.store.handovers.AT_ONCE", 5)
    second = central.zone("second.example.net.")
    assert zone.id < second.id
    for one in (zone, second):
        for n in range(12):
            central.rrset(one, f"n{n}")
        accept(central, offer(central, one))
    turn, after = [member(), THEIRS], ""
    for n in range(8):
        step = central.call(HandOverRRsets(limit=4, after=after))
        after = step.after
        accept(central, offer(central, zone, caller=turn[(n + 1) % 2]), turn[n % 2])  # it begins anew
    assert [row.zone_id for row in central.rows("zone_handovers")] == [zone.id]
    assert {row.project_id for row in central.rows("rrsets", zone_id=second.id)} == {"p2"}


def test_a_zone_without_a_handover_is_not_the_next_for_ever(central: CentralDriver, zone: Zone) -> None:
    with central.store.engine.begin() as connection:
        connection.execute(zone_handovers.insert().values(zone_id=zone.id, up_to=""))
    assert central.call(HandOverRRsets(limit=4)).more
    assert not central.call(HandOverRRsets(limit=4)).more


def test_a_large_zone_is_the_new_owners_at_once(central: CentralDriver, zone: Zone, large: list[RRset]) -> None:
    accept(central, offer(central, zone))
    for taken in range(4):
        assert central.get(zone.id, THEIRS).project_id == "p2"
        for one in large:
            assert central.look(one, THEIRS).project_id == "p2", taken
        assert {one.project_id for one in central.rrsets(zone).values()} == {"p2"}
        with pytest.raises(errors.Forbidden):
            central.put(large[0], OTHER, ttl=5)
        for caller in (member(), OTHER, THEIRS):  # of all or of nothing
            assert listed(central, caller) == (set(), 0)
            assert listed(central, caller, sort_key="name", descending=True) == (set(), 0)
            assert listed(central, caller, conditions=(Condition("type", Op.EQ, "A"),)) == (set(), 0)
            assert listed(central, caller, conditions=(Condition("data", Op.EQ, "192.0.2.1"),)) == (set(), 0)
            for word in ("PENDING", "ACTIVE"):
                assert listed(central, caller, conditions=(Condition("status", Op.EQ, word),)) == (set(), 0)
        central.call(HandOverRRsets(limit=4))
    names, total = listed(central, THEIRS)
    assert (len(names), total) == (14, 14)
    assert listed(central, member()) == listed(central, OTHER) == (set(), 0)
    assert central.rows("zone_handovers") == []
    (row,) = central.rows("zones", id=zone.id)
    assert row.handed is None
    assert {row.project_id for row in central.rows("rrsets")} == {"p2"}


def test_an_order_by_project_is_walked_to_its_end_meanwhile(
    central: CentralDriver, zone: Zone, large: list[RRset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.store.rrset_list.AT_ONCE", 3)
    monkeypatch.setattr(few, "FEW", 1)
    accept(central, offer(central, zone))
    pending = (Condition("status", Op.EQ, "PENDING"),)
    for zone_id, descending in ((None, False), (None, True), (zone.id, False), (zone.id, True)):
        found, marker = list[str](), None
        for _ in range(9):
            order = ListQuery(limit=7, marker=marker, sort_key="project_id", descending=descending, count=False)
            query = replace(order, conditions=pending)
            page = central.call(ListRRsets(caller=admin(all_projects=True), zone_id=zone_id, query=query)).items
            found += [one.id for one in page]
            if len(page) < 7:
                break
            marker = page[-1].id
        assert len(found) == len(set(found)) == 14


def test_what_is_made_meanwhile_is_whose_it_is(central: CentralDriver, zone: Zone, large: list[RRset]) -> None:
    accept(central, offer(central, zone))
    central.call(HandOverRRsets(limit=4))
    theirs = central.rrset(zone, "new", caller=OTHER)
    mine = central.rrset(zone, "mine", caller=THEIRS)
    central.put(large[11], THEIRS, records=("192.0.2.9",))
    assert listed(central, OTHER) == ({"new.example.org. A"}, 1)
    assert listed(central, THEIRS) == ({"mine.example.org. A"}, 1)
    steps(central)
    assert central.look(theirs, OTHER).project_id == "p3"
    assert central.look(mine, THEIRS).project_id == "p2"
    assert listed(central, OTHER) == ({"new.example.org. A"}, 1)
    assert listed(central, THEIRS)[1] == 15


def test_a_zone_that_moves_on_meanwhile_arrives(central: CentralDriver, zone: Zone, large: list[RRset]) -> None:
    accept(central, offer(central, zone))
    central.call(HandOverRRsets(limit=4))
    accept(central, offer(central, zone, caller=THEIRS), member("p4"))
    assert {one.project_id for one in central.rrsets(zone).values()} == {"p4"}
    steps(central)
    assert {row.project_id for row in central.rows("rrsets")} == {"p4"}
    assert listed(central, member("p4"))[1] == len(large) + 2


def test_a_zone_that_goes_meanwhile_ends_its_handover(central: CentralDriver, zone: Zone, large: list[RRset]) -> None:
    accept(central, offer(central, zone))
    central.delete(zone, member("p2", delete_shares=True))
    central.serve()
    assert steps(central) == 0
    assert central.rows("zone_handovers") == []
    assert large


def test_a_share_ends_in_a_handover_where_nothing_is_its_own(
    central: CentralDriver, zone: Zone, large: list[RRset]
) -> None:
    accept(central, offer(central, zone))
    (row,) = central.rows("zone_shares")
    central.call(DeleteShare(caller=THEIRS, zone_id=zone.id, share_id=row.id))
    assert large[0].project_id == "p3"
    assert central.rows("zone_shares") == []
