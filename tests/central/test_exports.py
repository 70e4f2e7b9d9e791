# SPDX-License-Identifier: Apache-2.0
"""Exports of zones, and the parts in which a zone is read as a zone file."""

from __future__ import annotations

import random
from typing import Any

import pytest

from redesignate.central import exports
from redesignate.commands.base import Command
from redesignate.commands.exports import CreateExport, DeleteExport, GetExport, ListExports, ReadZoneFile
from redesignate.commands.upkeep import PurgeZones
from redesignate.config.settings import QUOTAS
from redesignate.model import errors
from redesignate.model.caller import Caller
from redesignate.model.paging import Condition, ListQuery, Op
from redesignate.model.zone import Zone, ZoneType
from redesignate.model.zonefile import gather, read
from redesignate.model.zonetask import Place, TaskStatus, ZoneExport, ZoneFilePart
from tests.central.conftest import Build
from tests.central.driver import CentralDriver, admin, member

PLENTY = dict.fromkeys(QUOTAS, -1)


def export(central: CentralDriver, zone: Zone, caller: Caller | None = None) -> ZoneExport:
    return central.call(CreateExport(caller=caller or member(), zone_id=zone.id))


def part(central: CentralDriver, zone: Zone, at: Place | None = None) -> ZoneFilePart:
    return central.call(ReadZoneFile(caller=member(), zone_id=zone.id, at=at))


def rest(central: CentralDriver, zone: Zone, first: ZoneFilePart) -> str:
    text, at = first.text, first.after
    while at is not None:
        one = part(central, zone, at)
        text, at = text + one.text, one.after
    return text


