# SPDX-License-Identifier: Apache-2.0
"""The journal says exactly what changed: replayed from the first revision, it gives the zone as it is now."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redesignate.commands.upkeep import PurgeZones, RefreshApexes, TrimJournal
from redesignate.model.clock import shard_of
from redesignate.model.errors import Problem
from redesignate.model.pool import NSRecord
from redesignate.model.serial import newer
from redesignate.model.zone import Zone
from redesignate.wire.rrset import soa
from tests.central.driver import CentralDriver, admin, member

NAMES = ("", "a", "b", "*", "x.a")
TYPES = {
    "A": ("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    "TXT": ('"one"', '"two"', '"three"'),
    "CNAME": ("a.example.org.", "elsewhere.example.net."),
    "MX": ("10 a.example.org.", "20 b.example.org."),
}
TTLS = st.sampled_from([None, 0, 60, 300, 3600])

records = st.sampled_from(sorted(TYPES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.sampled_from(TYPES[kind]), max_size=3, unique=True))
)
edits = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(NAMES), records, TTLS),
    st.tuples(st.just("records"), st.integers(0, 9), st.integers(0, 3), st.none()),
    st.tuples(st.just("reorder"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("ttl"), st.integers(0, 9), TTLS, st.none()),
    st.tuples(st.just("describe"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("zone ttl"), st.sampled_from([0, 60, 300, 3600]), st.none(), st.none()),
    st.tuples(st.just("zone email"), st.sampled_from(["a@b.example", "c@d.example"]), st.none(), st.none()),
    st.tuples(st.just("apex"), st.integers(0, 2), st.none(), st.none()),
    st.tuples(st.just("clock"), st.sampled_from([-3600, -1, 0, 1, 3600]), st.none(), st.none()),
)


@contextmanager
def fresh(empty: Path) -> Iterator[CentralDriver]:
    """Central for one example."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "central.sqlite"
        shutil.copy(empty, file)
        central = CentralDriver(f"sqlite:///{file}")
        central.pool()
        try:
            yield central
        finally:
            central.close()


def edit(central: CentralDriver, zone: Zone, what: str, first: object, second: object, third: object) -> None:  # noqa: C901  # one arm an edit
    """One step; a step that the rules refuse changes nothing."""
    mine = [rrset for rrset in central.rrsets(zone).values() if not rrset.managed]
    chosen = mine[first % len(mine)] if mine and isinstance(first, int) else None
    match what, second:
        case "create", (str(kind), list(texts)):
            central.rrset(zone, str(first), kind, texts, ttl=third)
        case "records", int(count) if chosen:
            central.put(chosen, records=TYPES[chosen.type][:count])
        case "reorder", _ if chosen:
            central.put(chosen, records=chosen.records[::-1])
        case "ttl", _ if chosen:
            central.put(chosen, ttl=second)
        case "describe", _ if chosen:
            central.put(chosen, description="words")
        case "delete", _ if chosen:
            central.remove(chosen)
        case "zone ttl", _:
            central.patch(zone, ttl=first)
        case "zone email", _:
            central.patch(zone, email=first)
        case "apex", _:
            names = ("ns1.example.net.", "ns2.example.net.", "ns3.example.net.")[: int(str(first)) + 1]
            central.pool(ns_records=tuple(NSRecord(name, 9 - at) for at, name in enumerate(names)))
            central.call(RefreshApexes())
        case "clock", _:
            central.pass_time(float(str(first)))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(edits, min_size=1, max_size=25))
def test_the_journal_replayed_is_the_zone(
    empty_database: Path, steps: list[tuple[str, object, object, object]]
) -> None:
    with fresh(empty_database) as central:
        zone = central.zone()
        first, refusals = central.content(zone), set()
        central.rrset(zone, "a", records=TYPES["A"])
        central.rrset(zone, "own", ttl=60)
        central.rrset(zone, "alias", "CNAME", TYPES["CNAME"][:1])
        for step in steps:
            try:
                edit(central, zone, *step)
            except Problem as problem:
                refusals.add(problem.status)
        assert refusals <= {400, 409}
        assert central.replayed(zone, first) == central.content(zone)
        check_chain(central, zone)
        check_counts(central, zone)


def check_chain(central: CentralDriver, zone: Zone) -> None:
    """Revisions without a gap, serials that hang together and rise, SOAs that are the zone's."""
    rows = sorted(central.rows("journal", zone_id=zone.id), key=lambda row: row.revision)
    now = central.get(zone.id)
    assert [row.revision for row in rows] == list(range(1, now.revision + 1))
    assert rows[-1].serial_to == now.serial
    assert bytes(rows[-1].soa_to) == soa(now)
    for earlier, later in itertools.pairwise(rows):
        assert later.serial_from == earlier.serial_to
        assert newer(later.serial_to, later.serial_from)
        assert bytes(later.soa_from) == bytes(earlier.soa_to)


