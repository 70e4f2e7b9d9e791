# SPDX-License-Identifier: Apache-2.0
"""A zone that came from a primary: what is written of it, what may be in it, which serial it gets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from redesignate.commands.inbound import TransferZone
from redesignate.commands.zones import ZonePeers
from redesignate.model.inbound import Result
from redesignate.model.work import PeerView
from redesignate.model.zone import Action, Status, Zone
from redesignate.wire.rrset import pack, split
from tests.central.conftest import Build
from tests.central.customer import BODY, RRSIG, content, fetch, look, secondary, tell
from tests.central.house import House, member


def row(house: House, zone: Zone) -> Any:
    return next(iter(house.rows("inbound", zone_id=zone.id)), None)


def primary(house: House, zone: Zone) -> PeerView:
    return house.call(ZonePeers(caller=member(), zone_id=zone.id))[0]


def wished(house: House, zone: Zone) -> None:
    house.call(TransferZone(caller=member(), zone_id=zone.id))


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
