# SPDX-License-Identifier: Apache-2.0
"""Zones at rest are looked at again: what a server has lost is noticed, named and repaired without a change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redesignate.commands.audit import ReportDifferences, ZonesAtRest
from redesignate.config.settings import WorkerSettings
from redesignate.model.audit import Difference
from redesignate.model.zone import Action, Status, Zone
from redesignate.worker.audit import step_size
from tests.support.nameservers import SmallServer
from tests.worker.conftest import Plane, eventually

Servers = tuple[SmallServer, SmallServer, SmallServer]
QUICK = WorkerSettings(find_interval=0.2, lease=4.0, audit_interval=2.0, audit_rate=1000)
NO_AUDIT = replace(QUICK, audit_interval=0.0)


@pytest.fixture
def two(plane: Plane, servers: Servers) -> tuple[SmallServer, SmallServer]:
    plane.worker_settings = QUICK
    plane.pool(*servers[:2])
    return servers[0], servers[1]


def peer_id(plane: Plane, zone: Zone, server: SmallServer) -> str:
    return plane.server_view(zone, server).peer_id


def test_a_wiped_server_is_whole_again_without_a_change(plane: Plane, two: tuple[SmallServer, SmallServer]) -> None:
    one, other = two
    plane.start()
    zones = [plane.zone() for _ in range(100)]
    plane.wait_done()
    wanted = dict(one.zones)
    one.zones.clear()
    eventually(lambda: one.zones == wanted, 20)
    plane.wait_done()
    assert other.zones == wanted
    assert all(plane.now(zone).status is Status.ACTIVE for zone in zones)


def test_an_older_serial_is_noticed_and_brought_forward(plane: Plane, two: tuple[SmallServer, SmallServer]) -> None:
    one, _ = two
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    one.zones[zone.name] = zone.serial - 1
    eventually(lambda: one.zones[zone.name] == zone.serial, 10)
    plane.wait_done()


def test_until_it_is_repaired_the_peers_say_what_is_missing_where(
    plane: Plane, two: tuple[SmallServer, SmallServer]
) -> None:
    one, other = two
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    plane.backend(one).failing = "rndc: cannot connect"
    del one.zones[zone.name]
    eventually(lambda: plane.server_view(zone, one).state.value == "absent", 10)
    assert f"127.0.0.1:{one.port} answers REFUSED" in str(plane.server_view(zone, one).error)
    eventually(lambda: plane.target_view(zone, one).state.value == "absent")
    assert plane.server_view(zone, other).state.value == plane.target_view(zone, other).state.value == "current"
    assert plane.now(zone).status is not Status.ACTIVE
    plane.backend(one).failing = None
    plane.wait_active(zone)
    plane.wait_done()


def test_a_server_that_comes_back_empty_is_filled_at_once(plane: Plane, servers: Servers) -> None:
    """Without a round: its return alone is reason enough."""
    plane.worker_settings = NO_AUDIT
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    one, other, _ = servers
    plane.pool(one, other)
    plane.start()
    zones = [plane.zone() for _ in range(30)]
    plane.wait_done()
    wanted = dict(one.zones)
    one.silent = True
    plane.edit(zones[0])
    eventually(lambda: plane.server_view(zones[0], one).error is not None, 10)
    mark = len(one.questions("SOA"))
    one.wait_asked("SOA", mark + 2)
    one.zones.clear()
    one.silent = False
    eventually(lambda: one.zones.keys() == wanted.keys(), 20)
    plane.wait_done(timeout=20)


def test_one_denied_notify_has_all_zones_of_the_server_looked_at(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = NO_AUDIT
    one, other, _ = servers
    plane.pool(one, other)
    plane.start()
    zones = [plane.zone() for _ in range(30)]
    plane.wait_done()
    one.zones.clear()
    plane.edit(zones[0])
    eventually(lambda: len(one.zones) == 30, 10)
    plane.wait_done()


def test_zones_with_work_and_deleted_zones_are_not_at_rest(plane: Plane, servers: Servers) -> None:
    plane.pool(servers[0])
    busy = plane.zone()
    assert plane.call(ZonesAtRest()) == ()
    plane.start()
    plane.wait_done()
    (found,) = plane.call(ZonesAtRest())
    assert (found.zone_id, found.name, found.serial) == (busy.id, busy.name, busy.serial)
    assert plane.call(ZonesAtRest(pool_id="another")) == ()
    assert plane.call(ZonesAtRest(after=busy.id)) == ()
    plane.delete(busy)
    plane.wait_done()
    assert plane.call(ZonesAtRest()) == ()


def test_what_was_seen_before_a_change_counts_for_nothing(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = NO_AUDIT
    plane.pool(servers[0])
    plane.start()
    zone = plane.zone()
    plane.wait_done()
    peer = peer_id(plane, zone, servers[0])
    late = Difference(zone_id=zone.id, revision=zone.revision, peer_id=peer, serial=None, why="it answers REFUSED")
    plane.edit(zone)
    plane.wait_done()
    assert plane.call(ReportDifferences(differences=(late,))) == 0
    strange = replace(late, revision=plane.now(zone).revision, peer_id="of another pool")
    assert plane.call(ReportDifferences(differences=(strange,))) == 0


def test_one_lost_server_of_two_leaves_a_zone_active_where_half_is_enough(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = NO_AUDIT
    object.__setattr__(plane.settings, "threshold_percentage", 50)
    one, other, _ = servers
    plane.pool(one, other)
    worker = plane.start()
    zone = plane.zone()
    plane.wait_done()
    worker.stop()
    plane.workers.clear()
    now = plane.now(zone)
    for server, status in ((one, Status.ACTIVE), (other, Status.PENDING)):
        found = Difference(
            zone_id=zone.id, revision=now.revision, peer_id=peer_id(plane, zone, server), serial=None, why="gone"
        )
        with plane.store.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM outbox")
        assert plane.call(ReportDifferences(differences=(found,))) == 1
        assert plane.now(zone).status is status
    assert plane.now(zone).action is Action.UPDATE


@pytest.mark.parametrize(
    ("zones", "servers", "size"),
    [
        (None, 2.0, 100),  # the first round: as fast as the rate allows
        (10_000, 2.0, 67),  # 300 seconds
        (10, 2.0, 2),  # few zones: one a second
        (1_000_000, 2.0, 100),  # the rate bounds it
        (1_000_000, 1000.0, 1),
        (0, 1.0, 2),
    ],
)
def test_a_step_keeps_the_interval_and_the_rate(zones: int | None, servers: float, size: int) -> None:
    assert step_size(zones, servers, interval_s=300.0, rate=100.0) == size


def test_a_round_that_takes_longer_than_its_interval_is_logged(
    plane: Plane, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    plane.worker_settings = replace(QUICK, audit_interval=1.0, audit_rate=5)
    plane.pool(servers[0])
    plane.start()
    for _ in range(30):
        plane.zone()
    plane.wait_done()
    eventually(lambda: "zones are checked less often than audit_interval" in caplog.text, 20)


def test_a_worker_whose_round_takes_too_long_reports_so_before_it_ends(
    plane: Plane, two: tuple[SmallServer, SmallServer]
) -> None:
    plane.worker_settings = replace(QUICK, audit_interval=1.0, audit_rate=1)
    worker = plane.start()
    for _ in range(10):  # one in two seconds is checked
        plane.zone()
    plane.wait_done()
    eventually(lambda: bool(worker.stats().get("audit", {}).get("late")), 20)
    figures = worker.stats()["audit"]
    assert figures["interval"] == 1
    assert figures["seconds"] >= 3
    assert len(two[0].questions("SOA")) < 1000


def test_a_worker_that_is_in_time_reports_that(plane: Plane, two: tuple[SmallServer, SmallServer]) -> None:
    worker = plane.start()
    zones = [plane.zone() for _ in range(3)]
    plane.wait_done()
    eventually(lambda: worker.stats()["audit"]["zones"] == len(zones), 20)
    assert worker.stats()["audit"]["late"] is False
    assert len(two) == 2


def test_a_worker_without_a_round_reports_nothing(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = NO_AUDIT
    plane.pool(servers[0])
    assert plane.start().stats() == {}
