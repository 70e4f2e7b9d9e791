# SPDX-License-Identifier: Apache-2.0
"""Answers stay right while order keys are missing: a process of an older release has written, during an upgrade."""

from __future__ import annotations

import dns.message
import dns.query
import dns.rcode
import pytest
from sqlalchemy import func, update

from redesignate.mdns.service import DNSService
from redesignate.store import serving
from redesignate.store.schema import rrsets
from tests.mdns.conftest import Serve
from tests.mdns.test_lookup import RECORDS, ZONE, ask, lines
from tests.mdns.zones import StoredZone, StoredZones

NAMES = (
    "between", "x.between", "wild", "x.wild", "ent.wild", "x.ent.wild", "x.host.wild", "nothing", "x.www", "zzz", "0",
    "x.star", "y.x.star", "x.c.star", "star",
)  # fmt: skip
MORE = {
    ("below.*.star.example.org.", "A"): ("192.0.2.11",),
    ("a.b.*.c.star.example.org.", "A"): ("192.0.2.12",),
}


def forget(stored: StoredZones, zone: StoredZone, *names: str) -> None:
    """Take the order keys of these names, or of all, with a new revision."""
    chosen = [rrsets.c.zone_id == zone.zone.id]
    if names:
        chosen.append(rrsets.c.name.in_([f"{name}.{ZONE}" for name in names]))
    statement = update(rrsets).where(*chosen, func.length(rrsets.c.wire) > 0).values(order_key=None)
    stored.mark(zone, revision=zone.zone.revision + 1)
    stored.store.transact(lambda work: work.conn.execute(statement) and None)


def answers(service: DNSService) -> dict[str, tuple[int, list[str], list[str]]]:
    replies = {name: ask(service, f"{name}.{ZONE}", "A") for name in NAMES}
    return {name: (reply.rcode(), lines(reply.answer), lines(reply.authority)) for name, reply in replies.items()}


@pytest.mark.parametrize("names", [(), ("deep.between", "a.ent.wild", "host.wild"), ("a.b.*.c.star", "below.*.star")])
def test_names_whose_keys_are_missing_are_known(stored: StoredZones, serve: Serve, names: tuple[str, ...]) -> None:
    zone = stored.add_zone(ZONE, RECORDS | MORE)
    right = answers(serve())
    assert right["between"][0] == dns.rcode.NOERROR
    forget(stored, zone, *names)
    assert answers(serve()) == right


def test_nothing_is_nxdomain_while_more_keys_are_missing_than_are_read(
    stored: StoredZones, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = stored.add_zone(ZONE, RECORDS)
    forget(stored, zone)
    monkeypatch.setattr(serving, "MOST_UNPLACED", 3)
    found = answers(serve())
    assert {rcode for rcode, _, _ in found.values()} == {dns.rcode.NOERROR}
    assert found["x.wild"][1] == ["x.wild.example.org. 3600 IN A 192.0.2.5"]


def test_a_name_that_is_written_without_its_key_is_known_at_the_next_revision(
    stored: StoredZones, serve: Serve
) -> None:
    zone, service = stored.add_zone(ZONE, RECORDS), serve()
    assert ask(service, f"new.{ZONE}", "A").rcode() == dns.rcode.NXDOMAIN
    stored.edit(zone, {("deep.new.example.org.", "A"): (None, ("192.0.2.9",))})
    forget(stored, zone, "deep.new")
    assert ask(service, f"new.{ZONE}", "A").rcode() == dns.rcode.NOERROR


def test_the_owner_of_a_misplaced_nsec3_record_is_no_name(stored: StoredZones, serve: Serve) -> None:
    """With a plain key it stands among the names, but a wildcard stands for what is below it."""
    hashed = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"
    zone = stored.add_zone(ZONE, {
        ("*.example.org.", "A"): ("192.0.2.1",),
        (f"{hashed}.{ZONE}", "TYPE50"): (f"1 0 0 - {hashed.upper()} A",),
    })  # fmt: skip
    statement = update(rrsets).where(rrsets.c.zone_id == zone.zone.id, rrsets.c.name == f"{hashed}.{ZONE}")
    stored.store.transact(lambda work: work.conn.execute(statement.values(order_key=hashed.encode() + b"\0")) and None)
    assert lines(ask(serve(), f"x.{hashed}.{ZONE}", "A").answer) == [f"x.{hashed}.{ZONE} 3600 IN A 192.0.2.1"]