def whole(central: CentralDriver, zone: Zone) -> str:
    return rest(central, zone, part(central, zone))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One RRset of each query, and one query of each part."""
    monkeypatch.setattr("redesignate.store.exports.AT_ONCE", 1)
    monkeypatch.setattr(exports, "AT_ONCE", 1)
    monkeypatch.setattr(exports, "PART", 1)


def test_an_export_is_made_read_listed_and_removed(central: CentralDriver) -> None:
    zone = central.zone()
    made = export(central, zone)
    assert (made.status, made.location, made.zone_id) == (TaskStatus.PENDING, None, zone.id)
    found = central.call(GetExport(caller=member(), export_id=made.id))
    assert (found.status, found.project_id, found.version) == (TaskStatus.COMPLETE, "p1", 1)
    assert found.location == f"designate://v2/zones/tasks/exports/{made.id}/export"
    other = export(central, central.zone("example.net."))
    every = central.call(ListExports(caller=member(), query=ListQuery()))
    assert ([one.id for one in every.items], every.total) == ([made.id, other.id], 2)
    by_zone = ListQuery(conditions=(Condition("zone_id", Op.EQ, zone.id),))
    assert [one.id for one in central.call(ListExports(caller=member(), query=by_zone)).items] == [made.id]
    central.call(DeleteExport(caller=member(), export_id=made.id))
    with pytest.raises(errors.ZoneExportNotFound):
        central.call(GetExport(caller=member(), export_id=made.id))


def test_an_export_is_its_projects(central: CentralDriver) -> None:
    made = export(central, central.zone())
    acts: tuple[Command[Any], ...] = (
        GetExport(caller=member("p2"), export_id=made.id),
        DeleteExport(caller=member("p2"), export_id=made.id),
    )
    for act in acts:
        with pytest.raises(errors.ZoneExportNotFound):
            central.call(act)
    for stranger in (member("p2"), Caller(request_id="r", user_id="u", roles=("admin", "member", "reader"))):
        assert central.call(ListExports(caller=stranger, query=ListQuery())).items == ()
    seer = admin("p2", all_projects=True)
    assert central.call(GetExport(caller=seer, export_id=made.id)).id == made.id
    assert central.call(ListExports(caller=seer, query=ListQuery())).total == 1


def test_a_reader_sees_an_export_and_may_not_download_it(central: CentralDriver) -> None:
    zone = central.zone()
    made = export(central, zone)
    reader = member("p1", "reader")
    assert central.call(GetExport(caller=reader, export_id=made.id)).id == made.id
    acts: tuple[Command[Any], ...] = (
        ReadZoneFile(caller=reader, zone_id=zone.id),
        CreateExport(caller=reader, zone_id=zone.id),
        DeleteExport(caller=reader, export_id=made.id),
    )
    for act in acts:
        with pytest.raises(errors.Forbidden):
            central.call(act)


def test_a_zone_file_holds_the_zone(central: CentralDriver) -> None:
    zone = central.zone(name="Example.org.", ttl=900)
    central.rrset(zone, "WWW", records=("192.0.2.2", "192.0.2.1"), ttl=60)
    central.rrset(zone, "", "TXT", ("a;b(c", '"x y" "\\"z"'))
    central.rrset(zone, "*", "MX", ("10 mail.example.org.",))
    central.rrset(zone, "empty", records=())
    text = whole(central, zone)
    head, _, body = text.partition("\n\n")
    assert head == "$ORIGIN Example.org.\n$TTL 900"
    assert body.startswith(
        f"Example.org. 900 IN SOA ns1.example.net. hostmaster.example.org. {central.get(zone.id).serial} "
    )
    assert "WWW.example.org. 60 IN A 192.0.2.2\nWWW.example.org. 60 IN A 192.0.2.1\n" in body
    found = {(one.name, one.rrtype): [record.wire for record in one.records] for one in gather([text]).rrsets()}
    assert set(found) == {
        ("example.org.", "NS"), ("example.org.", "TXT"), ("www.example.org.", "A"), ("*.example.org.", "MX"),
    }  # fmt: skip
    assert found["example.org.", "TXT"] == [b"\x05a;b(c", b'\x03x y\x02"z']


@pytest.mark.usefixtures("small_parts")
def test_all_parts_are_of_the_first_ones_revision(central: CentralDriver) -> None:
    zone = central.zone(ttl=900)
    made = {name: central.rrset(zone, name, ttl=random.choice((None, 60))) for name in "bdfhj"}
    wanted = whole(central, zone)
    first = part(central, zone)
    central.remove(made["b"])  # behind the place, before the end
    central.put(made["d"], records=("192.0.2.9", "192.0.2.8"))
    central.put(made["d"], records=("192.0.2.7",))
    central.put(made["f"], ttl=7)
    central.remove(made["j"])
    for name in ("a", "c", "z"):
        central.rrset(zone, name)
    central.remove(central.rrset(zone, "e"))
    text = rest(central, zone, first)
    assert sorted(_said(text)) == sorted(_said(wanted))
    assert sorted(_said(text)) != sorted(_said(whole(central, zone)))


def _said(text: str) -> list[tuple[str, int, str, str]]:
    return [(name, ttl, rrtype, value.text) for _, name, ttl, rrtype, value in read([text])]


@pytest.mark.usefixtures("small_parts")
def test_a_new_ttl_of_the_zone_is_taken_back(central: CentralDriver) -> None:
    zone = central.zone(ttl=900)
    for name in "bd":
        central.rrset(zone, name)
    wanted, first = whole(central, zone), part(central, zone)
    central.patch(zone, ttl=1200)
    central.rrset(zone, "e")
    assert sorted(_said(rest(central, zone, first))) == sorted(_said(wanted))


@pytest.mark.usefixtures("small_parts")
def test_what_the_journal_does_not_know_breaks_the_reading_off(
    central: CentralDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = central.zone()
    first = part(central, zone)
    monkeypatch.setattr(exports, "MOST_UNDONE", 10)
    central.rrset(zone, "a")
    with pytest.raises(errors.Unavailable, match="changes too much"):
        rest(central, zone, first)
    monkeypatch.undo()
    monkeypatch.setattr("redesignate.central.change.JOURNAL_ENTRY_MAX", 10)
    central.rrset(zone, "b")
    with pytest.raises(errors.Unavailable, match="changes too much"):
        part(central, zone, first.after or Place(revision=1, began=central.time, name="", type=""))


@pytest.mark.usefixtures("small_parts")
def test_a_file_is_read_for_an_hour_at_most(central: CentralDriver) -> None:
    zone = central.zone()
    central.rrset(zone, "a")
    first = part(central, zone)
    assert first.after is not None
    central.pass_time(3599)
    assert part(central, zone, first.after)
    central.pass_time(2)
    with pytest.raises(errors.Unavailable, match="begin again"):
        part(central, zone, first.after)


def test_a_database_that_lags_gives_no_part(central: CentralDriver) -> None:
    zone = central.zone()
    at = Place(revision=central.get(zone.id).revision + 1, began=central.time, name="", type="")
    with pytest.raises(errors.Unavailable, match="has not this revision yet"):
        part(central, zone, at)


def test_a_large_zone_is_read_in_parts(central: CentralDriver) -> None:
    zone = central.zone()
    for number in range(6):
        central.rrset(zone, f"t{number}", "TXT", tuple(f'"{"x" * 250}{at:04}"' for at in range(120)))
    first = part(central, zone)
    assert first.after is None  # one query is the least of a part
    assert len(_said(first.text)) == 6 * 120 + 3


def test_a_zone_beyond_the_quota_is_not_exported(build: Build) -> None:
    central = build(quotas=PLENTY | {"api_export_size": 3})
    zone = central.zone()
    central.rrset(zone, "a")
    assert export(central, zone)
    central.rrset(zone, "b")
    acts: tuple[Command[Any], ...] = (
        CreateExport(caller=member(), zone_id=zone.id),
        ReadZoneFile(caller=member(), zone_id=zone.id),
    )
    for act in acts:
        with pytest.raises(errors.OverQuota, match="api_export_size"):
            central.call(act)


def test_a_secondary_zone_without_content_is_not_exported(central: CentralDriver) -> None:
    zone = central.zone(type=ZoneType.SECONDARY, email=None, primaries=("192.0.2.1",))
    with pytest.raises(errors.BadInput, match="no content"):
        part(central, zone)


def test_exports_go_with_their_zone(central: CentralDriver) -> None:
    zone = central.zone()
    export(central, zone)
    central.delete(zone)
    central.serve()
    assert len(central.rows("zone_exports")) == 1
    central.pass_time(10)
    central.call(PurgeZones(age_s=1, first_shard=0, last_shard=4095, limit=10))
    assert central.rows("zone_exports") == []
