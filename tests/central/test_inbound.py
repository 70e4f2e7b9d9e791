# SPDX-License-Identifier: Apache-2.0
"""SECONDARY zones in central: when their primaries are asked, what is taken from them and what is not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from redesignate.bus.port import (
    BeginInbound,
    CreateTSIGKey,
    DueInbound,
    NotifiedInbound,
    ReleaseWork,
    SweepInbound,
    TransferZone,
    ZonePeers,
)
from redesignate.model import errors
from redesignate.model.clock import SECOND
from redesignate.model.inbound import Result
from redesignate.model.tsig import Scope
from redesignate.model.work import PeerView, Role
from redesignate.model.zone import Action, Status, Zone, ZoneType
from redesignate.wire.rrset import pack, split
from tests.central.conftest import Build
from tests.central.customer import BODY, PRIMARY, content, fetch, look, secondary, tell
from tests.central.house import OPERATOR, House, member

DAY = 86400


def due(house: House) -> tuple[str, ...]:
    return house.call(DueInbound())


def row(house: House, zone: Zone) -> Any:
    return next(iter(house.rows("inbound", zone_id=zone.id)), None)


def primary(house: House, zone: Zone) -> PeerView:
    first = house.call(ZonePeers(caller=member(), zone_id=zone.id))[0]
    assert first.role is Role.PRIMARY
    return first


def wished(house: House, zone: Zone) -> None:
    house.call(TransferZone(caller=member(), zone_id=zone.id))


# -- coming in


def test_a_new_secondary_zone_is_due_at_once_and_no_server_hears_of_it(house: House) -> None:
    zone = secondary(house)
    assert due(house) == (zone.id,)
    assert house.inbound_hints == [zone.id]
    assert (house.hints, house.outbox(zone)) == ([], None)
    assert primary(house, zone).state == "absent"


def test_what_comes_in_is_stored_published_and_active_when_served(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 2026010101)
    now = house.get(zone.id)
    assert (now.serial, now.revision, now.transferred_at) == (2026010101, 2, house.time)
    assert (now.status, now.action) == (Status.PENDING, Action.CREATE)
    assert (now.mname, now.email, now.ttl) == ("ns1.customer.net.", "admin@customer.net", 600)
    assert (now.refresh, now.retry, now.expire, now.minimum) == (1200, 180, 86400, 60)
    found = house.rrsets(zone)
    assert found["www.example.org.", "A"].records == ("192.0.2.1", "192.0.2.2")
    assert (found["www.example.org.", "A"].ttl, len(found)) == (60, 4)
    (counts,) = house.rows("zones", id=zone.id)
    assert (counts.rrset_count, counts.record_count) == (4, 4)
    house.serve()
    assert house.get(zone.id).status is Status.ACTIVE
    assert primary(house, zone).state == "current"


def test_only_the_difference_is_written_and_the_journal_leads_from_one_to_the_next(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 1)
    house.serve()
    before, first = house.rrsets(zone), house.content(zone)
    wished(house, zone)
    body = dict(BODY) | {("new", "A"): (5, ["192.0.2.7"]), ("www", "A"): (60, ["192.0.2.2", "192.0.2.3"])}
    del body["mail", "MX"]
    fetch(house, zone, 2, body)
    after = house.rrsets(zone)
    assert set(after) == {(f"{name}.example.org." if name else zone.name, t) for name, t in body} | {(zone.name, "SOA")}
    assert after[zone.name, "NS"] == before[zone.name, "NS"]
    www = after["www.example.org.", "A"]
    assert (www.id, www.version) == (before["www.example.org.", "A"].id, 2)
    assert www.status is Status.PENDING
    last = sorted(house.rows("journal", zone_id=zone.id), key=lambda entry: entry.revision)[-1]
    assert not last.full
    removed, added = Counter(split(bytes(last.removed))), Counter(split(bytes(last.added)))
    assert (removed - first, first - removed + added) == (Counter(), house.content(zone))


def test_the_first_content_can_only_be_transferred_whole(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 9)
    entries = house.rows("journal", zone_id=zone.id)
    assert [entry.full for entry in entries] == [True, True]


def test_the_same_zone_again_moves_nothing_but_the_clock(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    house.serve()
    before = house.get(zone.id)
    house.pass_time(100)
    wished(house, zone)
    with house.counted() as statements:
        fetch(house, zone, 5)
    after = house.get(zone.id)
    assert (after.revision, after.serial, after.status) == (before.revision, before.serial, Status.ACTIVE)
    assert after.transferred_at == house.time
    assert not any("rrset_data" in one for one in statements)
    assert house.outbox(zone) is None


def test_a_large_zone_costs_statements_by_the_thousand(house: House) -> None:
    zone = secondary(house)
    many = dict(BODY) | {(f"n{n}", "A"): (60, ["192.0.2.1"]) for n in range(1500)}
    fetch(house, zone, 1, many)
    wished(house, zone)
    with house.counted() as statements:
        fetch(house, zone, 2, {which: (61, texts) for which, (_, texts) in many.items()})
    assert len(statements) < 25
    assert len(house.content(zone)) == 1504


# -- serials


def test_a_serial_that_went_back_is_published_as_the_next_one(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 100)
    house.serve()
    house.patch(zone, primaries=("192.0.2.77",))
    changed = dict(BODY) | {("www", "A"): (60, ["192.0.2.5"])}
    fetch(house, zone, 3, changed)
    assert house.get(zone.id).serial == 101
    assert row(house, zone).serial == 3
    wished(house, zone)
    fetch(house, zone, 200)
    assert house.get(zone.id).serial == 200


RRSIG = pack("example.org.", "example.org.", "TYPE46", 600, [
    bytes.fromhex("0006080200000258") + b"\x7f\0\0\0" + b"\0\0\0\1" + b"\x12\x34\7example\3org\0" + b"sig"
])  # fmt: skip


def test_a_signed_zone_whose_serial_went_back_is_refused_for_its_soa_may_not_change(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 100, raw=RRSIG)
    house.serve()
    before = house.get(zone.id)
    wished(house, zone)
    fetch(house, zone, 3, dict(BODY) | {("x", "A"): (1, ["192.0.2.1"])}, raw=RRSIG)
    assert house.get(zone.id) == before
    assert "RFC 1982" in (primary(house, zone).error or "")


# -- what may be in it


def test_records_that_users_may_not_write_are_kept_as_octets(house: House) -> None:
    zone = secondary(house)
    odd = pack(zone.name, "o\\032dd.example.org.", "MX", 5, [b"\0\x0a\x05a b c\0"])
    fetch(house, zone, 7, raw=RRSIG + odd)
    found = house.rrsets(zone)
    assert found[zone.name, "TYPE46"].records[0].startswith("\\# ")
    assert found["o\\032dd.example.org.", "MX"].records == ("\\# 9 000a05612062206300",)
    assert odd in house.content(zone)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "malformed": ({"raw": pack("example.org.", "x.example.org.", "A", 1, [b"\1\2\3"])}, "A at x.example.org."),
    "no nameserver": ({"body": {("www", "A"): (1, ["192.0.2.1"])}}, "no NS"),
    "CNAME beside": ({"body": dict(BODY) | {("www", "CNAME"): (1, ["a.b."])}}, "CNAME and A"),
    "two CNAMEs": ({"body": dict(BODY) | {("x", "CNAME"): (1, ["a.b.", "c.b."])}}, "2 CNAME"),
    "half a record": ({"raw": b"x"}, "damaged"),
}


@pytest.mark.parametrize(("made", "why"), BROKEN.values(), ids=BROKEN)
def test_a_zone_that_cannot_be_held_is_refused_whole_and_the_old_copy_stays(
    house: House, made: dict[str, Any], why: str
) -> None:
    zone = secondary(house)
    fetch(house, zone, 1)
    before, held = house.get(zone.id), house.content(zone)
    wished(house, zone)
    fetch(house, zone, 2, **made)
    assert (house.get(zone.id), house.content(zone)) == (before, held)
    view = primary(house, zone)
    assert (view.state, view.attempts) == ("behind", 1)
    assert why in (view.error or "")


@pytest.mark.parametrize("sent", [b"", b"noise", content("example.org.", 2)[:-9]])
def test_damaged_content_is_a_failure(house: House, sent: bytes) -> None:
    zone = secondary(house)
    tell(house, look(house, zone), Result.FETCHED, serial=2, content=sent)
    assert house.get(zone.id).transferred_at is None
    assert "came" in (primary(house, zone).error or "")


def test_what_unpacks_to_more_than_the_limit_is_a_failure(build: Build) -> None:
    house = build(xfr_max_bytes=300)
    zone = secondary(house)
    fetch(house, zone, 1, dict(BODY) | {("big", "TXT"): (1, ['"' + "a" * 255 + '"'])})
    assert "xfr_max_bytes" in (primary(house, zone).error or "")


def test_a_mailbox_that_is_no_mail_address_becomes_the_operators(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 1, rname=".")
    assert house.get(zone.id).email == "hostmaster@example.com"


def test_records_turned_round_or_doubled_are_no_change(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 1)
    before = house.rrsets(zone)
    wished(house, zone)
    fetch(house, zone, 1, dict(BODY) | {("www", "A"): (60, ["192.0.2.2", "192.0.2.1", "192.0.2.2"])})
    assert house.rrsets(zone) == before


def test_no_quota_counts_what_a_primary_sends(build: Build) -> None:
    house = build(quotas={"zones": 5, "zone_recordsets": 2, "zone_records": 1, "recordset_records": 1})
    zone = secondary(house)
    fetch(house, zone, 1)
    assert house.get(zone.id).transferred_at is not None


# -- who is heard


def test_a_zone_has_one_worker_at_a_time_and_a_dead_ones_lease_ends(house: House) -> None:
    zone = secondary(house)
    look(house, zone)
    assert due(house) == ()
    assert house.call(BeginInbound(worker="w2", zone_ids=(zone.id,))) == ()
    look(house, zone)  # the holder may ask again, and holds on
    house.pass_time(61)
    assert due(house) == (zone.id,)
    look(house, zone, worker="w2")


def test_a_start_beside_which_nobody_lives_frees_every_zone(house: House) -> None:
    zone = secondary(house)
    look(house, zone)
    assert house.call(ReleaseWork()) == 1
    look(house, zone, worker="w2")


def test_nothing_is_taken_from_a_worker_that_lost_the_zone(house: House) -> None:
    zone = secondary(house)
    late = look(house, zone)
    house.pass_time(61)
    fetch_by = look(house, zone, worker="w2")
    tell(house, late, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).transferred_at is None
    tell(house, fetch_by, Result.FETCHED, worker="w2", serial=2, content=content(zone.name, 2))
    tell(house, late, Result.FAILED, why="late")
    assert (house.get(zone.id).serial, primary(house, zone).error) == (2, None)


def test_nothing_is_taken_from_a_former_primary(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    house.patch(zone, primaries=("192.0.2.10",))
    tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).transferred_at is None
    again = look(house, zone, worker="w2")
    assert (again.primaries, again.forced) == (("192.0.2.10",), True)


def test_a_report_that_came_twice_counts_once(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    for _ in range(2):
        tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    assert house.get(zone.id).revision == 2


def test_a_deleted_zone_takes_nothing_and_is_asked_for_no_more(house: House) -> None:
    zone = secondary(house)
    task = look(house, zone)
    house.delete(zone)
    assert (due(house), row(house, zone)) == ((), None)
    tell(house, task, Result.FETCHED, serial=1, content=content(zone.name, 1))
    house.serve()
    with pytest.raises(errors.ZoneNotFound):
        house.get(zone.id)


def test_work_given_back_is_due_again_and_counts_as_no_failure(house: House) -> None:
    zone = secondary(house)
    tell(house, look(house, zone), Result.UNTOUCHED)
    assert due(house) == (zone.id,)
    assert row(house, zone).attempts == 0


# -- when


def test_a_zone_is_asked_for_at_its_refresh_time_and_after_a_failure_at_its_retry_time(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    house.pass_time(1079)
    assert due(house) == ()
    house.pass_time(122)
    task = look(house, zone)
    assert (task.serial, task.forced) == (5, False)
    tell(house, task, Result.FAILED, why="silence")
    house.pass_time(160)
    assert due(house) == ()
    house.pass_time(40)
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert row(house, zone).attempts == 0
    house.pass_time(1079)
    assert due(house) == ()


@pytest.mark.parametrize(("refresh", "lowest", "highest"), [(0, 54, 60), (2**31 - 1, 25 * DAY, 28 * DAY)])
def test_a_primarys_refresh_time_is_kept_within_reason(house: House, refresh: int, lowest: int, highest: int) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, refresh=refresh)
    assert lowest <= (row(house, zone).due_at - house.time) / SECOND <= highest


def test_a_zone_that_never_came_is_tried_soon_then_less_often_and_fails_visibly(house: House) -> None:
    zone, pauses = secondary(house), []
    for _ in range(house.settings.poll_max_retries):
        assert house.get(zone.id).status is Status.PENDING
        tell(house, look(house, zone), Result.FAILED, why="nobody\nthere")
        pauses.append((row(house, zone).due_at - house.time) / SECOND)
        house.time = row(house, zone).due_at
    assert pauses[0] < 1.2
    assert 50 < pauses[-1] < 70
    assert house.get(zone.id).status is Status.ERROR
    assert primary(house, zone).error == "nobody?there"
    fetch(house, zone, 1)
    house.serve()
    assert house.get(zone.id).status is Status.ACTIVE


def test_a_notify_makes_the_zone_due_also_while_somebody_looks(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    assert house.call(NotifiedInbound(zones=((zone.id, PRIMARY),))) == 1
    task = look(house, zone)
    assert (task.notified_by, task.forced) == (PRIMARY, False)
    house.call(NotifiedInbound(zones=((zone.id, PRIMARY), ("gone", PRIMARY))))
    house.inbound_hints.clear()
    tell(house, task, Result.CURRENT, serial=5)
    assert (due(house), house.inbound_hints) == ((zone.id,), [zone.id])
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert due(house) == ()


def test_a_wish_is_forced_until_it_is_fulfilled(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    wished(house, zone)
    task = look(house, zone)
    assert task.forced
    tell(house, task, Result.FAILED, why="silence")
    house.pass_time(300)
    assert look(house, zone).forced
    fetch(house, zone, 5)
    house.pass_time(1300)
    assert not look(house, zone).forced


@pytest.mark.parametrize(("kind", "problem"), [(ZoneType.PRIMARY, errors.BadInput), (None, errors.ZoneNotFound)])
def test_only_a_secondary_zone_of_ones_own_can_be_fetched(house: House, kind: ZoneType | None, problem: Any) -> None:
    zone = house.zone() if kind else secondary(house)
    with pytest.raises(problem):
        house.call(TransferZone(caller=member() if kind else member("p2"), zone_id=zone.id))


def test_a_primary_that_went_back_is_contact_and_says_so(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5)
    house.pass_time(1300)
    tell(house, look(house, zone), Result.CURRENT, serial=4, why="the primary's serial 4 does not come after 5")
    assert (primary(house, zone).state, "serial 4" in (primary(house, zone).error or "")) == ("current", True)


def test_a_zones_own_key_goes_with_its_task(house: House) -> None:
    zone = secondary(house)
    house.call(
        CreateTSIGKey(
            caller=OPERATOR, name="k", algorithm="hmac-sha256", secret="c2VjcmV0", scope=Scope.ZONE, resource_id=zone.id
        )
    )
    key = look(house, zone).key
    assert key is not None
    assert key.name == "k"


# -- expiry


def expired(house: House) -> Zone:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    while house.get(zone.id).status is not Status.ERROR:
        house.time = row(house, zone).due_at
        tell(house, look(house, zone), Result.FAILED, why="silence")
    return zone


def test_a_copy_expires_when_no_primary_answered_for_so_long(house: House) -> None:
    began = house.time
    zone = expired(house)
    assert 3600 <= (house.time - began) / SECOND < 3800
    assert (house.get(zone.id).action, row(house, zone).loaded) == (Action.NONE, False)
    view = primary(house, zone)
    assert (view.state, view.error) == ("expired", "silence")


def test_what_servers_say_makes_an_expired_copy_no_younger(house: House) -> None:
    zone = expired(house)
    house.pool()  # applied again: every zone is looked at anew
    house.pool(servers=2)
    house.hints.append(zone.id)
    house.serve()
    assert house.get(zone.id).status is Status.ERROR


def test_an_expired_copy_lives_again_with_its_primary_and_servers_are_told(house: House) -> None:
    zone = expired(house)
    before = house.get(zone.id)
    house.time = row(house, zone).due_at
    tell(house, look(house, zone), Result.CURRENT, serial=5)
    after = house.get(zone.id)
    assert (after.status, after.serial, after.revision) == (Status.PENDING, 5, before.revision + 1)
    house.serve()
    assert house.get(zone.id).status is Status.ACTIVE
    assert primary(house, zone).state == "current"


def test_contact_keeps_a_copy_from_expiring(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    for _ in range(5):
        house.time = row(house, zone).due_at
        tell(house, look(house, zone), Result.CURRENT, serial=5)
    assert house.get(zone.id).status is Status.ACTIVE


def test_the_sweep_lets_copies_expire_that_no_worker_looked_after(house: House) -> None:
    zone = secondary(house)
    fetch(house, zone, 5, expire=3600)
    house.serve()
    sweep = SweepInbound(first_shard=0, last_shard=4095, limit=100)
    assert house.call(sweep) == 0
    house.pass_time(4000)
    house.inbound_hints.clear()
    assert house.call(sweep) == 2
    assert house.get(zone.id).status is Status.ERROR
    assert house.inbound_hints == [zone.id]
    assert house.call(sweep) == 1


# -- neighbours in time


def test_an_earlier_zone_of_the_name_is_dropped_by_stragglers_until_the_first_content(house: House) -> None:
    old = house.zone()
    house.serve()
    house.delete(old)
    (task,) = house.begin()
    house.said(task, [one for one in house.well(task) if one.role is Role.NAMESERVER])
    new = secondary(house)
    assert house.outbox(old) is not None
    (again,) = house.begin(old)
    assert not again.superseded, "nothing of the new zone is there that a deletion could hit"
    fetch(house, new, 5)
    assert house.outbox(old) is None
    assert house.outbox(new) is not None


@pytest.mark.external
def test_it_is_the_same_on_every_database(anywhere: Build) -> None:
    house = anywhere()
    zone = secondary(house)
    fetch(house, zone, 1, raw=RRSIG)
    house.serve()
    wished(house, zone)
    body = dict(BODY) | {(f"n{n}", "TXT"): (5, [f'"{n}"']) for n in range(1200)}
    del body["mail", "MX"]
    fetch(house, zone, 2, body, raw=RRSIG)
    assert len(house.content(zone)) == 1204
    house.serve()
    assert (house.get(zone.id).status, house.get(zone.id).serial) == (Status.ACTIVE, 2)
    house.call(NotifiedInbound(zones=((zone.id, PRIMARY),)))
    assert due(house) == (zone.id,)
    tell(house, look(house, zone), Result.CURRENT, serial=2)
    house.pass_time(2 * DAY)
    assert house.call(SweepInbound(first_shard=0, last_shard=4095, limit=10)) == 2
    house.delete(house.get(zone.id))
    assert row(house, zone) is None
