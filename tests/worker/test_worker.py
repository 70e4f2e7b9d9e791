# SPDX-License-Identifier: Apache-2.0
"""The worker end to end: a change in central becomes a serial on nameservers and a status in central."""

from __future__ import annotations

import time

from redesignate.commands.hint import Hint, Kind
from redesignate.commands.work import BeginWork
from redesignate.config.settings import WorkerSettings
from redesignate.model.errors import ZoneNotFound
from redesignate.model.zone import Zone
from tests.support.nameservers import SmallServer
from tests.worker.conftest import Plane, eventually

LONG_LEASE = WorkerSettings(find_interval=0.2, lease=10.0)
"""Waiting for the end of a lease, or of a window, is seen as a failure."""
Servers = tuple[SmallServer, SmallServer, SmallServer]


def gone(plane: Plane, zone: Zone) -> bool:
    try:
        plane.now(zone)
    except ZoneNotFound:
        return True
    return False


def test_a_new_zone_is_served_everywhere_and_active(plane: Plane, servers: Servers) -> None:
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    assert [server.zones[zone.name] for server in servers] == [zone.serial] * 3
    plane.wait_done()


def test_a_change_is_served_and_active(plane: Plane, servers: Servers) -> None:
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    after = plane.edit(zone)
    plane.wait_active(zone)
    assert [server.zones[zone.name] for server in servers] == [after.serial] * 3


def test_a_deleted_zone_is_gone_everywhere(plane: Plane, servers: Servers) -> None:
    plane.pool(*servers)
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    plane.delete(zone)
    eventually(lambda: gone(plane, zone))
    assert [zone.name in server.zones for server in servers] == [False] * 3
    plane.wait_done()


def test_work_is_found_without_hints(plane: Plane, servers: Servers) -> None:
    plane.hinted = False
    plane.pool(servers[0])
    zone = plane.zone()
    plane.start()
    plane.wait_active(zone)
    plane.wait_done()


def test_also_notifies_hear_of_changes_and_count_for_nothing(plane: Plane, servers: Servers) -> None:
    first, second, _ = servers
    second.silent = True
    plane.pool(first, also=(second,))
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    second.wait_asked("NOTIFY", 1)
    assert second.questions("SOA") == []
    plane.wait_done()


def test_a_hundred_edits_become_few_notifies(plane: Plane, servers: Servers) -> None:
    plane.pool(servers[0])
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    for _ in range(100):
        last = plane.edit(zone)
    plane.wait_active(zone)
    assert servers[0].zones[zone.name] == last.serial
    assert len(servers[0].questions("NOTIFY", zone.name)) < 60


def test_two_hundred_zones_at_once(plane: Plane, servers: Servers) -> None:
    plane.pool(*servers[:2])
    plane.start()
    zones = [plane.zone() for _ in range(200)]
    plane.wait_active(*zones, timeout=20)
    plane.wait_done()
    assert len(servers[0].zones) == len(servers[1].zones) == 200


def test_a_server_that_lost_a_zone_gets_it_back_with_the_next_change(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = LONG_LEASE
    plane.pool(servers[0])
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    servers[0].zones.clear()
    after = plane.edit(zone)
    plane.wait_active(zone, timeout=3)
    assert servers[0].zones[zone.name] == after.serial


def test_a_zone_that_was_deleted_and_made_anew_is_there(plane: Plane, servers: Servers) -> None:
    first, second, _ = servers
    plane.pool(first, second)
    plane.start()
    zone = plane.zone("again.example.")
    plane.wait_active(zone)
    for _ in range(5):
        plane.delete(zone)
        eventually(lambda old=zone: gone(plane, old))  # type: ignore[misc]
        zone = plane.zone("again.example.")
    plane.wait_active(zone)
    plane.wait_done()
    assert [server.zones["again.example."] for server in (first, second)] == [zone.serial] * 2


def test_a_changed_pool_is_used_at_the_next_change(plane: Plane, servers: Servers) -> None:
    plane.pool(servers[0])
    plane.start()
    zone = plane.zone()
    plane.wait_active(zone)
    plane.pool(servers[0], servers[1])
    eventually(lambda: zone.name in servers[1].zones)
    plane.wait_done()
    plane.pool(servers[1])
    seen = len(servers[0].asked)
    plane.edit(zone)
    plane.wait_active(zone)
    plane.wait_done()
    assert len(servers[0].asked) == seen


def test_stopping_is_quick_and_a_second_worker_goes_on(plane: Plane, servers: Servers) -> None:
    plane.worker_settings = LONG_LEASE
    servers[0].silent = True
    plane.pool(servers[0])
    worker = plane.start()
    zone = plane.zone()
    servers[0].wait_asked("SOA", 1)
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 5
    plane.workers.clear()
    servers[0].silent = False
    plane.start()
    plane.wait_active(zone, timeout=6)


def test_a_worker_that_stops_takes_nothing_up_again(plane: Plane, servers: Servers) -> None:
    """Also not what changed while it was giving it back: the next worker would have to wait for the lease."""
    plane.worker_settings = LONG_LEASE
    servers[0].silent = True
    plane.pool(servers[0])
    worker = plane.start()
    zones = [plane.zone() for _ in range(5)]
    ids = tuple(zone.id for zone in zones)
    eventually(lambda: {name for _, what, name in servers[0].asked if what == "SOA"} == {zone.name for zone in zones})
    plane.pending.wake([Hint(Kind.OUTBOUND, zone_id) for zone_id in ids])
    eventually(lambda: not len(plane.pending))
    worker.stop()
    plane.workers.clear()
    assert {task.zone_id for task in plane.call(BeginWork(worker="another", zone_ids=ids))} == set(ids)
