# SPDX-License-Identifier: Apache-2.0
"""A zone that came from a primary: what is written of it, what may be in it, which serial it gets."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event

from redesignate.central import loading
from redesignate.central.rules import Rules
from redesignate.commands.inbound import BeginInbound, ReportInbound, TransferZone
from redesignate.commands.quotas import SetQuotas
from redesignate.commands.zones import ZonePeers
from redesignate.model.inbound import InboundOutcome, Result
from redesignate.model.work import PeerView
from redesignate.model.zone import Action, Status, Zone
from redesignate.wire.rrset import pack, split
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, PLENTY, POLICY, CentralDriver, member
from tests.central.primaries import BODY, RRSIG, content, fetch, look, secondary, tell
from tests.central.test_journal import check_counts


def row(central: CentralDriver, zone: Zone) -> Any:
    return next(iter(central.rows("inbound", zone_id=zone.id)), None)


def primary(central: CentralDriver, zone: Zone) -> PeerView:
    return central.call(ZonePeers(caller=member(), zone_id=zone.id))[0]


def wished(central: CentralDriver, zone: Zone) -> None:
    central.call(TransferZone(caller=member(), zone_id=zone.id))


def test_what_comes_in_is_stored_published_and_active_when_served(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 2026010101)
    now = central.get(zone.id)
    assert (now.serial, now.revision, now.transferred_at) == (2026010101, 2, central.time)
    assert (now.status, now.action) == (Status.PENDING, Action.CREATE)
    assert (now.mname, now.email, now.ttl) == ("ns1.customer.net.", "admin@customer.net", 600)
    assert (now.refresh, now.retry, now.expire, now.minimum) == (1200, 180, 86400, 60)
    found = central.rrsets(zone)
    assert found["www.example.org.", "A"].records == ("192.0.2.1", "192.0.2.2")
    assert (found["www.example.org.", "A"].ttl, len(found)) == (60, 4)
    (counts,) = central.rows("zones", id=zone.id)
    assert (counts.rrset_count, counts.record_count) == (4, 4)
    central.serve()
    assert central.get(zone.id).status is Status.ACTIVE
    assert primary(central, zone).state.value == "current"


def test_only_the_difference_is_written_and_the_journal_leads_from_one_to_the_next(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 1)
    central.serve()
    before, first = central.rrsets(zone), central.content(zone)
    wished(central, zone)
    body = dict(BODY) | {("new", "A"): (5, ["192.0.2.7"]), ("www", "A"): (60, ["192.0.2.2", "192.0.2.3"])}
    del body["mail", "MX"]
    fetch(central, zone, 2, body)
    after = central.rrsets(zone)
    assert set(after) == {(f"{name}.example.org." if name else zone.name, t) for name, t in body} | {(zone.name, "SOA")}
    assert after[zone.name, "NS"] == before[zone.name, "NS"]
    www = after["www.example.org.", "A"]
    assert (www.id, www.version) == (before["www.example.org.", "A"].id, 2)
    assert www.status is Status.PENDING
    last = sorted(central.rows("journal", zone_id=zone.id), key=lambda entry: entry.revision)[-1]
    assert not last.full
    removed, added = Counter(split(bytes(last.removed))), Counter(split(bytes(last.added)))
    assert (removed - first, first - removed + added) == (Counter(), central.content(zone))


def test_the_first_content_can_only_be_transferred_whole(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 9)
    entries = central.rows("journal", zone_id=zone.id)
    assert [entry.full for entry in entries] == [True, True]


def test_the_same_zone_again_moves_nothing_but_the_clock(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 5)
    central.serve()
    before = central.get(zone.id)
    central.pass_time(100)
    wished(central, zone)
    with central.counted() as statements:
        fetch(central, zone, 5)
    after = central.get(zone.id)
    assert (after.revision, after.serial, after.status) == (before.revision, before.serial, Status.ACTIVE)
    assert after.transferred_at == central.time
    assert not any("rrset_data" in one for one in statements)
    assert central.outbox(zone) is None


def test_a_large_zone_costs_statements_by_the_thousand(central: CentralDriver) -> None:
    zone = secondary(central)
    many = dict(BODY) | {(f"n{n}", "A"): (60, ["192.0.2.1"]) for n in range(1500)}
    fetch(central, zone, 1, many)
    central.pass_time(2)
    wished(central, zone)
    with central.counted() as statements:
        fetch(central, zone, 2, {which: (61, texts) for which, (_, texts) in many.items()})
    assert len(statements) < 25
    assert len(central.content(zone)) == 1504


# -- serials


def test_a_serial_that_went_back_is_published_as_the_next_one(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 100)
    central.serve()
    central.patch(zone, primaries=("192.0.2.77",))
    changed = dict(BODY) | {("www", "A"): (60, ["192.0.2.5"])}
    fetch(central, zone, 3, changed)
    assert central.get(zone.id).serial == 101
    assert row(central, zone).serial == 3
    wished(central, zone)
    fetch(central, zone, 200)
    assert central.get(zone.id).serial == 200


def test_a_signed_zone_whose_serial_went_back_is_refused_for_its_soa_may_not_change(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 100, raw=RRSIG)
    central.serve()
    before = central.get(zone.id)
    wished(central, zone)
    fetch(central, zone, 3, dict(BODY) | {("x", "A"): (1, ["192.0.2.1"])}, raw=RRSIG)
    assert central.get(zone.id) == before
    assert "RFC 1982" in (primary(central, zone).error or "")


# -- what may be in it


def test_records_that_users_may_not_write_are_kept_as_octets(central: CentralDriver) -> None:
    zone = secondary(central)
    odd = pack(zone.name, "o\\032dd.example.org.", "MX", 5, [b"\0\x0a\x05a b c\0"])
    fetch(central, zone, 7, raw=RRSIG + odd)
    found = central.rrsets(zone)
    assert found[zone.name, "TYPE46"].records[0].startswith("\\# ")
    assert found["o\\032dd.example.org.", "MX"].records == ("\\# 9 000a05612062206300",)
    assert odd in central.content(zone)


def test_hashed_owners_and_signatures_have_their_place_apart_from_names(central: CentralDriver) -> None:
    zone = secondary(central)
    owner = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
    hashed = pack(zone.name, f"{owner}.{zone.name}", "TYPE50", 60, [b"\1\0\0\0\0\x14" + bytes(20)])
    fetch(central, zone, 7, raw=RRSIG + hashed)
    keys = {(row.name, row.type): row.order_key for row in central.rows("rrsets", zone_id=zone.id)}
    assert keys[f"{owner}.{zone.name}", "TYPE50"] == b"\0" + owner.encode() + b"\0"
    assert keys[zone.name, "TYPE46"] == b"\0\0"
    assert (keys[zone.name, "NS"], keys[f"www.{zone.name}", "A"]) == (b"", b"www\0")


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "malformed": ({"raw": pack("example.org.", "x.example.org.", "A", 1, [b"\1\2\3"])}, "A at x.example.org."),
    "malformed, of a type without a name here": (
        {"raw": pack("example.org.", "x.example.org.", "TYPE45", 1, [b"\1\1\2\xc0"])},
        "TYPE45 at x.example.org.",
    ),
    "no nameserver": ({"body": {("www", "A"): (1, ["192.0.2.1"])}}, "no NS"),
    "CNAME beside": ({"body": dict(BODY) | {("www", "CNAME"): (1, ["a.b."])}}, "CNAME and A"),
    "two DNAMEs": ({"body": dict(BODY) | {("x", "DNAME"): (1, ["a.b.", "c.b."])}}, "2 DNAME"),
    "two CNAMEs": ({"body": dict(BODY) | {("x", "CNAME"): (1, ["a.b.", "c.b."])}}, "2 CNAME"),
    "NS at a wildcard": ({"body": dict(BODY) | {("*", "NS"): (1, ["a.b."])}}, "NS at the wildcard *.example.org."),
    "NSEC3 at a name": (
        {"raw": pack("example.org.", "x.example.org.", "TYPE50", 1, [b"\1\0\0\0\0\x14" + bytes(20)])},
        "an NSEC3 record at x.example.org., whose first label is not a hash",
    ),
    "half a record": ({"raw": b"x"}, "damaged"),
}


@pytest.mark.parametrize(("made", "why"), BROKEN.values(), ids=BROKEN)
def test_a_zone_that_cannot_be_held_is_refused_whole_and_the_old_copy_stays(
    central: CentralDriver, made: dict[str, Any], why: str
) -> None:
    zone = secondary(central)
    fetch(central, zone, 1)
    before, held = central.get(zone.id), central.content(zone)
    wished(central, zone)
    fetch(central, zone, 2, **made)
    assert (central.get(zone.id), central.content(zone)) == (before, held)
    view = primary(central, zone)
    assert (view.state.value, view.attempts) == ("behind", 1)
    assert why in (view.error or "")


@pytest.mark.parametrize("sent", [b"", b"noise", content("example.org.", 2)[:-9]])
def test_damaged_content_is_a_failure(central: CentralDriver, sent: bytes) -> None:
    zone = secondary(central)
    tell(central, look(central, zone), Result.FETCHED, serial=2, content=sent)
    assert central.get(zone.id).transferred_at is None
    assert "the zone's data" in (primary(central, zone).error or "")


def test_what_unpacks_to_more_than_the_limit_is_a_failure(build: Build) -> None:
    central = build(xfr_max_bytes=300)
    zone = secondary(central)
    fetch(central, zone, 1, dict(BODY) | {("big", "TXT"): (1, ['"' + "a" * 255 + '"'])})
    assert "xfr_max_bytes" in (primary(central, zone).error or "")


def test_a_mailbox_that_is_no_mail_address_becomes_the_operators(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 1, rname=".")
    assert central.get(zone.id).email == "hostmaster@example.com"


def test_records_turned_round_or_doubled_are_no_change(central: CentralDriver) -> None:
    zone = secondary(central)
    fetch(central, zone, 1)
    before = central.rrsets(zone)
    wished(central, zone)
    fetch(central, zone, 1, dict(BODY) | {("www", "A"): (60, ["192.0.2.2", "192.0.2.1", "192.0.2.2"])})
    assert central.rrsets(zone) == before


@pytest.mark.parametrize(("resource", "limit"), [("zone_recordsets", 3), ("zone_records", 3)])
def test_what_a_primary_sends_is_charged_to_the_project(build: Build, resource: str, limit: int) -> None:
    central = build(quotas=PLENTY | {resource: limit, "recordset_records": 1})
    zone = secondary(central)
    fetch(central, zone, 1)
    assert central.get(zone.id).transferred_at is None
    assert f"the quota {resource} allows {limit}" in (primary(central, zone).error or "")
    central.call(SetQuotas(caller=OPERATOR, project_id="p1", limits={resource: limit + 1}))
    central.pass_time(60)
    fetch(central, zone, 1)
    assert central.get(zone.id).transferred_at is not None


def test_a_copy_over_a_lowered_quota_goes_on_while_it_does_not_grow(build: Build) -> None:
    central = build(quotas=PLENTY)
    zone = secondary(central)
    fetch(central, zone, 1)
    central.call(SetQuotas(caller=OPERATOR, project_id="p1", limits={"zone_records": 1, "zone_recordsets": 1}))
    central.pass_time(3600)
    fetch(central, zone, 2)
    assert central.get(zone.id).serial == 2
    central.pass_time(3600)
    fetch(central, zone, 3, dict(BODY) | {("more", "A"): (60, ["192.0.2.9"])})
    assert central.get(zone.id).serial == 2
    assert "the quota" in (primary(central, zone).error or "")


def test_a_large_zone_comes_in_by_many_short_transactions(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.central.loading.AHEAD", 10)
    zone = secondary(central)
    many = dict(BODY) | {(f"n{n}", "A"): (60, ["192.0.2.1"]) for n in range(95)}
    written: list[int] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if statement.startswith("BEGIN"):
            written.append(0)
        elif statement.startswith("INSERT INTO rrsets"):
            written.append(len(values))

    event.listen(central.store.engine, "before_cursor_execute", note)
    fetch(central, zone, 1, many)
    assert max(written) <= 10
    assert sum(written) == 98
    assert central.get(zone.id).revision == 2, "published once, when all is there"
    assert len(central.content(zone)) == 99
    check_counts(central, zone)
    entries = central.rows("journal", zone_id=zone.id)
    assert [entry.full for entry in entries] == [True, True]


def test_what_was_stored_ahead_by_a_worker_that_died_becomes_what_the_next_one_brings(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.central.loading.AHEAD", 10)
    zone = secondary(central)
    first = {(f"n{n}", "A"): (60, ["192.0.2.1"]) for n in range(40)}
    begun = central.call(BeginInbound(worker="dying", zone_ids=(zone.id,), lease_s=60))
    sent = content(zone.name, 1, dict(BODY) | first)
    outcome = InboundOutcome(
        zone_id=zone.id,
        asked=begun[0].asked,
        generation=begun[0].generation,
        since=None,
        result=Result.FETCHED,
        content=sent,
    )
    loading.unpacked(
        Rules(settings=central.settings, policy=POLICY), central.store, ReportInbound(worker="dying", outcome=outcome)
    )
    assert central.get(zone.id).revision == 1
    assert len(central.rrsets(zone)) > 20
    central.pass_time(61)
    fetch(central, zone, 2)
    assert set(central.rrsets(zone)) == {(f"{n}.{zone.name}" if n else zone.name, t) for n, t in BODY} | {
        (zone.name, "SOA")
    }
    check_counts(central, zone)


def test_a_large_zone_is_not_fetched_on_request_more_often_than_it_is_worth(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redesignate.central.inbound.RRSETS_A_SECOND", 1)
    zone = secondary(central)
    fetch(central, zone, 1)
    central.inbound_hints.clear()
    wished(central, zone)
    assert not central.inbound_hints
    assert not central.call(BeginInbound(worker="w1", zone_ids=(zone.id,), lease_s=60))
    central.pass_time(4)
    fetch(central, zone, 2)
