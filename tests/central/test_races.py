# SPDX-License-Identifier: Apache-2.0
"""Threads against each other, over each database: rules hold, and what was acknowledged is there."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from redesignate.central.rules import Rules
from redesignate.central.work import report
from redesignate.central.zones import create_zone
from redesignate.commands.pools import ApplyPool
from redesignate.commands.quotas import GetUsage
from redesignate.commands.services import Heartbeat, HoldPartition
from redesignate.commands.work import ReleaseWork, Report
from redesignate.commands.zones import CreateZone
from redesignate.commands.zonetasks import AbandonZone
from redesignate.config.settings import DEFAULT_POOL_ID, QUOTAS
from redesignate.model import errors
from redesignate.model.pool import CatalogSpec, PoolSpec, TargetSpec
from redesignate.model.serial import newer
from redesignate.model.service import ServiceState
from redesignate.model.work import Outcome, Role
from redesignate.model.zone import NewZone
from redesignate.store.unit import Work
from tests.central.conftest import Build
from tests.central.driver import OPERATOR, PLENTY, POLICY, CentralDriver, admin, member
from tests.central.test_pools import check_catalog


def at_once(*acts: Callable[[], object]) -> Counter[str]:
    """Run all at once; how often each ended how ("ok", or the Problem's name)."""
    start, ends = threading.Barrier(len(acts)), Counter[str]()
    lock = threading.Lock()

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
            end = "ok"
        except errors.Problem as problem:
            end = type(problem).__name__
        with lock:
            ends[end] += 1

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(ends.values()) == len(acts), "a thread died of something that is no Problem"
    return ends


def test_the_last_place_of_a_quota_is_taken_once(anywhere: Build) -> None:
    central = anywhere(quotas=dict(QUOTAS, zone_recordsets=10, zones=3))
    zone = central.zone()
    for n in range(7):
        central.rrset(zone, f"n{n}")
    ends = at_once(*(lambda n=n: central.rrset(zone, f"x{n}") for n in range(8)))
    assert ends == {"ok": 1, "OverQuota": 7}
    central.zone(name="b.org.")
    ends = at_once(*(lambda n=n: central.zone(name=f"c{n}.org.") for n in range(8)))
    assert ends == {"ok": 1, "OverQuota": 7}


def test_the_last_places_of_records_are_taken_once_whichever_way_they_come(anywhere: Build) -> None:
    central = anywhere(quotas=dict(QUOTAS, zone_records=10, zone_recordsets=100))
    zone = central.zone()
    grown = [central.rrset(zone, f"n{n}") for n in range(9)]
    ends = at_once(
        *(lambda n=n: central.rrset(zone, f"x{n}") for n in range(4)),
        *(lambda one=one: central.put(one, records=("192.0.2.1", "192.0.2.2")) for one in grown[:4]),
    )
    assert ends == {"ok": 1, "OverQuota": 7}
    held = sum(len(rrset.records) for (_, kind), rrset in central.rrsets(zone).items() if kind == "A")
    assert held == 10
    counted = central.call(GetUsage(caller=member(), project_id=None, zone_id=zone.id))
    assert counted == {"zones": 1, "zone_recordsets": len(central.rrsets(zone)), "zone_records": 10,
                       "api_export_size": len(central.rrsets(zone))}  # fmt: skip


def test_a_cname_and_an_address_at_once_leave_one(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    for n in range(5):
        ends = at_once(
            lambda n=n: central.rrset(zone, f"n{n}", "CNAME", ("a.org.",)),  # type: ignore[misc]
            lambda n=n: central.rrset(zone, f"n{n}"),  # type: ignore[misc]
            lambda n=n: central.rrset(zone, f"n{n}", "TXT", ('"x"',)),  # type: ignore[misc]
        )
        there = [kind for name, kind in central.rrsets(zone) if name == f"n{n}.example.org."]
        assert there == ["CNAME"] or sorted(there) == ["A", "TXT"]
        assert ends["ok"] == len(there)


def test_one_of_two_projects_gets_a_family_of_names(anywhere: Build) -> None:
    central = anywhere()
    for n in range(5):
        names = (f"f{n}.org.", f"a.f{n}.org.", f"b.a.f{n}.org.", f"f{n}.org.")
        callers = (member("p1"), member("p2"), member("p3"), member("p4"))
        at_once(*(lambda a=a, c=c: central.zone(name=a, caller=c) for a, c in zip(names, callers, strict=True)))
        owners = {row.project_id for row in central.rows("zones") if row.name.endswith(f"f{n}.org.")}
        assert len(owners) == 1


def test_many_writers_of_one_zone_lose_nothing(anywhere: Build) -> None:
    central = anywhere()
    zone = central.zone()
    first = central.content(zone)
    kept = [central.rrset(zone, f"k{n}") for n in range(20)]
    before = central.get(zone.id)

    def writer(own: int) -> Callable[[], object]:
        def write() -> None:
            for n in range(8):
                made = central.rrset(zone, f"w{own}-{n}")
                if n % 2:
                    central.remove(made)
            central.put(kept[own], records=(f"192.0.2.{own}",))

        return write

    ends = at_once(*(writer(own) for own in range(15)))
    assert ends == {"ok": 15}
    now = central.get(zone.id)
    assert now.revision == before.revision + 15 * (8 + 4 + 1)
    there = {name.partition(".")[0]: rrset for (name, kind), rrset in central.rrsets(zone).items() if kind == "A"}
    assert set(there) == {f"k{n}" for n in range(20)} | {f"w{own}-{n}" for own in range(15) for n in range(0, 8, 2)}
    assert all(there[f"k{own}"].records == (f"192.0.2.{own}",) for own in range(15))
    rows = sorted(central.rows("journal", zone_id=zone.id), key=lambda row: row.revision)
    assert [row.revision for row in rows] == list(range(1, now.revision + 1))
    for earlier, later in itertools.pairwise(rows):
        assert later.serial_from == earlier.serial_to
        assert newer(later.serial_to, earlier.serial_to)
    assert central.replayed(zone, first) == central.content(zone)
    assert central.outbox(zone).revision == now.revision


def test_of_many_workers_one_gets_a_zone(anywhere: Build) -> None:
    central = anywhere()
    zones = [central.zone(name=f"z{n}.org.") for n in range(10)]
    got: list[tuple[str, str]] = []

    def worker(name: str) -> Callable[[], object]:
        return lambda: got.extend((task.zone_id, name) for task in central.begin(*zones, worker=name))

    at_once(*(worker(f"w{n}") for n in range(8)))
    assert sorted(zone_id for zone_id, _ in got) == sorted(zone.id for zone in zones)


def test_edits_reports_and_pool_changes_at_once_settle(anywhere: Build) -> None:
    central = anywhere()
    zones = [central.zone(name=f"z{n}.org.") for n in range(4)]
    done = threading.Event()

    def edit() -> None:
        for n in range(10):
            for zone in zones:
                central.rrset(zone, f"n{n}")

    def work(name: str) -> Callable[[], object]:
        def run() -> None:
            while not done.is_set():
                tasks: Sequence[object] = central.begin(*zones, worker=name, lease_s=0.0)
                for task in central.begin(*zones, worker=name, lease_s=0.0) if tasks else ():
                    central.said(task, central.as_wanted(task), worker=name)

        return run

    def change() -> None:
        for n in range(5):
            central.pool(servers=1 + n % 2, catalog=CatalogSpec(name="catalog.invalid." if n % 2 else ""))
            central.zone(name=f"more{n}.org.")
        done.set()

    assert at_once(edit, work("w1"), work("w2"), change) == {"ok": 4}
    done.set()
    check_catalog(central)
    settle(central)
    assert not central.rows("outbox")
    states = {row.status for row in central.rows("zones", deleted="")}
    assert states == {"ACTIVE"}


def settle(central: CentralDriver) -> None:
    """Work until nobody has anything to do."""
    for _ in range(20):
        central.pass_time(30)
        central.call(ReleaseWork())  # leases are by the database's clock, which no test moves
        rows = central.rows("outbox")
        if not rows:
            return
        with central.store.read() as reading:
            zones = list(reading.zones.many([row.zone_id for row in rows]).values())
        for task in central.begin(*zones):
            central.said(task, central.as_wanted(task))


def test_first_words_of_services_and_members_at_once_are_one_row(anywhere: Build) -> None:
    central = anywhere()
    ends = at_once(
        *(lambda: central.call(Heartbeat(service_name="api", hostname="h", status=ServiceState.UP)) for _ in range(6)),
        *(lambda: central.call(HoldPartition(group="g", member="m", lease_s=5)) for _ in range(6)),
    )
    assert ends == {"ok": 12}
    assert len(central.rows("services")) == 1


def test_pools_applied_at_once_are_one(anywhere: Build) -> None:
    central = anywhere(quotas=PLENTY)
    before = central.pool()
    ends = at_once(*(lambda: central.pool(servers=2) for _ in range(4)))
    assert ends == {"ok": 4}
    assert central.pool(servers=2).version == before.version + 1


@pytest.mark.parametrize("first", ["parent", "child"])
def test_deleting_a_parent_while_a_child_is_made_leaves_no_orphan(anywhere: Build, first: str) -> None:
    central = anywhere()
    top = central.zone()
    acts = [lambda: central.delete(top), lambda: central.zone(name="a.example.org.")]
    at_once(*(acts if first == "parent" else acts[::-1]))
    settle(central)
    living = {row.id for row in central.rows("zones", deleted="")}
    assert all(row.parent_id is None or row.parent_id in living for row in central.rows("zones", deleted=""))


@pytest.mark.parametrize("end", ["served", "abandoned"])
def test_a_zone_that_is_made_while_its_parent_goes_has_none(anywhere: Build, end: str) -> None:
    """Else the next zone of the parent's name would not know of it, and could be deleted before it."""
    central = anywhere()
    if central.store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    top = central.zone()
    if end == "served":
        central.delete(top)
    tasks = central.begin(top)
    made, go = threading.Event(), threading.Event()
    rules = Rules(settings=central.settings, policy=POLICY)
    new = NewZone(name="a.example.org.", email="hostmaster@example.org")

    def slow(unit: Work) -> None:
        create_zone(rules, unit, CreateZone(caller=member(), new=new))
        made.set()
        assert go.wait(10)

    thread = threading.Thread(target=central.store.transact, args=(slow,))
    thread.start()
    assert made.wait(10)
    threading.Timer(0.5, go.set).start()  # while what ends the parent waits for the names
    if end == "served":
        central.said(tasks[0], central.as_wanted(tasks[0]))
    else:
        with contextlib.suppress(errors.ZoneHasSubZone):
            central.call(AbandonZone(caller=admin(), zone_id=top.id))
    thread.join(10)
    living = {row.id: row.parent_id for row in central.rows("zones", deleted="")}
    assert all(parent in {None, *living} for parent in living.values())
    if end == "served":
        again = central.zone()
        assert top.id not in living
        with pytest.raises(errors.ZoneHasSubZone):
            central.delete(again)


def test_what_a_report_writes_while_the_pool_changes_is_forgotten_too(anywhere: Build) -> None:
    """The target is told of other primaries: what it was told before does not count, although it is written last."""
    central = anywhere()
    if central.store.engine.dialect.name == "sqlite":
        pytest.skip("its writers come one after another")
    zone = central.zone()
    (task,) = central.begin(zone)
    outcome = Outcome(zone_id=zone.id, revision=task.revision, present=True, peers=tuple(central.as_wanted(task)))
    written, go = threading.Event(), threading.Event()

    def slow(unit: Work) -> None:
        report(Rules(settings=central.settings, policy=POLICY), unit, Report(worker="w1", outcomes=(outcome,)))
        written.set()
        assert go.wait(10)

    thread = threading.Thread(target=central.store.transact, args=(slow,))
    thread.start()
    assert written.wait(10)
    threading.Timer(0.5, go.set).start()  # while the change of the pool waits for the row
    changed = TargetSpec(type="fake", options={"host": "192.0.2.1"}, primaries=(("192.0.2.99", 5354),))
    spec = PoolSpec(id=DEFAULT_POOL_ID, name="default", targets=(changed,))
    central.call(ApplyPool(caller=OPERATOR, spec=spec))
    thread.join(10)
    assert not central.rows("peer_states", zone_id=zone.id, role="target")
    (again,) = central.begin(zone)
    assert Role.TARGET not in {state.role for state in again.peers}