def check_counts(central: CentralDriver, zone: Zone) -> None:
    """What quotas are measured by is what there is."""
    (row,) = central.rows("zones", id=zone.id)
    there = central.rrsets(zone).values()
    assert row.rrset_count == len(there)
    assert row.record_count == sum(len(rrset.records) for rrset in there if not rrset.managed)


def test_a_change_that_is_not_seen_in_dns_removes_and_adds_nothing(central: CentralDriver) -> None:
    zone = central.zone()
    www = central.rrset(zone, "www")
    central.put(www, description="words")
    row = central.rows("journal", zone_id=zone.id, revision=3)[0]
    assert (bytes(row.removed), bytes(row.added)) == (b"", b"")


def test_the_zones_ttl_moves_the_rrsets_that_have_none_of_their_own(central: CentralDriver) -> None:
    zone = central.zone(ttl=300)
    central.rrset(zone, "own", ttl=60)
    central.rrset(zone, "lent")
    central.patch(zone, ttl=600)
    row = central.rows("journal", zone_id=zone.id, revision=4)[0]
    assert b"\x03own" not in bytes(row.removed)
    assert b"\x04lent" in bytes(row.removed)
    assert (600).to_bytes(4, "big") in bytes(row.added)


def test_the_journal_names_who_changed_what_and_when(central: CentralDriver) -> None:
    zone = central.zone()
    central.pass_time(5)
    central.rrset(zone, "www", caller=dataclasses.replace(member("p1"), request_id="req-7"))
    row = central.rows("journal", zone_id=zone.id, revision=2)[0]
    assert (row.user_id, row.project_id, row.request_id, row.at) == ("u1", "p1", "req-7", central.time)


def test_a_difference_too_large_to_keep_says_so(central: CentralDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = central.zone()
    monkeypatch.setattr("redesignate.central.change.JOURNAL_ENTRY_MAX", 10)
    central.rrset(zone, "www")
    row = central.rows("journal", zone_id=zone.id, revision=2)[0]
    assert row.full
    assert (bytes(row.removed), bytes(row.added)) == (b"", b"")


def test_trimming_leaves_no_gap(central: CentralDriver) -> None:
    zone, other = central.zone(), central.zone("other.org.")
    for n in range(8):
        central.pass_time(100 if n != 4 else -250)  # the clock goes back once
        central.rrset(zone, f"n{n}")
    central.pass_time(300)
    while central.call(TrimJournal(first_shard=0, last_shard=4095, age_s=400, limit=1)):
        kept = sorted(row.revision for row in central.rows("journal", zone_id=zone.id))
        assert kept == list(range(kept[0], 10)) if kept else True
    assert all(row.at >= central.time - 400_000_000 for row in central.rows("journal", zone_id=zone.id))
    assert not central.rows("journal", zone_id=other.id)


def test_trimming_keeps_to_its_shards(central: CentralDriver) -> None:
    zone = central.zone()
    central.pass_time(1000)
    shard = shard_of(zone.id)
    for first, last in ((0, shard - 1), (shard + 1, 4095)):
        assert central.call(TrimJournal(first_shard=first, last_shard=last, age_s=1, limit=10)) == 0
    assert central.call(TrimJournal(first_shard=shard, last_shard=shard, age_s=1, limit=10)) == 1


def test_a_purged_zone_leaves_nothing_behind(central: CentralDriver) -> None:
    zone = central.zone()
    central.rrset(zone, "www")
    central.delete(zone)
    central.serve()
    purge = PurgeZones(first_shard=0, last_shard=4095, age_s=60, limit=10)
    assert central.call(purge) == 0
    central.pass_time(61)
    assert central.call(purge) == 1
    for table in ("rrsets", "rrset_data", "journal", "peer_states", "outbox"):
        assert not central.rows(table, zone_id=zone.id), table
    assert not central.rows("zones", id=zone.id)


def test_a_zone_that_a_server_has_yet_to_drop_is_not_purged(central: CentralDriver) -> None:
    central.pool(targets=2)
    zone = central.zone()
    central.serve()
    central.delete(zone)
    (task,) = central.begin(zone)
    well = central.as_wanted(task)
    central.said(task, [dataclasses.replace(well[0], ok=False, present=True, why="away"), *well[1:]])
    central.pass_time(10_000)
    purge = PurgeZones(first_shard=0, last_shard=4095, age_s=60, limit=10)
    assert central.call(purge) == 0
    (task,) = central.begin(zone)
    central.said(task, central.as_wanted(task))
    assert central.call(purge) == 1


def test_content_counts_every_rr_once(central: CentralDriver) -> None:
    zone = central.zone()
    assert sum(central.content(zone).values()) == 2  # two NS
    central.rrset(zone, "www", records=("192.0.2.1", "192.0.2.2"))
    assert sum(Counter(central.content(zone)).values()) == 4
    assert central.get(zone.id, admin()).revision == 2
